"""From the epsilon a job asks for to the noise it gets: deterministic, so that each side can reckon it again.

The same bounds that the ledger is enforced by, so that a job that asks for epsilon costs that much and no more when it
is the first in the ledger: full-batch jobs by exact Gaussian differential privacy, sampled ones by Rényi's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from flip_sdk.accounting import renyi
from flip_sdk.accounting.composition import GAUSSIAN_SHARE, counted, sum_of, within
from flip_sdk.accounting.events import INTEGERS, AnyEvent, Gaussian, PoissonGaussian, Pure, SharedGaussian
from flip_sdk.accounting.gaussian import squared_at
from flip_sdk.accounting.statistics import statistics_event
from flip_sdk.contract.jobs import (
    DPSGD,
    FEWEST_FOR_DISTRIBUTED,
    AnySpec,
    CountSpec,
    DistributedNoise,
    EvaluateSpec,
    Privacy,
    StatisticsSpec,
    TrainSpec,
)

SMALLEST_SHARE = 0.02
"""Share of a training job's privacy loss that its noisy person count gets where the job gives it none."""
FLOOR_SHARE = 0.05
"""Share of it that pays, with noise shares, for a Trust's own noisy look at its floor, which is never sent."""
_ROUNDED = 1 - 1e-8
_STEPS = 40


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
            return debits_of(spec.privacy, spec.rounds, trusts)
        case StatisticsSpec():
            return (Debit("statistics", statistics_event(spec)),)


def event_for(spec: AnySpec, step: str, trusts: int = 1) -> AnyEvent:
    """The event that pays for a step of a job.

    Raises:
        KeyError: the job has no such step, or one that releases no number about anybody (``keys``).
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    return {debit.purpose: debit.event for debit in calibrate(spec, trusts)}[step]


def debits_of(privacy: Privacy, rounds: int, trusts: int = 1) -> tuple[Debit, ...]:
    """What a training job debits, whatever it trains.

    Raises:
        ValueError: so many Trusts cannot share noise as the job asks.
    """
    share = max(privacy.scaling_share, SMALLEST_SHARE)
    if isinstance(privacy.mechanism, DPSGD) and privacy.mechanism.sampling_rate < 1:
        return _sampled(privacy, privacy.mechanism, share, rounds)
    squared = squared_at(privacy.epsilon, GAUSSIAN_SHARE * privacy.delta) * _ROUNDED
    if isinstance(privacy.trust_model, DistributedNoise):
        return _distributed(privacy.trust_model, squared, share, rounds, trusts)
    steps = rounds * (privacy.mechanism.local_steps if isinstance(privacy.mechanism, DPSGD) else 1)
    noise = math.sqrt(steps / ((1 - share) * squared))
    train: AnyEvent = Gaussian(noise_multiplier=noise, steps=steps)
    if isinstance(privacy.mechanism, DPSGD):
        train = PoissonGaussian(noise_multiplier=noise, sampling_rate=1, steps=steps)
    return _prepare(share * squared), Debit("train", train)


def _sampled(privacy: Privacy, mechanism: DPSGD, share: float, rounds: int) -> tuple[Debit, ...]:
    def costs(events: tuple[AnyEvent, ...]) -> bool:
        return within(sum_of(counted(events)), _ROUNDED * privacy.epsilon, privacy.delta)

    def descent(noise: float) -> PoissonGaussian:
        return PoissonGaussian(
            noise_multiplier=noise, sampling_rate=mechanism.sampling_rate, steps=rounds * mechanism.local_steps
        )

    # the whole job ends under the Rényi bound, so its parts are shares of what a Gaussian could have there
    delta = (1 - GAUSSIAN_SHARE) * privacy.delta
    least = _least(lambda z: renyi.enough(lambda orders: renyi.of_gaussian(z**-2, orders), privacy.epsilon, delta))
    prepare = _prepare(share / least**2)
    return prepare, Debit("train", descent(_least(lambda noise: costs((prepare.event, descent(noise))))))


def _distributed(model: DistributedNoise, squared: float, share: float, rounds: int, trusts: int) -> tuple[Debit, ...]:
    """Shares of the noise, each sum paid for as often as it may be tried; the Trust's own floor has its own noise."""
    honest = model.honest_of(trusts)
    if trusts < FEWEST_FOR_DISTRIBUTED or honest > trusts:
        raise ValueError("so many Trusts cannot share noise as the job asks")

    def shared(part: float, steps: int) -> SharedGaussian:
        noise = math.sqrt((steps / (part * squared) + INTEGERS) / honest)
        return SharedGaussian(noise_multiplier=noise, honest=honest, steps=steps)

    left = 1 - FLOOR_SHARE
    return (
        Debit("floor", Gaussian(noise_multiplier=1 / math.sqrt(FLOOR_SHARE * squared))),
        Debit("prepare", shared(left * share, 1 + min(1, model.spare_rounds))),
        Debit("train", shared(left * (1 - share), rounds + model.spare_rounds)),
    )


def _prepare(squared: float) -> Debit:
    return Debit("prepare", Gaussian(noise_multiplier=1 / math.sqrt(squared)))


def _least(affords: Callable[[float], bool]) -> float:
    """The least noise multiplier that is affordable, bisected on a logarithmic scale."""
    low, high = 1e-3, 1e7
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if affords(middle) else (middle, high)
    return high
