"""An attacker holds both of the hub's signing keys and its database: what a Trust still runs for them.

Each test is one promise; docs/guarantees.md lists them by name. The Trust verifies, admits and writes its ledger as in
production; the hub is played, and so is the engine's worker. What noise that Trusts share adds is in
test_hub_in_the_middle.py, and that the attacker cannot hide what they asked in tests/integration/test_witnesses.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.features import Feature
from flip_sdk.contract.jobs import DistributedNoise, Privacy
from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.records import Record, digest
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.tasks import Refusal, RefusalCode, SafeUpdate
from flip_trust import consent, heard
from flip_trust.audit import Entry
from flip_trust.job_rules import OWN_FILE
from pydantic import create_model
from safetensors.numpy import load, save

from tests.trust.world import (
    GRAPH,
    NAME,
    PROJECT,
    RADIUS,
    WEIGHTS,
    Hub,
    Trust,
    answer_of,
    count_spec,
    evaluate_spec,
    train_spec,
)

OTHER = "lung-nodules"


def ask(trust: Trust, parts: dict[str, bytes]) -> RefusalCode | None:
    """What the Trust answers to a task: why it refuses, or None where it computed."""
    record, tensors = answer_of(trust, trust.carrier.answer(trust.carrier.put(parts)))
    if isinstance(record, Refusal):
        assert tensors is None, "a refusal carries no number"
        return record.code
    assert isinstance(record, SafeUpdate)
    return None


def count(trust: Trust, job: dict[str, Any] | None = None, task: dict[str, Any] | None = None, **spec: Any):
    """A count, with anything about its job, its task or its spec forged, and properly signed."""
    return trust.hub.parts(trust.hub.job(count_spec(**spec), **(job or {})), "count", **(task or {}))


def _with_one_more(record: Record, name: str) -> Record:
    """The same record with one field more, under the same name of its kind."""
    kind = type(record)
    wider = create_model(kind.__name__, __base__=kind, **{name: (int, 1)})
    return wider(**{field: getattr(record, field) for field in kind.model_fields})


@pytest.fixture
def attacked(trust, running) -> Trust:
    """A Trust that opted in to one project: counts and trainings, ε 5 in all, for ten days."""
    trust.opt_in(job_kinds=("count", "train"), epsilon=5.0)
    running(trust)
    return trust


def spent(trust: Trust) -> int:
    return len(trust.ledger())


def test_what_was_opted_in_to_runs(attacked):
    """The control: the keys are good, so a refusal below is for what was asked and not for who asked it."""
    assert ask(attacked, count(attacked)) is None


def test_a_forged_project_gets_nothing(attacked):
    assert ask(attacked, count(attacked, project_id=OTHER)) == RefusalCode.NOT_OPTED_IN
    assert spent(attacked) == 0


def test_a_task_of_one_project_with_a_job_of_another_gets_nothing(attacked):
    forged = count(attacked, task={"project_id": PROJECT}, project_id=OTHER)
    assert ask(attacked, forged) == RefusalCode.BAD_RECORD


def test_a_widened_application_widens_nothing(attacked):
    """The hub tells of every kind, ε 1,000 and ten years: it is shown to the steward, and opts in to nothing."""
    now = datetime.now(UTC)
    told = ProjectForTrust(
        project_id=PROJECT,
        title="Everything",
        lay_summary="All of it.",
        public_benefit="None.",
        researchers=("Mallory",),
        reviewers=("Rufus", "Mina"),
        job_kinds=("count", "train", "evaluate", "statistics"),
        epsilon=1000.0,
        delta=1e-3,
        expires_at=now + timedelta(days=3650),
    )
    before = consent.standing(attacked.database, PROJECT)
    heard.keep(attacked.database, [told, told.model_copy(update={"project_id": OTHER})], now)
    assert consent.standing(attacked.database, PROJECT) == before
    assert consent.standing(attacked.database, OTHER) is None
    evaluation = attacked.hub.evaluate(attacked.hub.job(evaluate_spec()))
    assert ask(attacked, evaluation) == RefusalCode.JOB_KIND_NOT_ALLOWED
    assert ask(attacked, count(attacked, epsilon=6.0)) == RefusalCode.BUDGET_EXCEEDED


def test_another_kind_of_job_is_refused(attacked):
    evaluation = attacked.hub.evaluate(attacked.hub.job(evaluate_spec()))
    assert ask(attacked, evaluation) == RefusalCode.JOB_KIND_NOT_ALLOWED
    assert spent(attacked) == 0


def test_one_kind_under_the_name_of_another_is_refused(attacked):
    """A training's round with a count's order, and a count's step with a training's."""
    training = attacked.hub.job(train_spec())
    assert ask(attacked, attacked.hub.parts(training, "count")) == RefusalCode.BAD_RECORD
    assert ask(attacked, attacked.hub.train(attacked.hub.job(count_spec()))) == RefusalCode.BAD_RECORD


def test_more_epsilon_than_was_granted_is_refused_in_one_job_and_in_many(attacked):
    assert ask(attacked, count(attacked, epsilon=6.0)) == RefusalCode.BUDGET_EXCEEDED
    assert ask(attacked, count(attacked, epsilon=900.0)) == RefusalCode.EPSILON_OVER_CAP
    codes = [ask(attacked, count(attacked, epsilon=2.0)) for _ in range(4)]
    assert codes[0] is None
    assert codes[-1] == RefusalCode.BUDGET_EXCEEDED


def test_a_larger_delta_buys_no_more_than_was_granted(attacked):
    """An ε that only a careless δ makes small is reckoned at the steward's own δ."""
    careless = attacked.hub.job(train_spec(privacy=Privacy(epsilon=4.9, delta=9e-3)))
    assert ask(attacked, attacked.hub.prepare(careless)) == RefusalCode.BUDGET_EXCEEDED


def test_noise_that_others_share_needs_its_own_consent(attacked):
    shared = train_spec(privacy=Privacy(epsilon=3.0, trust_model=DistributedNoise()))
    job = attacked.hub.job(shared, trusts=(NAME, "brookfield", "carrick"))
    assert ask(attacked, attacked.hub.parts(job, "keys")) == RefusalCode.TRUST_MODEL_NOT_ALLOWED


def test_an_expired_consent_is_over_whatever_the_hub_says(trust, running):
    running(trust)
    trust.opt_in(job_kinds=("count",))
    with trust.database.transaction() as transaction:
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        transaction.write(Entry("test", "clock", PROJECT), ("UPDATE consent SET expires_at = ?", (past,)))
    ten_years = {"project_expires_at": datetime.now(UTC) + timedelta(days=3650)}
    assert ask(trust, count(trust, ten_years)) == RefusalCode.CONSENT_EXPIRED


@pytest.mark.parametrize(
    ("decide", "code"), [(consent.pause, RefusalCode.CONSENT_PAUSED), (consent.leave, RefusalCode.NOT_OPTED_IN)]
)
def test_pausing_and_leaving_hold_for_a_job_that_has_begun(attacked, decide, code):
    job = attacked.hub.job(train_spec())
    assert ask(attacked, attacked.hub.prepare(job)) is None
    decide(attacked.database, PROJECT, "sam")
    assert ask(attacked, attacked.hub.train(job)) == code


def test_a_task_is_carried_out_once(attacked):
    parts = count(attacked)
    assert ask(attacked, parts) is None
    assert ask(attacked, parts) == RefusalCode.REPLAYED


def test_an_order_that_was_kept_for_later_is_worth_nothing(attacked):
    hours_ago = datetime.now(UTC) - timedelta(hours=2)
    assert ask(attacked, count(attacked, {"expires_at": hours_ago})) == RefusalCode.JOB_EXPIRED
    assert ask(attacked, count(attacked, task={"expires_at": hours_ago})) == RefusalCode.TASK_EXPIRED
    ahead = datetime.now(UTC) + timedelta(hours=2)
    assert ask(attacked, count(attacked, {"issued_at": ahead})) == RefusalCode.BAD_RECORD


def test_another_trusts_task_is_not_taken(attacked):
    elsewhere = count(attacked, {"trusts": ("brookfield",)}, {"trust": "brookfield"})
    assert ask(attacked, elsewhere) == RefusalCode.WRONG_TRUST
    assert ask(attacked, count(attacked, {"trusts": ("brookfield",)})) == RefusalCode.WRONG_TRUST
    assert ask(attacked, count(attacked, trusts=("brookfield",))) == RefusalCode.WRONG_TRUST


def test_a_job_stays_as_it_was_when_it_was_paid(attacked):
    """The same job's id under a new order: other features, another cohort, more rounds."""
    job = attacked.hub.job(train_spec())
    assert ask(attacked, attacked.hub.prepare(job)) is None
    paid = attacked.ledger()
    for changes in ({"rounds": 9}, {"cohort": Cohort(criteria=(AgeBetween(low=40, high=41),))}):
        other = job.model_copy(update={"spec": train_spec(**changes)})
        assert ask(attacked, attacked.hub.train(other)) == RefusalCode.BAD_RECORD
    assert attacked.ledger() == paid


def test_a_graph_that_was_changed_after_the_sign_off_is_refused(attacked):
    other = GRAPH.replace(b"aten.linear.default", b"aten.linear.default ")
    job = attacked.hub.job(train_spec())
    assert ask(attacked, attacked.hub.parts(job, "prepare", graph=other)) == RefusalCode.BAD_RECORD
    named = attacked.hub.parts(job, "prepare", graph=GRAPH)
    assert ask(attacked, named | {"graph": other}) == RefusalCode.BAD_RECORD


def test_a_graph_with_an_operation_of_its_own_is_refused_though_it_is_signed(attacked):
    for name in (b"os.system", b"aten.bernoulli.p"):
        evil = GRAPH.replace(b"aten.linear.default", name)
        model = train_spec().model.model_copy(update={"graph": digest(evil)})
        job = attacked.hub.job(train_spec(model=model))
        assert ask(attacked, attacked.hub.parts(job, "prepare", graph=evil)) == RefusalCode.MODEL_REFUSED


def test_rounds_without_the_noisy_count_before_them_get_nothing(attacked):
    assert ask(attacked, attacked.hub.parts(attacked.hub.job(train_spec()), "train", 1, weights=WEIGHTS)) == (
        RefusalCode.BAD_RECORD
    )
    unprepared = attacked.hub.train(attacked.hub.job(train_spec()), graph=GRAPH)
    assert ask(attacked, unprepared) == RefusalCode.OUT_OF_ORDER


def test_a_round_is_released_once_whatever_is_asked_again(attacked):
    """Two models in the same round would be two releases for the price of one."""
    job = attacked.hub.job(train_spec())
    assert ask(attacked, attacked.hub.prepare(job)) is None
    assert ask(attacked, attacked.hub.train(job)) is None
    moved = save({name: value + 1 for name, value in load(WEIGHTS).items()})
    assert ask(attacked, attacked.hub.train(job, weights=moved)) == RefusalCode.OUT_OF_ORDER


@pytest.mark.parametrize("name", ["floor", "rounding", "noise_multiplier", "seed", "production", "human_sign_off"])
def test_no_order_can_carry_a_setting_of_the_trust(attacked, name):
    """A record with one field more than it has is no record: nothing lowers the floor or fixes the noise."""
    hub, job = attacked.hub, attacked.hub.job(count_spec())
    task = hub.task(job, "count")
    wider_job = task.model_copy(update={"job": hub.governance.sign(_with_one_more(job, name))})
    for forged in (wider_job, _with_one_more(task, name)):
        assert ask(attacked, {"task": hub.dispatcher.sign(forged).encode()}) == RefusalCode.BAD_RECORD


def test_a_small_cohort_stays_hidden(attacked):
    """However the order words it, a number under the floor is not released: it reads as nothing."""
    nobody = Cohort(criteria=(AgeBetween(low=119, high=120),))
    parts = count(attacked, epsilon=4.0, cohort=nobody)
    record, tensors = answer_of(attacked, attacked.carrier.answer(attacked.carrier.put(parts)))
    assert record.suppressed
    assert not tensors


def test_more_members_get_no_more(attacked):
    """Whoever the hub says that asks, and however many: consent and budget are the project's, and are spent once."""
    codes = [ask(attacked, count(attacked, {"researcher": f"mallory{i}"}, epsilon=2.0)) for i in range(4)]
    assert codes[-1] == RefusalCode.BUDGET_EXCEEDED


def test_a_forged_human_sign_off_opens_nothing(attacked):
    forged = {"signed_off": "person", "signed_off_by": ("rufus",)}
    assert ask(attacked, count(attacked, forged, project_id=OTHER)) == RefusalCode.NOT_OPTED_IN
    assert ask(attacked, count(attacked, forged, epsilon=6.0)) == RefusalCode.BUDGET_EXCEEDED
    evaluation = attacked.hub.evaluate(attacked.hub.job(evaluate_spec(), **forged))
    assert ask(attacked, evaluation) == RefusalCode.JOB_KIND_NOT_ALLOWED
    nobody = {"signed_off": "person", "signed_off_by": ()}
    assert ask(attacked, count(attacked, nobody)) == RefusalCode.BAD_RECORD


def test_one_of_the_two_keys_alone_sends_nothing(attacked):
    """The dispatcher's key signs no job, governance's no task, and a stranger's neither."""
    hub = attacked.hub
    for thief in (
        Hub(governance=hub.dispatcher, dispatcher=hub.dispatcher),
        Hub(governance=hub.governance, dispatcher=hub.governance),
        Hub(governance=SigningKey.generate(), dispatcher=hub.dispatcher),
    ):
        assert ask(attacked, thief.parts(thief.job(count_spec()), "count")) == RefusalCode.BAD_SIGNATURE


def test_data_that_the_trust_does_not_have_or_does_not_list_is_not_named(attacked):
    unknown = (Feature(concept_id=4_242, low=0, high=1), Feature(concept_id=RADIUS, low=0, high=30))
    assert ask(attacked, attacked.hub.prepare(attacked.hub.job(train_spec(features=unknown)))) == (
        RefusalCode.UNKNOWN_CONCEPT
    )


def test_data_that_a_hospital_set_apart_is_not_read_whoever_signed_for_it(attacked, running):
    """An opt-in names no data; a hospital's own policy does, and no order of the hub's gets past it."""
    own = '@id("ours.data") @reason("Measurements alone.") forbid (principal, action, resource) when '
    own += '{ !["measurements"].containsAll(context.data) };'
    (attacked.config.home / OWN_FILE).write_text(own)
    narrower = attacked.restarted()
    running(narrower)
    forged = {"signed_off": "person", "signed_off_by": ("rufus", "mina")}
    training = narrower.hub.prepare(narrower.hub.job(train_spec(), **forged))
    assert ask(narrower, training) == RefusalCode.JOB_KIND_NOT_ALLOWED
    assert ask(narrower, count(narrower)) is None


def test_every_order_is_in_the_trusts_own_log(attacked):
    """What the attacker asked and was refused stays, where they cannot reach it."""
    ask(attacked, count(attacked, project_id=OTHER))
    ask(attacked, count(attacked))
    assert len(attacked.events("task.offered")) == 2
    assert [one["details"]["code"] for one in attacked.events("task.refused")] == ["not_opted_in"]
