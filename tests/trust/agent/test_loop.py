from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.jobs import DPSGD, Privacy
from flip_sdk.contract.states import TaskState
from flip_sdk.contract.tasks import CancelReceipt, Refusal, RefusalCode, SafeUpdate
from flip_trust import consent, taskbook
from flip_trust.engine.records import EngineError

from tests.trust.world import GRAPH, PROJECT, answer_of, count_spec, evaluate_spec, train_spec, wait_until


def ask(trust, parts):
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(parts)))


def states(trust) -> list[str]:
    return [row["state"] for row in trust.database.read("SELECT state FROM task ORDER BY received_at, rowid")]


@pytest.fixture
def busy(trust, running):
    trust.opt_in(epsilon=50.0)
    running(trust)
    return trust


def test_a_count(busy):
    update, tensors = ask(busy, busy.hub.parts(busy.hub.job(count_spec()), "count"))

    assert isinstance(update, SafeUpdate)
    assert abs(tensors["persons"][0] - 400) <= 60
    wait_until(lambda: states(busy) == ["reported"])
    assert busy.ran.is_set()


def test_a_training_job_from_prepare_to_its_last_round(busy):
    job = busy.hub.job(train_spec())
    update, tensors = ask(busy, busy.hub.prepare(job))
    assert set(tensors) == {"persons", "sum", "sum_of_squares"}
    for round_ in (1, 2, 3):
        update, tensors = ask(busy, busy.hub.train(job, round_))
        assert {name: value.shape for name, value in tensors.items()} == {"weight": (1, 2), "bias": (1,)}
        assert update.round == round_

    wait_until(lambda: busy.events("job.ended"))
    assert not (busy.config.jobs / job.job_id).exists()
    assert busy.pool.opened == 1, "one worker serves the whole job"
    assert len(busy.ledger()) == 2


def test_dp_sgd_knows_the_expected_number_of_persons(busy):
    job = busy.hub.job(train_spec(privacy=Privacy(mechanism=DPSGD())))
    ask(busy, busy.hub.prepare(job))
    ask(busy, busy.hub.train(job))

    assert busy.pool.calls[-1] == "dp_sgd binary_cross_entropy True True True"


def test_an_evaluation(busy):
    update, tensors = ask(busy, busy.hub.evaluate(busy.hub.job(evaluate_spec())))

    assert update.step == "evaluate"
    assert tensors["histogram"].shape == (2, 10)
    assert busy.pool.calls == ["scores True True"]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        (lambda hub: {"task": b"nonsense"}, RefusalCode.BAD_SIGNATURE),
        (lambda hub: {}, RefusalCode.BAD_SIGNATURE),
        (
            lambda hub: hub.parts(hub.job(count_spec()), "count", expires_at=datetime.now(UTC) - timedelta(hours=1)),
            RefusalCode.TASK_EXPIRED,
        ),
        (lambda hub: hub.parts(hub.job(count_spec()), "count", trust="carrick"), RefusalCode.WRONG_TRUST),
        (lambda hub: hub.parts(hub.job(count_spec(project_id="another")), "count"), RefusalCode.NOT_OPTED_IN),
    ],
)
def test_what_is_not_in_order_is_refused_audited_and_not_computed(busy, parts, code):
    refusal, _ = ask(busy, parts(busy.hub))

    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert busy.events("task.refused")[-1]["details"]["code"] == code
    assert busy.pool.calls == []
    assert busy.ledger() == []


def test_a_replay_is_refused_audited_and_not_computed(busy):
    parts = busy.hub.evaluate(busy.hub.job(evaluate_spec()))
    ask(busy, parts)
    refusal, _ = ask(busy, parts)

    assert refusal.code == RefusalCode.REPLAYED
    assert busy.pool.calls == ["scores True True"]
    assert busy.events("task.refused")[-1]["details"]["code"] == "replayed"


def test_a_new_attempt_gets_the_same_release_again(busy):
    job = busy.hub.job(evaluate_spec())
    first, one = ask(busy, busy.hub.evaluate(job))
    second, two = ask(busy, busy.hub.evaluate(job, attempt=2))

    assert np.array_equal(one["histogram"], two["histogram"])
    assert first.task_id != second.task_id
    assert busy.pool.calls == ["scores True True"]
    assert len(busy.ledger()) == 1
    assert len(busy.events("task.repeated")) == 1


def test_other_inputs_for_a_released_round_are_out_of_order(busy):
    job = busy.hub.job(train_spec())
    ask(busy, busy.hub.prepare(job))
    ask(busy, busy.hub.train(job, 1))
    from safetensors.numpy import save

    moved = save({"weight": np.ones((1, 2), np.float32), "bias": np.zeros(1, np.float32)})
    refusal, _ = ask(busy, busy.hub.train(job, 1, weights=moved))

    assert refusal.code == RefusalCode.OUT_OF_ORDER
    assert len(busy.pool.calls) == 2


def test_a_small_cohort_is_refused_the_same_way_every_time(busy):
    nobody = Cohort(criteria=(AgeBetween(low=150),))
    job = busy.hub.job(train_spec(cohort=nobody))

    for parts in (busy.hub.prepare(job), busy.hub.prepare(job, attempt=2), busy.hub.train(job)):
        refusal, _ = ask(busy, parts)
        assert refusal.code == RefusalCode.COHORT_TOO_SMALL
    assert busy.pool.calls == ["statistics"]
    assert len(busy.ledger()) == 2, "a look at the noisy count is debited like any release"


def test_a_suppressed_count_has_no_numbers(busy):
    nobody = Cohort(criteria=(AgeBetween(low=150),))
    update, tensors = ask(busy, busy.hub.parts(busy.hub.job(count_spec(cohort=nobody)), "count"))

    assert update.suppressed
    assert tensors is None


def test_pausing_takes_effect_at_the_next_task(busy):
    job = busy.hub.job(train_spec())
    ask(busy, busy.hub.prepare(job))
    consent.pause(busy.database, PROJECT, "sam")
    refusal, _ = ask(busy, busy.hub.train(job))
    assert refusal.code == RefusalCode.CONSENT_PAUSED

    consent.resume(busy.database, PROJECT, "sam")
    update, _ = ask(busy, busy.hub.train(job, attempt=2))
    assert isinstance(update, SafeUpdate)


def test_leaving_while_a_round_is_computed_keeps_its_result_here(busy):
    busy.pool.hold = threading.Event()
    received = busy.carrier.put(busy.hub.evaluate(busy.hub.job(evaluate_spec())))
    assert busy.pool.begun.wait(10)
    consent.leave(busy.database, PROJECT, "sam")
    busy.pool.hold.set()
    refusal, tensors = answer_of(busy, busy.carrier.answer(received))

    assert refusal.code == RefusalCode.NOT_OPTED_IN
    assert tensors is None
    assert busy.database.read("SELECT * FROM release") == []


def test_cancelling_stops_what_is_computed_and_what_waits(busy):
    busy.pool.hold = threading.Event()
    job = busy.hub.job(train_spec())
    busy.hub.prepare(job)
    received = [busy.carrier.put(busy.hub.prepare(job, attempt=attempt)) for attempt in (1, 2)]
    assert busy.pool.begun.wait(10)
    receipt, _ = ask(busy, busy.hub.parts(job, "cancel"))
    refusals = [answer_of(busy, busy.carrier.answer(one))[0] for one in received]

    assert isinstance(receipt, CancelReceipt)
    assert [refusal.code for refusal in refusals] == [RefusalCode.CANCELLED] * 2
    assert busy.database.read("SELECT * FROM release") == []
    wait_until(lambda: not (busy.config.jobs / job.job_id).exists())
    later, _ = ask(busy, busy.hub.prepare(job, attempt=3))
    assert later.code == RefusalCode.CANCELLED


def test_a_job_cancelled_before_it_came_is_refused(busy):
    job = busy.hub.job(count_spec())
    receipt, _ = ask(busy, busy.hub.parts(job, "cancel"))
    refusal, _ = ask(busy, busy.hub.parts(job, "count"))

    assert isinstance(receipt, CancelReceipt)
    assert refusal.code == RefusalCode.CANCELLED
    assert busy.ledger() == []


def test_cancelling_one_job_leaves_others_alone(busy):
    busy.pool.hold = threading.Event()
    received = busy.carrier.put(busy.hub.evaluate(busy.hub.job(evaluate_spec())))
    assert busy.pool.begun.wait(10)
    ask(busy, busy.hub.parts(busy.hub.job(train_spec()), "cancel"))
    busy.pool.hold.set()

    assert isinstance(answer_of(busy, busy.carrier.answer(received))[0], SafeUpdate)


def test_a_count_does_not_wait_for_training(busy):
    busy.pool.hold = threading.Event()
    waiting = [busy.carrier.put(busy.hub.evaluate(busy.hub.job(evaluate_spec()))) for _ in range(5)]
    assert busy.pool.begun.wait(10)
    update, _ = ask(busy, busy.hub.parts(busy.hub.job(count_spec()), "count"))
    assert isinstance(update, SafeUpdate)

    busy.pool.hold.set()
    assert all(isinstance(answer_of(busy, busy.carrier.answer(one))[0], SafeUpdate) for one in waiting)


def test_more_jobs_than_workers(busy):
    jobs = [busy.hub.job(train_spec(rounds=2)) for _ in range(4)]
    for job in jobs:
        ask(busy, busy.hub.prepare(job))
    for round_ in (1, 2):
        for job in jobs:
            update, _ = ask(busy, busy.hub.train(job, round_))
            assert isinstance(update, SafeUpdate)


def test_a_worker_that_died_is_replaced_once(busy):
    job = busy.hub.job(train_spec())
    ask(busy, busy.hub.prepare(job))
    session = busy.pool.sessions[0]
    session.close()
    update, _ = ask(busy, busy.hub.train(job))

    assert isinstance(update, SafeUpdate)
    assert busy.pool.opened == 2


def test_an_engine_that_keeps_failing_is_a_refusal(busy):
    busy.pool.fail = EngineError(RefusalCode.ENGINE_FAILED, "boom")
    refusal, _ = ask(busy, busy.hub.evaluate(busy.hub.job(evaluate_spec())))

    assert refusal.code == RefusalCode.ENGINE_FAILED
    wait_until(lambda: states(busy) == ["failed"])


def test_a_model_that_the_engine_refuses(busy):
    busy.pool.fail = EngineError(RefusalCode.MODEL_TOO_LARGE, "memory")
    refusal, _ = ask(busy, busy.hub.evaluate(busy.hub.job(evaluate_spec())))

    assert refusal.code == RefusalCode.MODEL_TOO_LARGE
    wait_until(lambda: states(busy) == ["refused"])


def test_a_failed_round_may_be_asked_for_again(busy):
    job = busy.hub.job(evaluate_spec())
    busy.pool.fail = RuntimeError("boom")
    assert ask(busy, busy.hub.evaluate(job))[0].code == RefusalCode.ENGINE_FAILED
    busy.pool.fail = None

    assert isinstance(ask(busy, busy.hub.evaluate(job, attempt=2))[0], SafeUpdate)
    assert len(busy.ledger()) == 1


def test_an_answer_that_the_hub_did_not_take_is_kept(busy):
    job = busy.hub.job(evaluate_spec())
    busy.carrier.away = True
    busy.carrier.put(busy.hub.evaluate(job))
    wait_until(lambda: states(busy) == ["protected"])
    busy.carrier.away = False

    assert isinstance(ask(busy, busy.hub.evaluate(job, attempt=2))[0], SafeUpdate)
    assert busy.pool.calls == ["scores True True"]


def test_missing_tables_are_the_trusts_own_matter(busy):
    (busy.config.omop / "concept.parquet").unlink()
    refusal, _ = ask(busy, busy.hub.prepare(busy.hub.job(train_spec())))
    assert refusal.code == RefusalCode.ENGINE_FAILED
    assert busy.ledger() == []

    (busy.config.omop / "person.parquet").unlink()
    refusal, _ = ask(busy, busy.hub.parts(busy.hub.job(count_spec()), "count"))
    assert refusal.code == RefusalCode.ENGINE_FAILED


def test_a_graph_is_sent_once(busy):
    job = busy.hub.job(train_spec())
    ask(busy, busy.hub.prepare(job))
    assert isinstance(ask(busy, busy.hub.train(job))[0], SafeUpdate)

    (busy.config.jobs / job.job_id / "graph.json").unlink()
    assert ask(busy, busy.hub.train(job, 2))[0].code == RefusalCode.GRAPH_MISSING
    assert isinstance(ask(busy, busy.hub.train(job, 2, graph=GRAPH, attempt=2))[0], SafeUpdate)


def test_a_restarted_agent_goes_on_with_the_frozen_cohort_and_the_kept_graph(busy, running):
    job = busy.hub.job(train_spec())
    ask(busy, busy.hub.prepare(job))
    ask(busy, busy.hub.train(job, 1))
    for table in ("person", "measurement"):
        (busy.config.omop / f"{table}.parquet").unlink()
    (busy.config.jobs / "left-behind").mkdir()
    again = busy.restarted()
    running(again)
    update, _ = ask(again, again.hub.train(job, 2))

    assert isinstance(update, SafeUpdate)
    assert again.pool.calls == ["gradient binary_cross_entropy True"]
    assert not (busy.config.jobs / "left-behind").exists()


def test_jobs_that_never_end_are_ended(busy):
    agent = busy.agent()
    job = busy.hub.job(train_spec(), expires_at=datetime.now(UTC) + timedelta(seconds=1))
    ask(busy, busy.hub.prepare(job))
    assert (busy.config.jobs / job.job_id).exists()
    wait_until(lambda: datetime.now(UTC) > job.expires_at)
    agent.housekeeping()

    assert not (busy.config.jobs / job.job_id).exists()
    assert busy.events("job.ended")


def test_leaving_deletes_frozen_cohorts(busy):
    job = busy.hub.job(train_spec())
    ask(busy, busy.hub.prepare(job))
    consent.leave(busy.database, PROJECT, "sam")
    busy.agent().housekeeping()

    assert not (busy.config.jobs / job.job_id).exists()


def test_every_transition_is_audited_in_order(busy):
    ask(busy, busy.hub.evaluate(busy.hub.job(evaluate_spec())))
    wait_until(lambda: busy.events("task.reported"))
    names = [row["event"] for row in busy.database.read("SELECT event FROM audit ORDER BY sequence")]

    assert [name for name in names if name.startswith("task.")] == [
        "task.offered",
        "task.accepted",
        "task.executed",
        "task.protected",
        "task.reported",
    ]
    task_id = busy.events("task.reported")[0]["subject"].removeprefix("task/")
    assert taskbook.state_of(busy.database, task_id) == TaskState.REPORTED
