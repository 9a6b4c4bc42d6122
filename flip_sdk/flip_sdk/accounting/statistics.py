"""What a statistics job costs: one pure release of a table, or so many Gaussian releases of sums."""

from __future__ import annotations

import math

from flip_sdk.accounting.composition import GAUSSIAN_SHARE
from flip_sdk.accounting.events import Gaussian, Pure
from flip_sdk.accounting.gaussian import squared_at
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import is_pure, rounds_of

_ROUNDED = 1 - 1e-8


def statistics_event(spec: StatisticsSpec) -> Pure | Gaussian:
    """The whole job's cost at one Trust, every round of a regression included."""
    if is_pure(spec.question):
        return Pure(epsilon=spec.epsilon)
    squared, rounds = squared_at(spec.epsilon, GAUSSIAN_SHARE * spec.delta) * _ROUNDED, rounds_of(spec.question)
    return Gaussian(noise_multiplier=math.sqrt(rounds / squared), steps=rounds)
