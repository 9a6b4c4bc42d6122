"""Floors on noisy counts, never on true ones: so that a refusal for smallness is itself differentially private.

The margin is such that a true count just under the floor passes with a probability of at most 1 in 1,000.
"""

from __future__ import annotations

import math

import numpy as np

CHANCE = 1e-3
_NORMAL_QUANTILE = 3.0902
"""A standard normal number is above this with probability :data:`CHANCE`."""


def gaussian_threshold(floor: int, deviation: float) -> float:
    """Smallest noisy count that may pass, under Gaussian noise of this standard deviation."""
    return floor + _NORMAL_QUANTILE * deviation


def laplace_threshold(floor: int, epsilon: float, cells: int = 1) -> float:
    """Smallest noisy count that may pass: the sum of ``cells`` counts, each with discrete Laplace noise of scale 1/ε.

    For one count by the exact tail, for more by Chernoff's bound.
    """
    if cells == 1:
        return floor - 1 + max(1.0, math.ceil(math.log(1 / (CHANCE * (1 + math.exp(-epsilon)))) / epsilon))
    t = np.linspace(1e-6, 1 - 1e-6, 2001) * epsilon
    p = math.exp(-epsilon)
    # logarithm of the moment generating function of discrete Laplace noise
    log_moment = 2 * math.log1p(-p) - np.log1p(-p * np.exp(t)) - np.log1p(-p * np.exp(-t))
    return floor - 1 + float(np.min((cells * log_moment - math.log(CHANCE)) / t))
