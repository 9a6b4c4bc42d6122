"""What a job with noise shares does next, as a pure function: asks, waits, tries again, closes or gives up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts, Round, Standing, Sum
from flip_hub.dispatcher.judge import Again, Close, Fail, Place, Send, View, Wait, decide, stand_of
from flip_hub.dispatcher.plan import KEYS, PREPARE, carries_graph, plan, task_of
from flip_hub.dispatcher.summing import (
    dropped,
    first_sum,
    next_try,
    persons_of_all,
    share_of,
    spare,
    sum_of,
    total_of,
    with_sum,
)
from flip_hub.dispatcher.watch import Limits, Watch
from flip_sdk.contract.jobs import DistributedNoise, Privacy, TrainSpec
from flip_sdk.contract.prepare import weight_of_count
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob, inputs_digest
from flip_sdk.errors import SecureSumError
from flip_sdk.secure_sum.layout import layout_of
from flip_sdk.secure_sum.vector import flatten

from tests.hub.dispatcher.test_judge import MODEL, NOW
from tests.hub.dispatcher.test_judge import facts as local_facts

FOUR = ("aldgate", "brookfield", "carrick", "dunmore")
ROSTER = digest(b"roster")
TRAIN = Round("train", 3, MODEL.weights, sum=Sum("train", 3, 1, ROSTER, FOUR))
PARAMETERS = {"b": (1,), "w": (2,)}


def spec_with(model: DistributedNoise, min_trusts: int = 1) -> TrainSpec:
    spec = local_facts().spec
    assert isinstance(spec, TrainSpec)
    return spec.model_copy(update={"privacy": Privacy(trust_model=model), "min_trusts": min_trusts})


def facts(round_: Round = TRAIN, *, model: DistributedNoise | None = None, **changes: object) -> Facts:
    job = SignedOffJob(
        job_id="job-1",
        spec=spec_with(model or DistributedNoise()),
        project_title="Cytology",
        project_expires_at=NOW + timedelta(days=30),
        trusts=FOUR,
        researcher="ada",
        signed_off_by=("rufus",),
        issued_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    sums = (first_sum(ROSTER, FOUR),) if round_.sum else ()
    given = {"sums": sums} | changes
    return Facts(job=job, token="", state=JobState.EXECUTING, round=round_, **given)


def view(after: float = 0.0, *, away: tuple[str, ...] = (), paused: tuple[str, ...] = ()) -> View:
    online = frozenset(FOUR) - frozenset(away)
    watch = Watch(NOW, online=online)
    watch.see(FOUR, online, NOW)
    standings = {
        trust: Standing(
            trust,
            trust,
            "",
            active=True,
            consent="paused" if trust in paused else "opted_in",
            job_kinds=("train",),
            trust_models=("local", "distributed"),
        )
        for trust in FOUR
    }
    return View(NOW + timedelta(seconds=after), standings, watch, Limits())


def asked(*trusts: str, state: DeliveryState = DeliveryState.SENT, at: Round = TRAIN) -> tuple[Delivery, ...]:
    step, number, sum_attempt = at.place
    return tuple(
        Delivery(f"task-{t}", t, step, number, 1, state, NOW, NOW + timedelta(minutes=2), sum_attempt=sum_attempt)
        for t in trusts
    )


# ---- keys


def test_keys_are_asked_of_everybody_without_model_or_sum() -> None:
    start = facts(KEYS)
    assert decide(start, view())[0] == Send(FOUR)
    (one, *_) = plan(start, KEYS, {"aldgate": "task-1"}, NOW, timedelta(minutes=1))
    task = task_of(start, one, NOW)
    assert (task.step, task.graph, task.roster, task.summed, task.sum_attempt) == ("keys", None, None, (), 0)


def test_keys_close_without_one_of_four_but_not_without_two() -> None:
    three = facts(KEYS, answered=frozenset(FOUR[:3]), refused={"dunmore": RefusalCode.PEER_NOT_CONFIRMED})
    assert decide(three, view())[0] == Close()
    two = facts(KEYS, refused=dict.fromkeys(FOUR[2:], RefusalCode.PEER_NOT_CONFIRMED))
    decision, _ = decide(two, view())
    assert isinstance(decision, Fail)
    assert "needs 3 Trusts, 2 could take part" in decision.reason


@pytest.mark.parametrize(
    ("model", "keys", "train"),
    [
        (DistributedNoise(), 3, 3),
        (DistributedNoise(min_honest=2), 3, 2),
        (DistributedNoise(min_honest=4), 4, 4),
    ],
)
def test_how_many_are_needed(model, keys, train) -> None:
    assert facts(KEYS, model=model).min_trusts == keys
    assert facts(model=model).min_trusts == train


def test_the_graph_goes_with_prepare_although_the_key_was_answered_before() -> None:
    prepare = replace(PREPARE, sum=first_sum(ROSTER, FOUR))
    (one,) = plan(facts(prepare), prepare, {"aldgate": "task-1"}, NOW, timedelta(minutes=1))
    assert carries_graph(facts(prepare), one)


# ---- a sum


def test_a_sum_is_asked_of_all_its_trusts_at_once() -> None:
    assert decide(facts(), view())[0] == Send(FOUR)


def test_nobody_is_asked_while_one_is_away() -> None:
    assert decide(facts(), view(5, away=("carrick",)))[0] == Wait()


def test_once_begun_the_rest_is_asked_again_although_one_is_away() -> None:
    lost = asked("aldgate", "brookfield", "carrick", "dunmore", state=DeliveryState.LOST)
    assert decide(facts(deliveries=lost), view(5, away=("carrick",)))[0] == Send(("aldgate", "brookfield", "dunmore"))


def test_a_sum_closes_when_all_have_answered_and_never_without_one() -> None:
    assert decide(facts(deliveries=asked(*FOUR), answered=frozenset(FOUR)), view())[0] == Close()
    three = facts(deliveries=asked(*FOUR), answered=frozenset(FOUR) - {"carrick"})
    assert decide(three, view())[0] == Wait()
    assert decide(three, view(31, away=("carrick",)))[0] == Again(("aldgate", "brookfield", "dunmore"))


def test_one_that_is_still_at_work_is_waited_for_before_another_try() -> None:
    known = facts(deliveries=asked(*FOUR), answered=frozenset(FOUR[:2]), refused={"carrick": RefusalCode.REPLAYED})
    assert decide(known, view())[0] == Wait()
    late = replace(known, answered=known.answered | {"dunmore"})
    assert decide(late, view())[0] == Again(("aldgate", "brookfield", "dunmore"))


def test_below_the_honest_ones_the_job_ends_at_once() -> None:
    gone = facts(deliveries=asked(*FOUR), answered=frozenset(FOUR[:2]))
    decision, _ = decide(gone, view(31, away=("carrick", "dunmore")))
    assert isinstance(decision, Fail)
    assert "Round 3 needs 3 Trusts, 2 could take part" in decision.reason
    fewer = facts(model=DistributedNoise(min_honest=2), deliveries=asked(*FOUR), answered=frozenset(FOUR[:2]))
    assert decide(fewer, view(31, away=("carrick", "dunmore")))[0] == Again(FOUR[:2])


def test_a_trust_that_is_in_no_sum_any_more_stays_out_though_it_is_there() -> None:
    three = replace(TRAIN, sum=Sum("train", 3, 2, ROSTER, ("aldgate", "brookfield", "dunmore")))
    decision, stands = decide(facts(three), view())
    assert decision == Send(("aldgate", "brookfield", "dunmore"))
    assert stands["carrick"].place is Place.OUT
    assert stands["carrick"].words == "", "it was said when it dropped out"


def test_answers_of_an_earlier_try_do_not_count() -> None:
    again = replace(TRAIN, sum=Sum("train", 3, 2, ROSTER, FOUR[:3]))
    assert stand_of("aldgate", facts(again, deliveries=asked(*FOUR)), view()).place is Place.DUE


def test_a_paused_trust_costs_no_try_where_nobody_was_asked() -> None:
    known = facts(model=DistributedNoise(spare_rounds=0))
    assert decide(known, view(paused=("carrick",)))[0] == Again(("aldgate", "brookfield", "dunmore"))
    assert next_try(known, ("aldgate", "brookfield", "dunmore")).attempt == 1


# ---- tries


def test_tries_are_counted_over_all_rounds_of_a_step() -> None:
    begun = {"deliveries": asked(*FOUR)}
    once = (first_sum(ROSTER, FOUR), Sum("train", 1, 2, ROSTER, FOUR[:3]))
    assert spare(facts(model=DistributedNoise(spare_rounds=1), **begun))
    assert not spare(facts(model=DistributedNoise(spare_rounds=1), sums=once, **begun))
    assert spare(facts(model=DistributedNoise(spare_rounds=2), sums=once, **begun))
    assert not spare(facts(model=DistributedNoise(spare_rounds=0), **begun))


def test_prepare_may_be_tried_twice_however_many_are_spare() -> None:
    prepare = replace(PREPARE, sum=first_sum(ROSTER, FOUR))
    begun = facts(prepare, deliveries=asked(*FOUR, at=prepare))
    assert spare(begun)
    again = replace(prepare, sum=next_try(begun, FOUR[:3]))
    twice = facts(
        again,
        sums=with_sum(begun.sums, Sum("prepare", 0, 2, ROSTER, FOUR[:3])),
        deliveries=asked(*FOUR[:3], at=again),
    )
    assert not spare(twice)


def test_another_try_has_other_inputs_and_the_same_try_the_same() -> None:
    first = facts()
    (one,) = plan(first, TRAIN, {"aldgate": "task-1"}, NOW, timedelta(minutes=1))
    once_more = facts(deliveries=(one,))
    (two,) = plan(once_more, TRAIN, {"aldgate": "task-2"}, NOW, timedelta(minutes=1))
    again = replace(TRAIN, sum=next_try(once_more, FOUR[:3]))
    (three,) = plan(facts(again), again, {"aldgate": "task-3"}, NOW, timedelta(minutes=1))
    inputs = [
        inputs_digest(task_of(known, delivery, NOW))
        for known, delivery in ((first, one), (once_more, two), (facts(again), three))
    ]
    assert inputs[0] == inputs[1] != inputs[2]
    assert (two.attempt, three.attempt, three.sum_attempt) == (2, 1, 2)


def test_a_round_goes_on_over_those_of_the_last_sum() -> None:
    assert sum_of((), "train", 1) is None
    sums = (first_sum(ROSTER, FOUR), Sum("train", 2, 2, ROSTER, FOUR[:3]))
    assert sum_of(sums, "train", 2) == sums[1]
    assert sum_of(sums, "train", 3) == Sum("train", 3, 1, ROSTER, FOUR[:3])


def test_the_same_try_is_on_record_once() -> None:
    sums = (first_sum(ROSTER, FOUR),)
    assert with_sum(sums, Sum("prepare", 0, 1, ROSTER, FOUR[:3])) == (Sum("prepare", 0, 1, ROSTER, FOUR[:3]),)


def test_who_dropped_out_has_still_to_hear_of_the_end() -> None:
    three = replace(TRAIN, sum=Sum("train", 3, 2, ROSTER, FOUR[:3]))
    assert dropped(facts(three, asked=frozenset(FOUR))) == {"dunmore"}
    assert dropped(local_facts()) == frozenset()


# ---- what a sum says


def test_a_sum_is_decoded_as_one_release_of_all() -> None:
    spec = spec_with(DistributedNoise())
    round_ = replace(PREPARE, sum=first_sum(ROSTER, FOUR))
    layout = layout_of(spec, "prepare", PARAMETERS)
    parts = [{name: np.full(shape, 10.0 * k) for name, shape in layout.shapes.items()} for k in range(1, len(FOUR) + 1)]
    masked = {
        trust: layout.encoding.encode(flatten(part, layout.shapes)).view(np.uint64)
        for trust, part in zip(FOUR, parts, strict=True)
    }
    total = total_of(masked, spec, round_, PARAMETERS, len(FOUR))
    assert total.tensors["persons"][0] == pytest.approx(100.0 / weight_of_count(spec), abs=1e-2)
    assert total.tensors["sum"].tolist() == pytest.approx([100.0] * len(spec.features), abs=1e-2)
    assert total.noise_multiplier == pytest.approx(2 * share_of(spec, "prepare", 4))


def test_vectors_of_different_lengths_make_no_sum() -> None:
    spec = spec_with(DistributedNoise())
    with pytest.raises(SecureSumError):
        total_of({"a": np.zeros(3, np.uint64), "b": np.zeros(4, np.uint64)}, spec, TRAIN, PARAMETERS, 4)


def test_persons_are_known_of_all_together() -> None:
    assert persons_of_all(({"round": 0.0, "persons": 300.5}, {"round": 1.0})) == {"all": 300.5}
    assert persons_of_all(()) == {}
