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
from flip_sdk.accounting.events import AnyEvent, Gaussian, PoissonGaussian, Pure, SharedGaussian
from flip_sdk.contract.jobs import (
    DPSGD,
    FEWEST_FOR_DISTRIBUTED,
    CountSpec,
    DistributedNoise,
    EvaluateSpec,
    Privacy,
    TrainSpec,
)

SMALLEST_SHARE = 0.02
"""Share of a training job's privacy loss that its noisy person count gets where the job gives it none."""
FLOOR_SHARE = 0.05
"""Share of it that pays, with noise shares, for a Trust's own noisy look at its floor, which is never sent."""
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
def calibrate(spec: AnySpec, trusts: int = 1) -> tuple[Debit, ...]:
    """Everything that a job will ever cost one Trust: debited whole at its first task.

    Args:
        spec: the job.
        trusts: how many Trusts it was signed off for; it matters where they share the noise.

    Raises:
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    match spec:
        case CountSpec():
            return (Debit("count", Pure(epsilon=spec.epsilon)),)
        case EvaluateSpec():
            return (Debit("evaluate", Pure(epsilon=spec.epsilon)),)
        case TrainSpec():
            return _training(spec.privacy, spec.rounds, trusts)


def event_for(spec: AnySpec, step: str, trusts: int = 1) -> AnyEvent:
    """The event that pays for a step of a job.

    Raises:
        KeyError: the job has no such step, or one that releases no number about anybody (``keys``).
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    return {debit.purpose: debit.event for debit in calibrate(spec, trusts)}[step]


def _training(privacy: Privacy, rounds: int, trusts: int) -> tuple[Debit, ...]:
    share = max(privacy.scaling_share, SMALLEST_SHARE)
    rho = _largest(
        lambda value: epsilon_of({Gaussian(noise_multiplier=_multiplier(value)): 1}, privacy.delta), privacy.epsilon
    )
    if isinstance(privacy.trust_model, DistributedNoise):
        return _distributed(privacy.trust_model, rho, share, rounds, trusts)
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


def _distributed(model: DistributedNoise, rho: float, share: float, rounds: int, trusts: int) -> tuple[Debit, ...]:
    """Shares of the noise, each sum paid for as often as it may be tried; the Trust's own floor has its own noise."""
    honest = model.honest_of(trusts)
    if trusts < FEWEST_FOR_DISTRIBUTED or honest > trusts:
        raise ValueError("so many Trusts cannot share noise as the job asks")

    def shared(part: float, steps: int) -> SharedGaussian:
        together = _multiplier(part * rho / steps)
        return SharedGaussian(noise_multiplier=together / math.sqrt(honest), honest=honest, steps=steps)

    left = 1 - FLOOR_SHARE
    return (
        Debit("floor", Gaussian(noise_multiplier=_multiplier(FLOOR_SHARE * rho))),
        Debit("prepare", shared(left * share, 1 + min(1, model.spare_rounds))),
        Debit("train", shared(left * (1 - share), rounds + model.spare_rounds)),
    )


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
