"""Trusts that did not opt in, pause, leave, go offline, come back, refuse, stay silent, or answer too late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flip_hub.database import Routine, TaskRow, Trust
from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode
from sqlalchemy import select


def said(hub, event: str) -> list[tuple[str, str]]:
    return [(row.trust, row.words) for row in hub.events() if row.event == event]


@pytest.mark.parametrize("state", ["paused", "left", "none"])
def test_a_trust_that_has_not_opted_in_gets_no_message_at_all(hub, state) -> None:
    hub.consent("carrick", state)
    hub.submit(hub.train_spec())
    assert hub.run().state == "completed"
    assert {sent.trust for sent in hub.carrier.sent} == {"aldgate", "brookfield", "dunmore"}
    assert hub.trusts["carrick"].tasks == []
    assert [trust for trust, _ in said(hub, "left_out")] == ["carrick"]


def test_a_trust_that_did_not_allow_this_kind_of_job_gets_no_message(hub) -> None:
    hub.consent("carrick", kinds=["count"])
    hub.submit(hub.train_spec())
    hub.run()
    assert hub.trusts["carrick"].tasks == []


def test_a_trust_that_the_job_was_not_signed_off_for_gets_no_message(hub) -> None:
    hub.submit(hub.train_spec(), trusts=("aldgate", "dunmore"))
    hub.run()
    assert {sent.trust for sent in hub.carrier.sent} == {"aldgate", "dunmore"}


def test_a_trust_that_is_no_longer_enrolled_gets_no_message(hub) -> None:
    with hub.database.write(Routine("a test")) as session:
        session.get_one(Trust, "carrick").active = False
    hub.submit(hub.count_spec())
    hub.run()
    assert hub.trusts["carrick"].tasks == []


def test_a_trust_that_pauses_in_the_middle_is_left_out_from_the_next_round_on(hub) -> None:
    hub.submit(hub.train_spec())
    hub.turn_until(lambda: hub.job().round == 1)
    before = len(hub.trusts["carrick"].tasks)
    hub.consent("carrick", "paused")
    assert hub.run(seconds=0.6).state == "completed"
    assert len(hub.trusts["carrick"].tasks) == before
    assert hub.result().history[-1]["trusts"] == 3
    assert ("carrick", "carrick is left out: it paused the project.") in said(hub, "left_out")


def test_a_trust_that_pauses_and_resumes_takes_part_again(hub) -> None:
    hub.consent("carrick", "paused")
    hub.submit(hub.train_spec(rounds=8))
    hub.turn_until(lambda: hub.job().round >= 1)
    hub.consent("carrick")
    assert hub.run(seconds=0.6).state == "completed"
    steps = hub.steps("carrick")
    assert steps[0] == ("prepare", 0)
    assert steps[-1] == ("train", 8)
    assert hub.result().history[-1]["trusts"] == 4


def test_too_few_trusts_fails_the_job_and_names_every_trusts_reason(hub) -> None:
    hub.consent("carrick", "paused")
    hub.trusts["dunmore"].refuse = lambda _: RefusalCode.BUDGET_EXCEEDED
    hub.submit(hub.train_spec(min_trusts=3))
    job = hub.run()
    assert job.state == "failed"
    assert "carrick: it paused the project." in job.reason
    assert f"dunmore: {REFUSAL_WORDS[RefusalCode.BUDGET_EXCEEDED]}" in job.reason
    assert "needs 3 Trusts, 2 could take part" in job.reason


def test_a_round_waits_for_a_trust_that_is_offline_and_says_so(hub) -> None:
    hub.carrier.go_offline("carrick")
    hub.submit(hub.train_spec())
    hub.turn_until(lambda: bool(said(hub, "waiting")))
    assert said(hub, "waiting")[0][0] == "carrick"
    assert hub.job().reason.startswith("Waiting: carrick is offline since")
    hub.carrier.go_online("carrick")
    assert hub.run().state == "completed"
    assert [row["trusts"] for row in hub.result().history] == [4, 4, 4, 4]


def test_a_round_goes_on_without_a_trust_that_stays_offline(hub) -> None:
    hub.carrier.go_offline("carrick")
    hub.submit(hub.train_spec())
    job = hub.run(seconds=1)
    assert job.state == "completed"
    assert [row["trusts"] for row in hub.result().history] == [3, 3, 3, 3]
    assert [trust for trust, _ in said(hub, "left_out")] == ["carrick"]


def test_patience_is_spent_once_and_not_every_round(hub) -> None:
    hub.carrier.go_offline("carrick")
    start = hub.clock.now
    hub.submit(hub.train_spec(rounds=10))
    hub.run(seconds=1)
    assert hub.clock.now - start < 2 * hub.tools.limits.patience


def test_a_trust_that_comes_back_prepares_and_joins_the_next_round(hub) -> None:
    hub.carrier.go_offline("carrick")
    hub.submit(hub.train_spec(rounds=6))
    hub.turn_until(lambda: hub.job().round == 2, seconds=1)
    hub.carrier.go_online("carrick")
    assert hub.run().state == "completed"
    assert hub.steps("carrick")[0] == ("prepare", 0)
    assert hub.steps("carrick")[-1] == ("train", 6)
    assert hub.result().history[-1]["trusts"] == 4


def test_everybody_offline_fails_the_job_after_the_patience(hub) -> None:
    for name in hub.trusts:
        hub.carrier.go_offline(name)
    hub.submit(hub.count_spec())
    job = hub.run(seconds=1)
    assert job.state == "failed"
    assert all(f"{name}: it is offline since" in job.reason for name in hub.trusts)


def test_a_silent_trust_is_asked_again_and_then_left_out(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    assert hub.run(seconds=1).state == "completed"
    first_round = [task for task in hub.trusts["carrick"].tasks if task.step == "prepare"]
    assert len(first_round) > 2
    assert [task.attempt for task in first_round] == list(range(1, len(first_round) + 1))
    assert hub.result().history[-1]["trusts"] == 3


def test_a_lost_message_is_sent_again_and_answered_from_the_outbox(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.trusts["carrick"].silent = False
    hub.carrier.fail(next(s.message_id for s in hub.carrier.sent if s.trust == "carrick"), "lost")
    assert hub.run().state == "completed"
    assert hub.steps("carrick")[:2] == [("prepare", 0), ("prepare", 0)]
    assert len(hub.trusts["carrick"].released) == 4
    assert [row["trusts"] for row in hub.result().history] == [4, 4, 4, 4]


def test_an_answer_after_its_round_has_closed_is_not_used(hub) -> None:
    hub.use(round=timedelta(seconds=5))
    carrick = hub.trusts["carrick"]
    carrick.silent = True
    hub.trusts["aldgate"].silent = False
    hub.submit(hub.train_spec(rounds=4))
    hub.turn_until(lambda: hub.job().round >= 1, seconds=1)
    late = next(s for s in hub.carrier.sent if s.trust == "carrick")
    carrick.silent = False
    hub.carrier.answer(late.message_id, carrick.respond({**late.parts, "task": late.parts["task"]}) or {})
    assert hub.run().state == "completed"
    assert said(hub, "late")


@pytest.mark.parametrize(
    "code",
    [RefusalCode.BUDGET_EXCEEDED, RefusalCode.COHORT_TOO_SMALL, RefusalCode.NOT_OPTED_IN, RefusalCode.MODEL_REFUSED],
)
def test_a_refusal_that_cannot_heal_takes_the_trust_out_of_the_job(hub, code) -> None:
    hub.trusts["carrick"].refuse = lambda _: code
    hub.submit(hub.train_spec())
    assert hub.run().state == "completed"
    assert len(hub.trusts["carrick"].tasks) == 1
    assert [(r.trust, r.code) for r in hub.result().refusals] == [("carrick", code)]
    assert said(hub, "refused") == [("carrick", f"carrick refused: {REFUSAL_WORDS[code]}")]


def test_a_trust_that_lost_the_graph_gets_it_again(hub) -> None:
    hub.submit(hub.train_spec())
    hub.turn_until(lambda: hub.job().round == 1)
    hub.trusts["carrick"].restart()
    assert hub.run().state == "completed"
    assert [task.graph is not None for task in hub.trusts["carrick"].tasks if task.attempt == 2] == [True]
    assert hub.result().history[-1]["trusts"] == 4
    assert hub.result().refusals == ()


def test_an_engine_that_fails_once_is_asked_again(hub) -> None:
    failures = iter([RefusalCode.ENGINE_FAILED])
    hub.trusts["carrick"].refuse = lambda _: next(failures, None)
    hub.submit(hub.train_spec())
    assert hub.run().state == "completed"
    assert hub.result().refusals == ()


def test_an_engine_that_always_fails_takes_its_trust_out(hub) -> None:
    hub.trusts["carrick"].refuse = lambda _: RefusalCode.ENGINE_FAILED
    hub.submit(hub.train_spec())
    assert hub.run().state == "completed"
    assert len(hub.trusts["carrick"].tasks) == hub.tools.limits.retries
    assert [r.code for r in hub.result().refusals] == [RefusalCode.ENGINE_FAILED]


def test_an_answer_that_is_tampered_with_is_dropped_and_the_trust_left_out(hub) -> None:
    hub.trusts["carrick"].tamper = lambda parts: parts | {"tensors": parts["tensors"][:-1] + b"\x7f"}
    hub.submit(hub.train_spec())
    assert hub.run().state == "completed"
    assert hub.result().history[-1]["trusts"] == 3
    with hub.database.read() as session:
        states = list(session.scalars(select(TaskRow.state).where(TaskRow.trust == "carrick")))
    assert states == ["dropped"] * hub.tools.limits.retries


def test_the_gateway_goes_away_and_comes_back_empty(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.carrier.unavailable = True
    hub.turn(5)
    hub.turn(5)
    hub.trusts["carrick"].silent = False
    hub.carrier.unavailable = False
    hub.carrier.restart()
    assert hub.run().state == "completed"
    assert hub.result().history[0]["trusts"] == 4


def test_a_gateway_that_stays_away_ends_the_job_with_a_reason(hub) -> None:
    hub.carrier.unavailable = True
    hub.submit(hub.train_spec())
    job = hub.run(seconds=5)
    assert job.state == "failed"
    assert "gateway" in job.reason


def test_an_expired_sign_off_ends_the_job(hub) -> None:
    hub.carrier.unavailable = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.clock.pass_(25 * 3600)
    assert "expired" in hub.run().reason
