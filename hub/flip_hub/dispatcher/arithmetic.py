"""The rounds of training as pure steps over released numbers; the reckoning is ``flip_sdk.mechanisms.aggregate``'s.

The state after a round is one safetensors blob: the same updates always make the same bytes, so that a round that is
closed again after a crash asks the Trusts for the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flip_sdk.contract.jobs import DPSGD, AnySpec, Scaffold, Scaling, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import SignedOffJob
from flip_sdk.mechanisms import aggregate
from flip_sdk.mechanisms.aggregate import Prepared, scaling_from, start

from flip_hub.dispatcher.accept import AcceptedUpdate

Numbers = Mapping[str, Prepared]
"""What was released, by Trust; with noise shares by one name alone, for what all of them say together."""


@dataclass(frozen=True)
class Progress:
    """A training job after a round: what its checkpoint holds.

    Attributes:
        state: the optimiser's state.
        history: one row a round, out of noisy releases only.
    """

    round: int
    state: bytes = field(repr=False)
    scaling: Scaling | None
    history: tuple[dict[str, float], ...]


def numbers_of(updates: Iterable[AcceptedUpdate]) -> dict[str, Prepared]:
    """What each Trust released with noise of its own."""
    return {update.trust: Prepared(update.tensors, _noise_multiplier(update)) for update in updates}


def persons_of(updates: Iterable[AcceptedUpdate]) -> dict[str, float]:
    """Noisy person counts by Trust, out of ``prepare``."""
    return {trust: one.persons for trust, one in numbers_of(updates).items()}


def begin(spec: TrainSpec, initial: bytes, numbers: Numbers) -> tuple[bytes, Scaling]:
    """After ``prepare``: the first state, and the scaling that all Trusts share from now on."""
    _, scaling, _ = scaling_from(numbers, spec)
    return start(initial), scaling


def advance(
    spec: TrainSpec, progress: Progress, numbers: Numbers, persons: Mapping[str, float]
) -> tuple[bytes, dict[str, float]]:
    """After a round of ``train``: the next state, and numbers to plot."""
    return aggregate.advance(spec, progress.state, numbers, persons, progress.round + 1)


def correction(progress: Progress | None, spec: AnySpec, trust: str) -> bytes | None:
    """What a Trust adds to the gradients of the round after a checkpoint; None where the job corrects no drift."""
    mechanism = spec.privacy.mechanism if isinstance(spec, TrainSpec) else None
    if progress is None or not isinstance(mechanism, DPSGD) or not isinstance(mechanism.aggregation, Scaffold):
        return None
    return aggregate.correction_for(progress.state, trust)


def corrections(progress: Progress | None, job: SignedOffJob) -> dict[str, str]:
    """Digests of the corrections of all Trusts."""
    found = {trust: correction(progress, job.spec, trust) for trust in job.trusts}
    return {trust: digest(content) for trust, content in found.items() if content is not None}


def _noise_multiplier(update: AcceptedUpdate) -> float:
    claim = update.record.claim
    return claim.noise_multiplier or 0.0 if claim else 0.0
