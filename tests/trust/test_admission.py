from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.accounting.calibrate import calibrate
from flip_sdk.contract.cohorts import Cohort, HasCondition, SexIs
from flip_sdk.contract.jobs import Privacy
from flip_sdk.contract.states import TaskState
from flip_sdk.contract.tasks import RefusalCode
from flip_trust import consent, taskbook
from flip_trust.admission import AcceptedTask, admit
from flip_trust.agent import jobs
from flip_trust.agent.serve import grounds_of
from flip_trust.cohort.omop import Omop
from flip_trust.errors import RefusedError
from flip_trust.ledger import store
from flip_trust.verify import verify_task

from tests.trust.world import (
    BENIGN,
    GRAPH,
    NAME,
    PROJECT,
    RADIUS,
    WEIGHTS,
    count_spec,
    evaluate_spec,
    train_spec,
)


def verified(trust, parts):
    return verify_task(parts, hub=trust.hub.pinned, trust=NAME, now=datetime.now(UTC), seen=lambda _: False)


def admitted(trust, parts, *, sandboxed=True, now=None) -> AcceptedTask:
    grounds = grounds_of(trust.config, Omop(trust.config.omop), sandboxed)
    return admit(
        verified(trust, parts),
        database=trust.database,
        config=trust.config,
        grounds=grounds,
        now=now or datetime.now(UTC),
    )


def refusal(trust, parts, **arguments) -> RefusalCode:
    before = trust.ledger()
    with pytest.raises(RefusedError) as caught:
        admitted(trust, parts, **arguments)
    assert trust.ledger() == before, "a refused task must not be debited"
    assert trust.events("task.refused")[-1]["details"]["code"] == caught.value.refusal
    return caught.value.refusal


@pytest.fixture
def count(trust):
    return trust.hub.parts(trust.hub.job(count_spec()), "count")


def test_a_trust_that_did_not_opt_in(trust, count):
    assert refusal(trust, count) == RefusalCode.NOT_OPTED_IN


def test_paused_then_resumed(trust, count):
    trust.opt_in()
    consent.pause(trust.database, PROJECT, "sam")
    assert refusal(trust, count) == RefusalCode.CONSENT_PAUSED

    consent.resume(trust.database, PROJECT, "sam")
    assert admitted(trust, trust.hub.parts(trust.hub.job(count_spec()), "count"))


def test_left(trust, count):
    trust.opt_in()
    consent.leave(trust.database, PROJECT, "sam")

    assert refusal(trust, count) == RefusalCode.NOT_OPTED_IN


def test_an_opt_in_that_is_over(trust, count):
    trust.opt_in(expires_at=datetime.now(UTC) + timedelta(minutes=1))

    assert refusal(trust, count, now=datetime.now(UTC) + timedelta(minutes=2)) == RefusalCode.CONSENT_EXPIRED


def test_a_kind_of_job_that_was_not_allowed(trust):
    trust.opt_in(job_kinds=("count",))

    assert refusal(trust, trust.hub.prepare(trust.hub.job(train_spec()))) == RefusalCode.JOB_KIND_NOT_ALLOWED


def test_an_expired_project(trust):
    trust.opt_in()
    job = trust.hub.job(count_spec(), project_expires_at=datetime.now(UTC) - timedelta(minutes=1))

    assert refusal(trust, trust.hub.parts(job, "count")) == RefusalCode.PROJECT_EXPIRED


def test_a_task_that_expired_while_it_waited(trust, count):
    trust.opt_in()

    assert refusal(trust, count, now=datetime.now(UTC) + timedelta(hours=1)) == RefusalCode.TASK_EXPIRED


def test_more_epsilon_than_one_job_may_ask(trust):
    trust.opt_in(epsilon=100.0)

    assert refusal(trust, trust.hub.parts(trust.hub.job(count_spec(epsilon=11)), "count")) == (
        RefusalCode.EPSILON_OVER_CAP
    )


def test_a_projects_budget_runs_out(trust):
    trust.opt_in(epsilon=1.2)
    hub = trust.hub
    admitted(trust, hub.parts(hub.job(count_spec()), "count"))
    admitted(trust, hub.parts(hub.job(count_spec()), "count"))

    assert refusal(trust, hub.parts(hub.job(count_spec()), "count")) == RefusalCode.BUDGET_EXCEEDED


def test_the_whole_data_sets_budget_runs_out(trust):
    trust.opt_in(epsilon=100.0)
    small = trust.with_config(total_epsilon=0.7)
    hub = trust.hub
    admitted(small, hub.parts(hub.job(count_spec()), "count"))

    assert refusal(small, hub.parts(hub.job(count_spec()), "count")) == RefusalCode.BUDGET_EXCEEDED


def test_a_job_may_use_its_whole_budget(trust):
    trust.opt_in(epsilon=3.0)

    assert admitted(trust, trust.hub.prepare(trust.hub.job(train_spec())))


@pytest.mark.parametrize(
    "spec",
    [
        count_spec(cohort=Cohort(criteria=(HasCondition(concept_ids=(123,)),))),
        count_spec(cohort=Cohort(criteria=(HasCondition(concept_ids=(RADIUS,)),))),
        count_spec(cohort=Cohort(criteria=(SexIs(concept_ids=(BENIGN,)),))),
    ],
)
def test_a_concept_that_the_trust_does_not_know(trust, spec):
    trust.opt_in()

    assert refusal(trust, trust.hub.parts(trust.hub.job(spec), "count")) == RefusalCode.UNKNOWN_CONCEPT


def test_a_model_that_is_too_large(trust):
    trust.opt_in()
    tight = trust.with_config(max_model_bytes=len(GRAPH) + len(WEIGHTS) - 1)

    assert refusal(tight, trust.hub.evaluate(trust.hub.job(evaluate_spec()))) == RefusalCode.MODEL_TOO_LARGE


def test_a_model_for_other_features(trust):
    trust.opt_in()
    spec = evaluate_spec()
    job = trust.hub.job(spec.model_copy(update={"features": spec.features[:1], "scaling": None}))

    assert refusal(trust, trust.hub.evaluate(job)) == RefusalCode.MODEL_REFUSED


def test_a_model_that_was_never_sent(trust):
    trust.opt_in()
    job = trust.hub.job(evaluate_spec())

    assert refusal(trust, trust.hub.parts(job, "evaluate", weights=WEIGHTS)) == RefusalCode.GRAPH_MISSING


def test_production_needs_a_sandbox(trust):
    trust.opt_in()
    strict = replace(trust, config=replace(trust.config, production=True, sandbox="bubblewrap"))
    hub = trust.hub

    assert refusal(strict, hub.prepare(hub.job(train_spec())), sandboxed=False) == RefusalCode.SANDBOX_MISSING
    assert admitted(strict, hub.parts(hub.job(count_spec()), "count"), sandboxed=False)


def test_the_whole_job_is_debited_at_its_first_task_and_once(trust):
    trust.opt_in()
    job = trust.hub.job(train_spec())
    accepted = admitted(trust, trust.hub.prepare(job))

    assert [row["purpose"] for row in trust.ledger()] == ["prepare", "train"]
    assert accepted.event == calibrate(job.spec)[0].event
    assert 0.99 * 3.0 <= store.spent(trust.database, 1e-5, PROJECT) <= 3.0

    admitted(trust, trust.hub.prepare(job))
    assert len(trust.ledger()) == 2


def test_debit_acceptance_and_audit_are_one_write(trust, count):
    trust.opt_in()
    task_id = admitted(trust, count).verified.task.task_id

    names = [row["event"] for row in trust.database.read("SELECT event FROM audit ORDER BY sequence")]
    assert names[-3:] == ["task.offered", "ledger.debited", "task.accepted"]
    assert taskbook.state_of(trust.database, task_id) == TaskState.ACCEPTED


def test_the_same_task_is_admitted_once(trust, count):
    trust.opt_in()
    admitted(trust, count)

    with pytest.raises(RefusedError) as caught:
        admitted(trust, count)
    assert caught.value.refusal == RefusalCode.REPLAYED


def test_a_job_cannot_change_after_its_debit(trust):
    trust.opt_in()
    first = trust.hub.job(count_spec(epsilon=0.5))
    admitted(trust, trust.hub.parts(first, "count"))
    second = trust.hub.job(count_spec(epsilon=5.0), job_id=first.job_id)

    assert refusal(trust, trust.hub.parts(second, "count")) == RefusalCode.BAD_RECORD


def test_rounds_come_after_prepare(trust):
    trust.opt_in()
    job = trust.hub.job(train_spec())

    assert refusal(trust, trust.hub.train(job, graph=GRAPH)) == RefusalCode.OUT_OF_ORDER


def test_a_loss_that_the_model_does_not_fit(trust):
    trust.opt_in()
    job = trust.hub.job(train_spec(loss="cross_entropy", privacy=Privacy(epsilon=1.0)))

    assert refusal(trust, trust.hub.prepare(job)) == RefusalCode.MODEL_REFUSED


def test_nothing_else_can_make_an_accepted_task(trust, count):
    trust.opt_in()
    accepted = admitted(trust, count)

    with pytest.raises(TypeError):
        AcceptedTask(accepted.verified, accepted.event, None, None, None, None, False, object())


def test_a_cancelled_job_is_refused_as_cancelled_even_where_its_graph_is_gone(trust):
    trust.opt_in()
    job = trust.hub.job(train_spec())
    admitted(trust, trust.hub.prepare(job))
    jobs.cancel(trust.database, verified(trust, trust.hub.parts(job, "cancel")))

    assert refusal(trust, trust.hub.train(job)) == RefusalCode.CANCELLED
