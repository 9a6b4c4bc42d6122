from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.jobs import ModelRef
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import RefusalCode, inputs_digest
from flip_trust.errors import RefusedError
from flip_trust.verify import VerifiedTask, verify_task

from tests.trust.world import GRAPH, NAME, SCALING, WEIGHTS, Hub, count_spec, evaluate_spec, train_spec

NOW = datetime.now(UTC)
OTHER = digest(b"another blob")


def check(hub, parts, *, now=None, seen=lambda _: False, trust=NAME) -> VerifiedTask:
    return verify_task(parts, hub=hub.pinned, trust=trust, now=now or datetime.now(UTC), seen=seen)


def refusal(hub, parts, **arguments) -> RefusalCode:
    with pytest.raises(RefusedError) as caught:
        check(hub, parts, **arguments)
    return caught.value.refusal


def test_a_proper_task_is_verified(hub):
    job = hub.job(count_spec())
    verified = check(hub, hub.parts(job, "count"))

    assert verified.job == job
    assert verified.inputs == inputs_digest(verified.task)


@pytest.mark.parametrize("step", ["prepare", "train", "evaluate", "cancel"])
def test_every_step_has_its_shape(hub, step):
    job = hub.job(evaluate_spec() if step == "evaluate" else train_spec())
    parts = {
        "prepare": lambda: hub.prepare(job),
        "train": lambda: hub.train(job),
        "evaluate": lambda: hub.evaluate(job),
        "cancel": lambda: hub.parts(job, "cancel"),
    }[step]()

    verified = check(hub, parts)

    assert verified.task.step == step
    assert verified.scaling == (SCALING if step in ("train", "evaluate") else None)


@pytest.mark.parametrize("content", [b"", b"not a jws", b"a.b.c", b"{}", b"\xff\xfe", b"." * 100])
def test_unsigned_bytes(hub, content):
    assert refusal(hub, {"task": content}) == RefusalCode.BAD_SIGNATURE


def test_no_task_at_all(hub):
    assert refusal(hub, {}) == RefusalCode.BAD_SIGNATURE


def test_a_task_without_a_signature(hub):
    header, body, _ = hub.parts(hub.job(count_spec()), "count")["task"].split(b".")

    assert refusal(hub, {"task": header + b"." + body + b"."}) == RefusalCode.BAD_SIGNATURE


def test_a_tampered_task(hub):
    header, body, signature = hub.parts(hub.job(count_spec()), "count")["task"].split(b".")
    other = hub.parts(hub.job(count_spec(epsilon=9.0)), "count")["task"].split(b".")[1]

    assert refusal(hub, {"task": b".".join((header, other, signature))}) == RefusalCode.BAD_SIGNATURE
    assert refusal(hub, {"task": b".".join((header, body[:-3] + b"AAA", signature))}) == RefusalCode.BAD_SIGNATURE


def test_another_hubs_task(hub):
    stranger = Hub()

    assert refusal(hub, stranger.parts(stranger.job(count_spec()), "count")) == RefusalCode.BAD_SIGNATURE


def test_a_broken_into_dispatcher_cannot_sign_jobs_off(hub):
    job = hub.job(count_spec())
    forged = hub.task(job, "count", job=hub.dispatcher.sign(job))

    assert refusal(hub, {"task": hub.dispatcher.sign(forged).encode()}) == RefusalCode.BAD_SIGNATURE


def test_governance_cannot_send_tasks(hub):
    task = hub.task(hub.job(count_spec()), "count")

    assert refusal(hub, {"task": hub.governance.sign(task).encode()}) == RefusalCode.BAD_SIGNATURE


def test_a_job_signed_as_another_kind_of_record(hub):
    job = hub.job(count_spec())
    task = hub.task(job, "count", job=hub.governance.sign(hub.task(job, "count")))

    assert refusal(hub, {"task": hub.dispatcher.sign(task).encode()}) == RefusalCode.BAD_SIGNATURE


def test_a_job_in_place_of_a_task(hub):
    job = hub.job(count_spec())

    assert refusal(hub, {"task": hub.dispatcher.sign(job).encode()}) == RefusalCode.BAD_SIGNATURE


def test_an_expired_task(hub):
    job = hub.job(count_spec())
    parts = hub.parts(job, "count", expires_at=NOW - timedelta(minutes=1))

    assert refusal(hub, parts) == RefusalCode.TASK_EXPIRED


def test_clocks_may_differ_a_little(hub):
    job = hub.job(count_spec())
    late = hub.parts(job, "count", expires_at=datetime.now(UTC) - timedelta(seconds=5))
    early = hub.parts(job, "count", issued_at=datetime.now(UTC) + timedelta(seconds=20))

    assert check(hub, late)
    assert check(hub, early)


def test_a_task_from_the_future(hub):
    job = hub.job(count_spec())

    assert refusal(hub, hub.parts(job, "count", issued_at=NOW + timedelta(hours=1))) == RefusalCode.BAD_RECORD


def test_an_expired_job_can_only_be_cancelled(hub):
    job = hub.job(train_spec(), expires_at=NOW - timedelta(hours=1))

    assert refusal(hub, hub.prepare(job)) == RefusalCode.JOB_EXPIRED
    assert check(hub, hub.parts(job, "cancel"))


def test_a_replayed_task(hub):
    parts = hub.parts(hub.job(count_spec()), "count")
    first = check(hub, parts)

    assert refusal(hub, parts, seen=lambda task_id: task_id == first.task.task_id) == RefusalCode.REPLAYED


def test_a_refusal_names_the_task_only_when_its_signature_holds(hub):
    parts = hub.parts(hub.job(count_spec()), "count")

    with pytest.raises(RefusedError) as known:
        check(hub, parts, seen=lambda _: True)
    with pytest.raises(RefusedError) as unknown:
        check(Hub(), parts)

    assert known.value.task_id
    assert (unknown.value.task_id, unknown.value.job_id) == ("", "")


def test_another_trusts_task(hub):
    job = hub.job(count_spec(), trusts=(NAME, "brookfield"))

    assert refusal(hub, hub.parts(job, "count", trust="brookfield")) == RefusalCode.WRONG_TRUST
    assert refusal(hub, hub.parts(job, "count"), trust="carrick") == RefusalCode.WRONG_TRUST


def test_a_job_signed_off_for_other_trusts(hub):
    assert refusal(hub, hub.parts(hub.job(count_spec(), trusts=("carrick",)), "count")) == RefusalCode.WRONG_TRUST
    asked = count_spec(trusts=("carrick",))
    assert refusal(hub, hub.parts(hub.job(asked), "count")) == RefusalCode.WRONG_TRUST


@pytest.mark.parametrize("changes", [{"job_id": secrets.token_hex(4)}, {"project_id": "another"}])
def test_task_and_job_disagree(hub, changes):
    assert refusal(hub, hub.parts(hub.job(count_spec()), "count", **changes)) == RefusalCode.BAD_RECORD


@pytest.mark.parametrize(
    ("spec", "step", "round_"),
    [
        (count_spec(), "train", 1),
        (count_spec(), "evaluate", 0),
        (count_spec(), "count", 1),
        (train_spec(), "count", 0),
        (train_spec(), "evaluate", 0),
        (evaluate_spec(), "prepare", 0),
        (evaluate_spec(), "count", 0),
    ],
)
def test_a_step_that_the_job_does_not_have(hub, spec, step, round_):
    assert refusal(hub, hub.parts(hub.job(spec), step, round_)) == RefusalCode.BAD_RECORD


@pytest.mark.parametrize("round_", [0, 4, 500])
def test_a_round_that_the_job_does_not_have(hub, round_):
    assert refusal(hub, hub.train(hub.job(train_spec(rounds=3)), round_)) == RefusalCode.BAD_RECORD


def test_a_job_that_breaks_a_rule(hub):
    spec = count_spec(cohort=Cohort(criteria=(AgeBetween(low=60, high=20),)))

    assert refusal(hub, hub.parts(hub.job(spec), "count")) == RefusalCode.BAD_RECORD


def test_blobs_have_to_be_those_named(hub):
    job = hub.job(train_spec())
    swapped = hub.train(job) | {"weights": b"other weights"}
    missing = {name: blob for name, blob in hub.train(job).items() if name != "weights"}
    unnamed = hub.train(job) | {"graph": GRAPH}

    assert {refusal(hub, parts) for parts in (swapped, missing, unnamed)} == {RefusalCode.BAD_RECORD}


def test_an_evaluation_is_of_the_model_that_was_signed_off(hub):
    job = hub.job(evaluate_spec(model=ModelRef(graph=digest(GRAPH), weights=OTHER)))

    assert refusal(hub, hub.evaluate(job)) == RefusalCode.BAD_RECORD


def test_a_graph_is_the_one_that_was_signed_off(hub):
    job = hub.job(train_spec(model=ModelRef(graph=OTHER, weights=digest(WEIGHTS))))

    assert refusal(hub, hub.prepare(job)) == RefusalCode.BAD_RECORD


def test_scaling_fits_the_features(hub):
    job = hub.job(train_spec())
    short = SCALING.model_copy(update={"shift": (1.0,), "scale": (1.0,)})

    assert refusal(hub, hub.train(job, scaling=short)) == RefusalCode.BAD_RECORD
    assert refusal(hub, hub.train(job, scaling=None)) == RefusalCode.BAD_RECORD


def test_nothing_else_can_make_a_verified_task(hub):
    verified = check(hub, hub.parts(hub.job(count_spec()), "count"))

    with pytest.raises(TypeError):
        VerifiedTask(verified.task, verified.job, verified.inputs, None, None, None, None, object())
