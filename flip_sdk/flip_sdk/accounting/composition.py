"""How releases add up: the smallest ε that is sound to stop at, whatever each release was chosen after.

Three bounds, each a privacy filter by itself, and none that is not (composed privacy profiles must not be stopped at:
Tran and others, "f-Differential Privacy Filters", arXiv 2602.06756):

- the plain sum, where every release is pure: it needs no δ;
- Gaussian DP (:mod:`~flip_sdk.accounting.gaussian`), where no release is on a sample: exact for Gaussians;
- Rényi DP (:mod:`~flip_sdk.accounting.renyi`), for everything.

A researcher's choices decide which of the last two a ledger ends under, so each is given half of δ: what ends under one
and what ends under the other is (ε, δ/2) and (ε, δ/2), together (ε, δ).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from flip_sdk.accounting import gaussian, renyi
from flip_sdk.accounting.events import AnyEvent, Gaussian, PoissonGaussian, Pure, SharedGaussian, parse_event

GAUSSIAN_SHARE = 0.5
"""Of δ, for what ends under the Gaussian bound; the rest is for the Rényi bound."""
_LOWEST, _HIGHEST = 1e-6, 1e5
_NO_NOISE = 1e-150
_UNITS = 1 << 1074
_WIDEST = 1074 + 1023
_STEPS = 34


@dataclass(frozen=True)
class Sum:
    """What events add up to; equal events give equal sums in whatever order they came, and in whatever parts.

    Attributes:
        units: Σμ² of the Gaussian releases over everybody, exactly: in units of 2^-1074, of which every float is a
            whole number; None where it is infinite.
        pure: (ε, how often) of the pure releases, by ε.
        sampled: (noise multiplier, sampling rate, steps) of the releases on samples.
    """

    units: int | None = 0
    pure: tuple[tuple[float, int], ...] = ()
    sampled: tuple[tuple[float, float, int], ...] = ()

    def __add__(self, other: Sum) -> Sum:
        """Both."""
        units = None if self.units is None or other.units is None else self.units + other.units
        return Sum(units, _merged(self.pure, other.pure), _merged(self.sampled, other.sampled))

    @cached_property
    def squared(self) -> float:
        """Σμ² of the Gaussian releases over everybody."""
        if self.units is None or self.units.bit_length() > _WIDEST:
            return math.inf
        return self.units / _UNITS

    def moments(self, orders: renyi.Vector) -> renyi.Vector:
        """``(α - 1) · ρ(α)`` of everything."""
        total = renyi.of_gaussian(self.squared, orders)
        if self.pure:
            epsilons, times = np.array(self.pure).T
            total = total + times @ renyi.of_pure(epsilons, orders)
        if not self.sampled:
            return total
        # sampling only ever lowers the cost; at the largest orders, where it is slow to reckon, it is left out
        whole = renyi.of_gaussian(self._unsampled, orders)
        inside = orders <= renyi.WHOLE_ORDERS[-1]
        return total + np.where(inside, np.minimum(renyi.between(self._of_samples, orders), whole), whole)

    @property
    def plain(self) -> float:
        """The sum of the pure releases' ε; infinite where there are others."""
        if self.squared > 0 or self.sampled:
            return math.inf
        return math.fsum(times * epsilon for epsilon, times in self.pure)

    @property
    def all_squared(self) -> float:
        """Σμ² with the pure releases as Gaussians; infinite where some are on samples."""
        if self.sampled:
            return math.inf
        return math.fsum([self.squared, *(times * gaussian.squared_of_pure(epsilon) for epsilon, times in self.pure)])

    @cached_property
    def _of_samples(self) -> renyi.Vector:
        parts = [steps * renyi.of_sampled(noise, rate) for noise, rate, steps in self.sampled]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

    @cached_property
    def _unsampled(self) -> float:
        return math.fsum(steps / noise**2 if noise > _NO_NOISE else math.inf for noise, _, steps in self.sampled)


def sum_of(events: Mapping[AnyEvent, int]) -> Sum:
    """Add events up, each as often as its number says."""
    units: int | None = 0
    pure: dict[float, int] = {}
    sampled: dict[tuple[float, float], int] = {}
    for event, times in events.items():
        match event:
            case Pure():
                pure[event.epsilon] = pure.get(event.epsilon, 0) + times
            case PoissonGaussian() if event.sampling_rate < 1:
                key = (event.noise_multiplier, event.sampling_rate)
                sampled[key] = sampled.get(key, 0) + times * event.steps
            case _:
                squared = _squared(event)
                units = None if units is None or math.isinf(squared) else units + times * _in_units(squared)
    return Sum(
        units,
        tuple(sorted(pure.items())),
        tuple(sorted((*key, steps) for key, steps in sampled.items())),
    )


def within(total: Sum, epsilon: float, delta: float) -> bool:
    """Whether everything together is (ε, δ)-DP, soundly under adaptive choice."""
    return (
        total.plain <= epsilon
        or gaussian.epsilon_at(total.all_squared, GAUSSIAN_SHARE * delta) <= epsilon
        or renyi.enough(total.moments, epsilon, (1 - GAUSSIAN_SHARE) * delta)
    )


def epsilon_of(events: Mapping[AnyEvent, int], delta: float) -> float:
    """The smallest ε that events cost at ``delta``, each composed as often as its number says; infinite if none."""
    return epsilon_of_sum(sum_of(events), delta)


@lru_cache(maxsize=4096)
def epsilon_of_sum(total: Sum, delta: float) -> float:
    """As :func:`epsilon_of`, of what was added up already."""
    best = min(total.plain, gaussian.epsilon_at(total.all_squared, GAUSSIAN_SHARE * delta))
    share = (1 - GAUSSIAN_SHARE) * delta
    low, high = _LOWEST, min(best, _HIGHEST)
    # for Gaussians alone the Rényi bound is never the smaller one
    if best <= low or not (total.pure or total.sampled) or not renyi.enough(total.moments, high, share):
        return best
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        if renyi.enough(total.moments, middle, share):
            high = middle
        else:
            low = middle
    return high


def alone(events: Mapping[AnyEvent, int]) -> dict[AnyEvent, int]:
    """The same events if every other Trust worked with the hub: of shared noise, only this Trust's share is left."""
    found: dict[AnyEvent, int] = {}
    for event, times in events.items():
        if isinstance(event, SharedGaussian):
            event = event.alone  # noqa: PLW2901 (the very point)
        found[event] = found.get(event, 0) + times
    return found


def counted(events: Iterable[AnyEvent]) -> dict[AnyEvent, int]:
    """The same events as a mapping from event to how often."""
    found: dict[AnyEvent, int] = {}
    for event in events:
        found[event] = found.get(event, 0) + 1
    return found


def together(before: Mapping[AnyEvent, int], after: Mapping[AnyEvent, int]) -> dict[AnyEvent, int]:
    """Both."""
    found = dict(before)
    for event, times in after.items():
        found[event] = found.get(event, 0) + times
    return found


@lru_cache(maxsize=100_000)
def stored_event(content: str) -> AnyEvent:
    """An event out of the database; equal rows are read once."""
    return parse_event(content)


def _merged(one: tuple[Any, ...], two: tuple[Any, ...]) -> tuple[Any, ...]:
    """Entries that end in a number, with the numbers of equal ones added up, in order."""
    if not one or not two:
        return one or two
    found: dict[Any, int] = {}
    for *kind, number in (*one, *two):
        found[tuple(kind)] = found.get(tuple(kind), 0) + number
    return tuple(sorted((*kind, number) for kind, number in found.items()))


def _in_units(number: float) -> int:
    numerator, denominator = number.as_integer_ratio()
    return numerator * (_UNITS // denominator)


def _squared(event: Gaussian | SharedGaussian | PoissonGaussian) -> float:
    left = event.squared_noise
    return event.steps / left if left > 0 else math.inf
