"""Rounds with noise shares: which Trusts are summed, when a sum is tried again, and what it says once it is whole.

A sum means nothing before every one of its Trusts has answered. A Trust that drops out therefore spoils it: the round
is tried again over those that are left, with fresh noise, as often as the job paid for beforehand. Whoever dropped out
stays out of the job. All of it is a pure function of what is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from flip_sdk.accounting.calibrate import event_for
from flip_sdk.accounting.events import SharedGaussian
from flip_sdk.contract import prepare
from flip_sdk.contract.jobs import DistributedNoise, TrainSpec
from flip_sdk.contract.tasks import Step
from flip_sdk.mechanisms.aggregate import Prepared
from flip_sdk.secure_sum.layout import layout_of
from flip_sdk.secure_sum.masking import Ring, add_up
from flip_sdk.secure_sum.vector import Shapes, unflatten

from flip_hub.dispatcher.facts import Facts, Round, Sum

ALL = "all"
"""The one name under which a sum is aggregated: nothing is known of a single Trust."""


def first_sum(roster: str, trusts: Iterable[str]) -> Sum:
    """What follows on the exchange of keys: the first try at ``prepare``, over everybody whose key is there."""
    return Sum("prepare", 0, 1, roster, tuple(sorted(trusts)))


def sum_of(sums: tuple[Sum, ...], step: Step, number: int) -> Sum | None:
    """The sum that a round is at: the last one recorded, or a first try over the same Trusts as before.

    Args:
        sums: those recorded, oldest first; none before the keys are there, or where noise is not shared.
        step: the round's.
        number: the round's.
    """
    if not sums:
        return None
    last = sums[-1]
    if (last.step, last.number) == (step, number):
        return last
    return Sum(step, number, 1, last.roster, last.trusts)


def next_try(facts: Facts, trusts: Iterable[str]) -> Sum:
    """The current round's sum once more, over these. A try that nobody was asked for yet is not used up."""
    here = facts.round.sum
    assert here is not None
    begun = any(delivery.place == facts.round.place for delivery in facts.deliveries)
    return Sum(here.step, here.number, here.attempt + int(begun), here.roster, tuple(sorted(trusts)))


def dropped(facts: Facts) -> frozenset[str]:
    """Trusts that once gave their key and are in no sum any more: they have still to hear that the job is over."""
    return facts.asked - set(facts.round.sum.trusts) if facts.round.sum else frozenset()


def spare(facts: Facts) -> bool:
    """Whether the current step may be tried once more, as far as the job paid for it."""
    model, here = facts.sharing, facts.round.sum
    if model is None or here is None:
        return False
    begun = any(delivery.place == facts.round.place for delivery in facts.deliveries)
    return not begun or _repeated(facts.sums, here.step) < _paid(model, here.step)


def persons_of_all(history: tuple[dict[str, float], ...]) -> dict[str, float]:
    """Noisy persons of all Trusts together, out of the row of ``prepare``."""
    return {ALL: history[0]["persons"]} if history else {}


def with_sum(sums: tuple[Sum, ...], new: Sum) -> tuple[Sum, ...]:
    """Recorded sums with one more; the same try of the same round gives way."""
    return (*(old for old in sums if _key(old) != _key(new)), new)


def total_of(masked: Mapping[str, Ring], spec: TrainSpec, round_: Round, parameters: Shapes, trusts: int) -> Prepared:
    """What the Trusts of a sum say together.

    Args:
        masked: what each of them sent.
        spec: the job.
        round_: the round.
        parameters: names and shapes of the model's parameters.
        trusts: how many Trusts the job was signed off for, which sets each one's share of the noise.

    Raises:
        SecureSumError: the vectors do not fit together.
    """
    layout = layout_of(spec, round_.step, parameters)
    vector = layout.encoding.decode(add_up([masked[trust] for trust in sorted(masked)]))
    tensors = unflatten(vector, layout.shapes)
    if round_.step == "prepare":
        tensors["persons"] = tensors["persons"] / prepare.weight_of_count(spec)
    return Prepared(tensors, share_of(spec, round_.step, trusts) * math.sqrt(len(masked)))


def share_of(spec: TrainSpec, step: str, trusts: int) -> float:
    """Noise multiplier of one Trust's share."""
    event = event_for(spec, step, trusts)
    assert isinstance(event, SharedGaussian)
    return event.noise_multiplier


def _repeated(sums: tuple[Sum, ...], step: Step) -> int:
    last: dict[int, int] = {}
    for one in sums:
        if one.step == step:
            last[one.number] = max(one.attempt, last.get(one.number, 1))
    return sum(attempt - 1 for attempt in last.values())


def _paid(model: DistributedNoise, step: Step) -> int:
    return min(1, model.spare_rounds) if step == "prepare" else model.spare_rounds


def _key(one: Sum) -> tuple[str, int, int]:
    return one.step, one.number, one.attempt
