"""Gaussian differential privacy: one number, μ², which adds up, and its exact (ε, δ).

A mechanism is μ-GDP when telling two neighbours apart by it is no easier than telling N(0, 1) from N(μ, 1) (Dong, Roth
and Su, "Gaussian Differential Privacy", JRSS-B 2022, arXiv 1905.02383). A Gaussian release of noise multiplier z is
exactly 1/z-GDP, so where every release is a Gaussian nothing is lost. ``Σμ²`` is a filter: it may be stopped at however
the next release was chosen (Smith and Thakurta, "Fully Adaptive Composition for Gaussian Differential Privacy", arXiv
2210.17520; Koskela, Tobaben and Honkela, arXiv 2209.15596).
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_STEPS = 80
_SMALL = 1e-5
_LARGE = 25.0
_SERIES = (1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0, -135135.0)
_CAREFUL = 1 + 1e-9
"""What floating point may get wrong, by far."""


def delta_of(epsilon: float, squared: float) -> float:
    """The smallest δ at which ``√squared``-GDP is (ε, δ)-DP: ``Φ(-ε/μ + μ/2) - e^ε Φ(-ε/μ - μ/2)``.

    Exact: Balle and Wang, "Improving the Gaussian Mechanism", ICML 2018, arXiv 1805.06530, theorem 8.
    """
    if squared <= 0:
        return 0.0
    if not math.isfinite(squared):
        return 1.0
    mu = math.sqrt(squared)
    distance = epsilon / mu
    near, far = distance - mu / 2, distance + mu / 2
    density = math.exp(-0.5 * near * near) / math.sqrt(2 * math.pi)
    # e^ε φ(far) = φ(near), so both terms share a factor and nothing overflows
    if mu < _SMALL:
        return density * mu * max(1 - distance * _mills(distance), 0.0)
    if near < 0:
        return max(0.5 * math.erfc(near / math.sqrt(2)) - density * _mills(far), 0.0)
    return density * max(_mills(near) - _mills(far), 0.0)


@lru_cache(maxsize=4096)
def epsilon_at(squared: float, delta: float) -> float:
    """The smallest ε at which ``√squared``-GDP is (ε, δ)-DP, rounded up."""
    if not math.isfinite(squared):
        return math.inf
    if delta_of(0.0, squared) * _CAREFUL <= delta:
        return 0.0
    low, high = 0.0, squared / 2 + math.sqrt(2 * squared * math.log(1 / delta))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if delta_of(middle, squared) * _CAREFUL > delta:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=4096)
def squared_at(epsilon: float, delta: float) -> float:
    """The largest μ² that is (ε, δ)-DP, rounded down."""
    low, high = 1e-30, 1e12
    for _ in range(2 * _STEPS):
        middle = math.sqrt(low * high)
        if delta_of(epsilon, middle) * _CAREFUL > delta:
            high = middle
        else:
            low = middle
    return low


@lru_cache(maxsize=4096)
def squared_of_pure(epsilon: float) -> float:
    """The smallest μ² such that every ε-DP mechanism is μ-GDP.

    Randomised response is the worst of them, and its trade-off curve consists of two straight lines that meet at
    a = 1 / (1 + e^ε); a Gaussian's curve is convex, so it lies below where it goes through that point: μ = -2 Φ⁻¹(a).
    """
    if epsilon > 700:
        return math.inf
    return (2 * NormalDist().inv_cdf(1 / (1 + math.exp(epsilon)))) ** 2 * _CAREFUL


def _mills(x: float) -> float:
    """``Φ(-x) / φ(x)`` for x ≥ 0: by its asymptotic series where both are too small for floating point."""
    if x < _LARGE:
        return 0.5 * math.erfc(x / math.sqrt(2)) * math.sqrt(2 * math.pi) * math.exp(0.5 * x * x)
    return math.fsum(term * (1 / x) ** (2 * k + 1) for k, term in enumerate(_SERIES))
