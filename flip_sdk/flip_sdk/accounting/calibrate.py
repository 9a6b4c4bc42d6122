"""From the epsilon a job asks for to the noise it gets: deterministic, so that each side can reckon it again.

The same RDP accounting that the ledger is enforced by, so that a job that asks for epsilon costs that much and no more
when it is the first in the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from flip_sdk.accounting.composition import counted, epsilon_of
from flip_sdk.accounting.events import AnyEvent, Gaussian, PoissonGaussian, Pure
from flip_sdk.contract.jobs import DPSGD, CountSpec, EvaluateSpec, Privacy, TrainSpec

SMALLEST_SHARE = 0.02
"""Share of a training job's privacy loss that its noisy person count gets where the job gives it none."""
_TIGHT = 0.9975
_STEPS = 200
AnySpec = CountSpec | TrainSpec | EvaluateSpec


@dataclass(frozen=True)
class Debit:
    """One line that a job puts into the ledger.

    Attributes:
        purpose: the step it pays for; with ``train``, every round.
        event: what it costs.
    """

    purpose: str
    event: AnyEvent


@lru_cache(maxsize=4096)
def calibrate(spec: AnySpec) -> tuple[Debit, ...]:
    """Everything that a job will ever cost one Trust: debited whole at its first task."""
    match spec:
        case CountSpec():
            return (Debit("count", Pure(epsilon=spec.epsilon)),)
        case EvaluateSpec():
            return (Debit("evaluate", Pure(epsilon=spec.epsilon)),)
        case TrainSpec():
            return _training(spec.privacy, spec.rounds)


def event_for(spec: AnySpec, step: str) -> AnyEvent:
    """The event that pays for a step of a job.

    Raises:
        KeyError: the job has no such step.
    """
    return {debit.purpose: debit.event for debit in calibrate(spec)}[step]


def _training(privacy: Privacy, rounds: int) -> tuple[Debit, ...]:
    share = max(privacy.scaling_share, SMALLEST_SHARE)
    rho = _largest(
        lambda value: epsilon_of({Gaussian(noise_multiplier=_multiplier(value)): 1}, privacy.delta), privacy.epsilon
    )
    prepare = Gaussian(noise_multiplier=_multiplier(share * rho))
    mechanism = privacy.mechanism
    if not isinstance(mechanism, DPSGD):
        train: AnyEvent = Gaussian(noise_multiplier=_multiplier((1 - share) * rho / rounds), steps=rounds)
        return Debit("prepare", prepare), Debit("train", train)

    def descent(intensity: float) -> PoissonGaussian:
        return PoissonGaussian(
            noise_multiplier=_multiplier(intensity),
            sampling_rate=mechanism.sampling_rate,
            steps=rounds * mechanism.local_steps,
        )

    intensity = _largest(lambda value: epsilon_of(counted((prepare, descent(value))), privacy.delta), privacy.epsilon)
    return Debit("prepare", prepare), Debit("train", descent(intensity))


def _multiplier(rho: float) -> float:
    """Noise multiplier of a Gaussian release whose RDP at order α is ρα."""
    return 1 / math.sqrt(2 * rho)


def _largest(cost: Callable[[float], float], epsilon: float) -> float:
    """The largest value, bisected on a logarithmic scale, whose cost is within epsilon: from 99.75 % to all of it."""
    low, high = 1e-12, 1e4
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        spent = cost(middle)
        if spent > epsilon:
            high = middle
        else:
            low = middle
            if spent >= _TIGHT * epsilon:
                break
    return low
