"""Closing a round: from its accepted updates to the change that ends it, with the checkpoint or the result inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, Scaling, StatisticsSpec, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import JobState
from flip_sdk.contract.statistics import rounds_of
from flip_sdk.mechanisms.aggregate import trained_weights
from flip_sdk.secure_sum.roster import build_roster

from flip_hub.database import Entry
from flip_hub.dispatcher import arithmetic, events, statistics
from flip_hub.dispatcher.accept import Answer
from flip_hub.dispatcher.arithmetic import Progress
from flip_hub.dispatcher.changes import Change, NewCheckpoint, NewModel, Step, entry
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts
from flip_hub.dispatcher.recover import Recovered
from flip_hub.dispatcher.results import Released, answered, counted, evaluated, lineage, trained
from flip_hub.dispatcher.summing import ALL, first_sum, total_of
from flip_hub.models import BlobStore


@dataclass(frozen=True)
class Closed:
    """What closing a round leads to.

    Attributes:
        change: to be committed; blobs that it names are in the store already.
        progress: what the next round starts from; None when the job is done (or never had one).
        roster: with noise shares, the keys that all sums from now on are made with, once they are collected.
    """

    change: Change
    progress: Progress | None = None
    roster: bytes = b""

    def onward(self, held: Recovered) -> Recovered | None:
        """The job, with the change applied, at the beginning of what follows; None when it is done."""
        if self.progress is not None:
            return held.next_round(self.progress)
        return held.summing(self.roster) if self.roster else None


def close(held: Recovered, released: Callable[[], Released], seconds: float, blobs: BlobStore) -> Closed:
    """Aggregate what was answered.

    Args:
        held: the job with the current round's updates.
        released: tells what the job has released until now, for its result.
        seconds: how long the round took.
        blobs: where new states and models are put before the change names them.
    """
    spec = held.facts.spec
    match spec:
        case CountSpec():
            return Closed(_completed(held, counted(held, released()), "The count is done."))
        case EvaluateSpec():
            return Closed(_completed(held, evaluated(held, released()), "The evaluation is done."))
        case StatisticsSpec() if statistics.is_last(spec, held.facts.round.number):
            found = statistics.answer(spec, held.progress, held.facts.round.number, held.updates)
            return Closed(_completed(held, answered(held, released(), found), "The answer is done."))
        case StatisticsSpec():
            return _close_step(held, spec, seconds, blobs)
        case TrainSpec() if held.facts.round.step == "keys":
            return _close_keys(held, blobs)
        case TrainSpec():
            return _close_training(held, spec, released, seconds, blobs)


def _close_keys(held: Recovered, blobs: BlobStore) -> Closed:
    roster = build_roster({trust: key.token for trust, key in held.keys.items()})
    first = first_sum(blobs.put(roster), held.keys)
    change = Change(
        entries=(_closed_entry(held.facts, held.keys),),
        deliveries=superseded(held.facts),
        events=(events.keys_exchanged(first.trusts),),
        sum=first,
        waits_for="",
    )
    return Closed(change, roster=roster)


def _close_step(held: Recovered, spec: StatisticsSpec, seconds: float, blobs: BlobStore) -> Closed:
    number = held.facts.round.number
    state = statistics.advance(spec, held.progress, number, held.updates)
    row = {"round": float(number), "seconds": round(seconds, 4), "trusts": float(len(held.updates))}
    history = (*(held.progress.history if held.progress else ()), row)
    change = Change(
        entries=(_closed_entry(held.facts, held.updates),),
        deliveries=superseded(held.facts),
        events=(events.round_closed("statistics", number, rounds_of(spec.question), row),),
        checkpoint=NewCheckpoint(number, blobs.put(state), None, history),
        waits_for="",
    )
    return Closed(change, Progress(number, state, None, history))


def _close_training(
    held: Recovered, spec: TrainSpec, released: Callable[[], Released], seconds: float, blobs: BlobStore
) -> Closed:
    number = held.facts.round.number
    state, scaling, numbers = _aggregate(held, spec, blobs)
    row = {"round": float(number), "seconds": round(seconds, 4), "trusts": float(len(held.updates)), **numbers}
    history = (*(held.progress.history if held.progress else ()), row)
    progress = Progress(number, state, scaling, history)
    happening = events.round_closed(held.facts.round.step, number, spec.rounds, row)
    change = Change(
        entries=(_closed_entry(held.facts, held.updates),),
        deliveries=superseded(held.facts),
        events=(happening,),
        checkpoint=NewCheckpoint(number, blobs.put(state), scaling, history),
        waits_for="",
    )
    if number < spec.rounds:
        return Closed(change, progress)
    return Closed(_with_model(change, held, spec, progress, released(), blobs))


def _aggregate(held: Recovered, spec: TrainSpec, blobs: BlobStore) -> tuple[bytes, Scaling | None, dict[str, float]]:
    released = _released(held, spec)
    if held.progress is None:
        state, scaling = arithmetic.begin(spec, blobs.get(spec.model.weights), released)
        return state, scaling, {"persons": released[ALL].persons} if held.facts.round.sum else {}
    state, numbers = arithmetic.advance(spec, held.progress, released, held.persons)
    return state, held.progress.scaling, numbers


def _released(held: Recovered, spec: TrainSpec) -> arithmetic.Numbers:
    """The round's numbers by Trust; with noise shares, only what all of them say together."""
    if held.facts.round.sum is None:
        return arithmetic.numbers_of(held.updates.values())
    masked = {trust: update.masked for trust, update in held.updates.items()}
    return {ALL: total_of(masked, spec, held.facts.round, held.parameters, len(held.facts.job.trusts))}


def _with_model(
    change: Change, held: Recovered, spec: TrainSpec, progress: Progress, released: Released, blobs: BlobStore
) -> Change:
    model = ModelRef(graph=spec.model.graph, weights=blobs.put(trained_weights(progress.state)))
    result = trained(held, released, model, progress)
    words = f"The model is trained and kept: {spec.rounds} rounds, epsilon {spec.privacy.epsilon:g} at each Trust."
    return replace(
        change,
        step=Step(JobState.EXECUTING, JobState.COMPLETED),
        events=(*change.events, events.completed(words, held.facts.round.number)),
        result=result,
        model=NewModel(model, lineage(held, released, model, progress)),
    )


def _completed(held: Recovered, result: JobResult, words: str) -> Change:
    return Change(
        entries=(_closed_entry(held.facts, held.updates),),
        step=Step(JobState.EXECUTING, JobState.COMPLETED),
        deliveries=superseded(held.facts),
        events=(events.completed(words, held.facts.round.number),),
        result=result,
    )


def superseded(facts: Facts) -> tuple[Delivery, ...]:
    """Deliveries of the current round that nobody waits for any more."""
    here = (d for d in facts.open if d.place == facts.round.place)
    return tuple(replace(d, state=DeliveryState.SUPERSEDED) for d in here)


def _closed_entry(facts: Facts, updates: Mapping[str, Answer]) -> Entry:
    digests = {trust: digest(update.token.encode()) for trust, update in sorted(updates.items())}
    return entry("round.closed", facts.job.job_id, step=facts.round.step, round=facts.round.number, updates=digests)
