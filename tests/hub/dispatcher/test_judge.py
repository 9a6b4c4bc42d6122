"""What a job does next, as a pure function: every place a Trust can stand in, and every way a round can end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flip_hub.dispatcher.deliveries import DELIVERY, OPEN, Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts, Round, Standing
from flip_hub.dispatcher.judge import Close, Fail, Place, Send, View, Wait, decide, stand_of
from flip_hub.dispatcher.plan import PREPARE
from flip_hub.dispatcher.watch import Limits, Watch
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.images import SeriesImages
from flip_sdk.contract.jobs import ModelRef, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRUSTS = ("aldgate", "brookfield")
MODEL = ModelRef(graph=digest(b"graph"), weights=digest(b"weights"))
OWNERS = {"dispatcher", "trust", "carrier"}


def facts(round_: Round = PREPARE, *, min_trusts: int = 1, **changes: object) -> Facts:
    spec = TrainSpec(
        project_id="cytology",
        features=(Feature(concept_id=1, low=0, high=1),),
        label=Label(condition_concept_ids=(2,)),
        model=MODEL,
        min_trusts=min_trusts,
    )
    job = SignedOffJob(
        job_id="job-1",
        spec=spec,
        project_title="Cytology",
        project_expires_at=NOW + timedelta(days=30),
        trusts=TRUSTS,
        researcher="ada",
        signed_off_by=("rufus",),
        issued_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    return Facts(job=job, token="", state=JobState.EXECUTING, round=round_, **changes)


def view(after: float = 0.0, *, online: tuple[str, ...] = TRUSTS, consent: str = "opted_in", **changes: object) -> View:
    watch = Watch(NOW, online=frozenset(online))
    watch.see(TRUSTS, frozenset(online), NOW)
    standings = {t: Standing(t, t, "", active=True, consent=consent, job_kinds=("train",)) for t in TRUSTS}
    return View(NOW + timedelta(seconds=after), standings, watch, Limits(), **changes)


def delivery(trust: str, state: DeliveryState, attempt: int = 1, step: str = "prepare", number: int = 0) -> Delivery:
    return Delivery(f"{trust}-{attempt}", trust, step, number, attempt, state, NOW, NOW + timedelta(minutes=2))


def test_a_round_begins_by_sending_to_everyone() -> None:
    assert decide(facts(), view())[0] == Send(TRUSTS)


def test_a_round_waits_for_answers_and_closes_when_all_are_there() -> None:
    sent = tuple(delivery(trust, DeliveryState.SENT) for trust in TRUSTS)
    assert decide(facts(deliveries=sent), view())[0] == Wait()
    assert decide(facts(deliveries=sent, answered=frozenset({"aldgate"})), view())[0] == Wait()
    assert decide(facts(deliveries=sent, answered=frozenset(TRUSTS)), view())[0] == Close()


def test_a_round_closes_without_a_trust_whose_patience_is_over() -> None:
    alone = facts(answered=frozenset({"aldgate"}))
    assert decide(alone, view(29, online=("aldgate",)))[0] == Wait()
    assert decide(alone, view(31, online=("aldgate",)))[0] == Close()


@pytest.mark.parametrize(("round_", "seconds"), [(PREPARE, 3660), (Round("train", 1), 180)])
def test_where_images_are_made_first_a_connected_trust_has_longer(round_: Round, seconds: int) -> None:
    plain = facts(round_, prepared=frozenset(TRUSTS))
    spec = plain.spec.model_copy(update={"images": SeriesImages(modality="CT", size=(16, 16))})
    showing = replace(plain, job=plain.job.model_copy(update={"spec": spec}))

    assert stand_of("aldgate", showing, view(seconds - 1)).place is not Place.OUT
    assert stand_of("aldgate", showing, view(seconds)).place is Place.OUT
    assert stand_of("aldgate", plain, view(180)).place is Place.OUT


def test_too_few_fails_at_once_without_waiting_for_the_rest() -> None:
    refused = facts(min_trusts=2, refused={"aldgate": RefusalCode.BUDGET_EXCEEDED})
    decision, _ = decide(refused, view())
    assert isinstance(decision, Fail)
    assert "aldgate" in decision.reason


@pytest.mark.parametrize(
    ("state", "seconds", "place"),
    [
        (DeliveryState.SENT, 5, Place.WAITING),
        (DeliveryState.SENT, 11, Place.DUE),
        (DeliveryState.LOST, 0, Place.WAITING),
        (DeliveryState.LOST, 1, Place.DUE),
        (DeliveryState.PLANNED, 1, Place.DUE),
        (DeliveryState.RETRIED, 1, Place.DUE),
        (DeliveryState.SENT, 500, Place.OUT),
    ],
)
def test_where_a_trust_stands_after_one_attempt(state, seconds, place) -> None:
    assert stand_of("aldgate", facts(deliveries=(delivery("aldgate", state),)), view(seconds)).place is place


def test_attempts_grow_rarer() -> None:
    sent = tuple(delivery("aldgate", DeliveryState.SENT, attempt) for attempt in (1, 2, 3))
    assert stand_of("aldgate", facts(deliveries=sent), view(39)).place is Place.WAITING
    assert stand_of("aldgate", facts(deliveries=sent), view(41)).place is Place.DUE


def test_three_failed_attempts_are_enough() -> None:
    sent = tuple(delivery("aldgate", DeliveryState.DROPPED, attempt) for attempt in (1, 2, 3))
    assert stand_of("aldgate", facts(deliveries=sent), view(60)).place is Place.OUT


@pytest.mark.parametrize("consent", ["paused", "left", "none"])
def test_nobody_is_sent_to_without_consent_however_due(consent) -> None:
    lost = tuple(delivery(trust, DeliveryState.LOST) for trust in TRUSTS)
    decision, stands = decide(facts(deliveries=lost), view(5, consent=consent))
    assert isinstance(decision, Fail)
    assert {stand.place for stand in stands.values()} == {Place.OUT}


def test_a_trust_that_pauses_while_it_works_may_still_answer_but_is_not_asked_again() -> None:
    sent = (delivery("aldgate", DeliveryState.SENT),)
    assert stand_of("aldgate", facts(deliveries=sent), view(5, consent="paused")).place is Place.WAITING
    lost = (delivery("aldgate", DeliveryState.LOST),)
    assert stand_of("aldgate", facts(deliveries=lost), view(5, consent="paused")).place is Place.OUT


def test_a_trust_that_missed_prepare_catches_up_aside() -> None:
    training = facts(Round("train", 1, MODEL.weights), prepared=frozenset({"aldgate"}))
    decision, stands = decide(training, view())
    assert decision == Send(("aldgate",), ("brookfield",))
    assert stands["brookfield"].place is Place.OUT


def test_a_job_ends_with_its_sign_off() -> None:
    assert isinstance(decide(facts(), view(3601))[0], Fail)


def test_a_job_ends_with_its_project() -> None:
    assert isinstance(decide(facts(), view(project_state="suspended"))[0], Fail)


def test_while_the_gateway_is_away_nothing_is_decided_until_that_is_too_long() -> None:
    for seconds, kind in ((599, Wait), (601, Fail)):
        away = view(seconds)
        away.watch.lose_sight(NOW)
        assert isinstance(decide(facts(), away)[0], kind)


def test_every_state_of_a_delivery_has_an_owner_and_is_reached() -> None:
    assert {row.target for row in DELIVERY.transitions} | {DELIVERY.start} == set(DeliveryState)
    assert {row.owner for row in DELIVERY.transitions} <= OWNERS
    assert {row.source for row in DELIVERY.transitions} == OPEN
    assert all(row.event.startswith("task.") for row in DELIVERY.transitions)
