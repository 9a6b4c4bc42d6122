"""Jobs with noise shares from end to end: Trusts mask for real, drop out, refuse, come back and lose answers."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from flip_hub.audit import verify
from flip_hub.database import ModelVersion, ReceivedUpdate, SharedSum
from flip_hub.dispatcher.summing import share_of
from flip_sdk.contract.jobs import DistributedNoise, FullBatch, Privacy
from flip_sdk.contract.prepare import weight_of_count
from flip_sdk.contract.tasks import RefusalCode, Task
from flip_sdk.secure_sum.layout import layout_of
from flip_sdk.secure_sum.vector import unflatten
from safetensors.numpy import load
from sqlalchemy import select

ROUNDS = 3
MECHANISM = FullBatch(max_grad_norm=0.1, learning_rate=10.0)
PARAMETERS = {"weight": (1, 2), "bias": (1,)}


def shared_spec(hub, *, rounds: int = ROUNDS, spare_rounds: int = 2, min_honest: int | None = None, **changes: object):
    model = DistributedNoise(min_honest=min_honest, spare_rounds=spare_rounds)
    privacy = Privacy(mechanism=MECHANISM, trust_model=model)
    return hub.train_spec(privacy=privacy, rounds=rounds, **changes)


def tries(hub, trust: str) -> list[tuple[str, int, int]]:
    return [(task.step, task.round, task.sum_attempt) for task in hub.trusts[trust].tasks]


def goes_away(hub, trust: str, number: int) -> None:
    """The Trust gets the task of this round and is not seen again."""

    def leave(task: Task) -> None:
        if task.round == number:
            hub.trusts[trust].silent = True
            hub.carrier.go_offline(trust)

    hub.trusts[trust].refuse = leave


def comes_back(hub, trust: str) -> None:
    hub.trusts[trust].refuse = lambda _: None
    hub.trusts[trust].silent = False
    hub.carrier.go_online(trust)


def assert_no_trust_was_asked_for_anything_twice(hub) -> None:
    for trust in hub.trusts.values():
        asked: dict[tuple[str, str, int, int], set[tuple[str, ...]]] = {}
        for task in trust.tasks:
            if task.summed:
                asked.setdefault((task.job_id, task.step, task.round, task.sum_attempt), set()).add(task.summed)
        assert all(len(over) == 1 for over in asked.values())


def test_a_job_with_noise_shares_completes_and_its_model_is_the_sum(hub) -> None:
    spec = shared_spec(hub)
    hub.submit(spec)
    assert hub.run().state == "completed"

    everybody = list(hub.trusts.values())
    for trust in everybody:
        assert tries(hub, trust.name) == [
            ("keys", 0, 0), ("prepare", 0, 1), *(("train", number, 1) for number in range(1, ROUNDS + 1))
        ]  # fmt: skip
    first = {name: value.astype(np.float64) for name, value in load(hub.blobs.get(spec.model.weights)).items()}
    persons = hub.result().history[0]["persons"]
    layout = layout_of(spec, "train", PARAMETERS)
    total = sum(trust.shares.shared["job-1", "train", 1, 1] for trust in everybody)
    gradient = unflatten(layout.encoding.decode(total), layout.shapes)
    scale = MECHANISM.learning_rate / (persons * MECHANISM.max_grad_norm)
    weights = load(weights_of_round(hub, 2))
    for name, value in gradient.items():
        assert weights[name] == pytest.approx((first[name] - scale * value).astype(np.float32))


def weights_of_round(hub, number: int) -> bytes:
    sent = next(s for s in hub.carrier.sent if task_in(s.parts).round == number)
    return sent.parts["weights"]


def task_in(parts) -> Task:
    payload = parts["task"].split(b".")[1]
    return Task.parse(_unpadded(payload))


def _unpadded(payload: bytes) -> bytes:
    return base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


def test_prepare_counts_all_persons_together_and_no_trust_alone(hub) -> None:
    spec = shared_spec(hub)
    hub.submit(spec)
    hub.run()
    layout = layout_of(spec, "prepare", PARAMETERS)
    total = sum(trust.shares.shared["job-1", "prepare", 0, 1] for trust in hub.trusts.values())
    exact = unflatten(layout.encoding.decode(total), layout.shapes)["persons"][0]
    row = hub.result().history[0]
    assert row["persons"] == pytest.approx(exact / weight_of_count(spec))
    assert row["trusts"] == 4


def test_the_hub_keeps_nothing_of_one_trust_but_keys_and_masked_vectors(hub) -> None:
    hub.submit(shared_spec(hub))
    hub.run()
    with hub.database.read() as session:
        rows = list(session.scalars(select(ReceivedUpdate)))
    assert {row.step for row in rows} == {"keys", "prepare", "train"}
    for row in rows:
        if row.step == "keys":
            assert row.tensors is None
            continue
        ((name, vector),) = load(hub.blobs.get(row.tensors)).items()
        put_in = hub.trusts[row.trust].shares.shared["job-1", row.step, row.round, row.sum_attempt]
        assert name == "masked"
        assert vector.dtype == np.uint64
        assert not np.any(vector.view(np.int64) == put_in)


def test_the_roster_travels_with_every_task_but_the_first_and_the_graph_once(hub) -> None:
    hub.submit(shared_spec(hub))
    hub.run()
    sent = [(task_in(s.parts), s.parts) for s in hub.carrier.sent if s.trust == "carrick"]
    assert [("roster" in parts, "graph" in parts) for _, parts in sent] == [
        (False, False), (True, True), (True, False), (True, False), (True, False)
    ]  # fmt: skip
    assert len({parts["roster"] for _, parts in sent[1:]}) == 1
    assert len(json.loads(sent[1][1]["roster"])) == 4


def test_a_trust_that_goes_away_costs_one_try_of_one_round(hub) -> None:
    goes_away(hub, "carrick", 2)
    hub.submit(shared_spec(hub))
    assert hub.run(seconds=5).state == "completed"
    others = [trust for trust in hub.trusts if trust != "carrick"]
    for trust in others:
        assert tries(hub, trust)[2:] == [("train", 1, 1), ("train", 2, 1), ("train", 2, 2), ("train", 3, 1)]
    again = [task for task in hub.trusts["aldgate"].tasks if (task.round, task.sum_attempt) in {(2, 2), (3, 1)}]
    assert [task.summed for task in again] == [tuple(others)] * 2
    assert [row["trusts"] for row in hub.result().history] == [4, 4, 3, 3]
    assert [row.event for row in hub.events()].count("again") == 1
    assert_no_trust_was_asked_for_anything_twice(hub)
    with hub.database.read() as session:
        verify(session)


def test_a_trust_that_comes_back_within_its_patience_costs_nothing(hub) -> None:
    goes_away(hub, "carrick", 2)
    hub.submit(shared_spec(hub))
    for _ in range(20):
        hub.turn(1.0)
    comes_back(hub, "carrick")
    assert hub.run(seconds=5).state == "completed"
    assert {attempt for _, _, attempt in tries(hub, "aldgate")} == {0, 1}
    assert hub.result().history[-1]["trusts"] == 4


def test_a_trust_that_comes_back_after_it_was_left_out_stays_out_of_the_job(hub) -> None:
    goes_away(hub, "carrick", 2)
    hub.submit(shared_spec(hub, rounds=6))
    hub.turn_until(lambda: hub.job().round == 3, seconds=2)
    comes_back(hub, "carrick")
    assert hub.run(seconds=5).state == "completed"
    assert hub.result().history[-1]["trusts"] == 3
    assert tries(hub, "carrick")[-1] == ("cancel", 0, 0), "it hears that the job is over"
    assert ("train", 6) not in hub.steps("carrick")


def test_a_lost_answer_is_asked_for_again_in_the_same_try(hub) -> None:
    hub.submit(shared_spec(hub))
    hub.turn_until(lambda: hub.job().round == 1)
    hub.carrier.restart()
    assert hub.run(seconds=5).state == "completed"
    for trust in hub.trusts:
        assert {attempt for step, _, attempt in tries(hub, trust) if step == "train"} == {1}
    assert [row["trusts"] for row in hub.result().history] == [4] * (ROUNDS + 1)


def test_a_trust_that_refuses_in_prepare_is_left_out_and_prepare_is_summed_again(hub) -> None:
    hub.trusts["carrick"].refuse = lambda task: RefusalCode.COHORT_TOO_SMALL if task.step == "prepare" else None
    hub.submit(shared_spec(hub))
    assert hub.run(seconds=5).state == "completed"
    assert tries(hub, "aldgate")[:4] == [("keys", 0, 0), ("prepare", 0, 1), ("prepare", 0, 2), ("train", 1, 1)]
    assert [(r.trust, r.code) for r in hub.result().refusals] == [("carrick", RefusalCode.COHORT_TOO_SMALL)]
    assert hub.result().history[0]["trusts"] == 3


def test_without_a_spare_round_a_trust_that_goes_away_ends_the_job(hub) -> None:
    goes_away(hub, "carrick", 2)
    hub.submit(shared_spec(hub, spare_rounds=0))
    job = hub.run(seconds=5)
    assert job.state == "failed"
    assert "Round 2 broke off" in job.reason
    assert "carrick" in job.reason
    assert "spare_rounds" in job.reason


def test_fewer_than_the_honest_ones_end_the_job_with_every_reason(hub) -> None:
    goes_away(hub, "carrick", 2)
    goes_away(hub, "dunmore", 3)
    hub.submit(shared_spec(hub))
    job = hub.run(seconds=5)
    assert job.state == "failed"
    assert "needs 3 Trusts, 2 could take part" in job.reason
    assert "carrick: it dropped out of an earlier sum." in job.reason
    assert "dunmore: it is offline since" in job.reason


def test_two_that_go_away_together_cost_one_try(hub) -> None:
    goes_away(hub, "carrick", 2)
    goes_away(hub, "dunmore", 2)
    hub.submit(shared_spec(hub, min_honest=2, spare_rounds=1))
    assert hub.run(seconds=5).state == "completed"
    assert hub.result().history[-1]["trusts"] == 2


def test_a_trust_that_pauses_before_anybody_was_asked_costs_no_try(hub) -> None:
    hub.trusts["carrick"].tamper = lambda parts: hub.consent("carrick", "paused") or parts
    hub.submit(shared_spec(hub, spare_rounds=0))
    assert hub.run(seconds=0.6).state == "completed"
    assert hub.steps("carrick") == [("keys", 0)]
    assert tries(hub, "aldgate")[:2] == [("keys", 0, 0), ("prepare", 0, 1)]
    assert hub.trusts["aldgate"].tasks[1].summed == ("aldgate", "brookfield", "dunmore")


def test_a_trust_without_consent_to_noise_shares_is_never_asked(hub) -> None:
    hub.consent("carrick", models=["local"])
    hub.submit(shared_spec(hub))
    assert hub.run(seconds=5).state == "completed"
    assert hub.trusts["carrick"].tasks == []
    assert hub.result().history[-1]["trusts"] == 3


def test_the_result_says_on_whom_the_guarantee_depends(hub) -> None:
    hub.submit(shared_spec(hub))
    hub.run()
    result = hub.result()
    assert (result.trust_model, result.min_honest) == ("distributed", 3)
    assert result.epsilon_alone > result.epsilon == 3.0
    assert result.provenance["mechanism"] == "full_batch, noise shared among 4 Trusts, 3 of them honest"
    assert result.provenance["roster"].startswith("sha256:")
    with hub.database.read() as session:
        lineage = session.scalars(select(ModelVersion)).one().lineage
    assert (lineage["trust_model"], lineage["min_honest"]) == ("distributed", 3)
    assert "prepare/0/aldgate" in lineage["updates"]


def test_two_keys_are_too_few(hub) -> None:
    hub.consent("carrick", "paused")
    hub.consent("dunmore", "paused")
    hub.submit(shared_spec(hub, min_honest=2))
    job = hub.run(seconds=5)
    assert job.state == "failed"
    assert "The step keys needs 3 Trusts, 2 could take part" in job.reason


def test_a_trust_that_does_not_know_its_peer_refuses_and_is_left_out(hub) -> None:
    hub.trusts["carrick"].refuse = lambda task: RefusalCode.PEER_NOT_CONFIRMED if task.summed else None
    hub.submit(shared_spec(hub))
    assert hub.run(seconds=5).state == "completed"
    assert hub.result().history[-1]["trusts"] == 3


def test_the_sums_are_on_record_once_for_each_change(hub) -> None:
    goes_away(hub, "carrick", 2)
    hub.submit(shared_spec(hub))
    hub.run(seconds=5)
    with hub.database.read() as session:
        rows = [(r.step, r.round, r.attempt, len(r.trusts)) for r in session.scalars(select(SharedSum))]
    assert rows == [("prepare", 0, 1, 4), ("train", 2, 2, 3)]


def test_the_share_of_the_noise_is_the_one_that_every_trust_debits(hub) -> None:
    spec = shared_spec(hub)
    assert share_of(spec, "train", 4) < share_of(spec, "train", 3)
