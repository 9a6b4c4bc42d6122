"""Floors on noisy counts, never on true ones: so that a refusal for smallness is itself differentially private.

The margin is such that a true count just under the floor passes with a probability of at most 1 in 1,000.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from statistics import NormalDist
from types import MappingProxyType

import numpy as np

from flip_sdk.contract.jobs import Part

FLOOR, ROUNDING = 10, 5
"""Fewest persons that a figure may be about, and what numbers of persons are rounded to, unless a Trust has others."""
TRAIN_SHARE = 0.7
"""Of the persons of a cohort, those that a model is trained on, by a hash; the others are kept for its evaluation."""
FIT_SHARE = 0.6
"""Of the persons of a cohort, those of ``train`` that are left when ``validation`` is kept apart."""
SHARES: Mapping[Part, float] = MappingProxyType(
    {
        "all": 1.0,
        "train": TRAIN_SHARE,
        "fit": FIT_SHARE,
        "validation": TRAIN_SHARE - FIT_SHARE,
        "test": 1 - TRAIN_SHARE,
    }
)
"""How many of a cohort's persons are in each part, by a hash of each."""
CHANCE = 1e-3
_NORMAL_QUANTILE = 3.0902
"""A standard normal number is above this with probability :data:`CHANCE`."""


def is_in(part: Part, share: float) -> bool:
    """Whether a person whose hash is this far between 0 and 1 is in a part: below the first share, or from one on."""
    match part:
        case "all":
            return True
        case "validation":
            return FIT_SHARE <= share < TRAIN_SHARE
        case "test":
            return share >= TRAIN_SHARE
        case "train" | "fit":
            return share < SHARES[part]


def gaussian_threshold(floor: int, deviation: float, counts: int = 1) -> float:
    """Smallest noisy count that may pass, under Gaussian noise of this standard deviation.

    Of so many counts that are looked at together, one under the floor passes with a probability of at most 1 in 1,000.
    """
    quantile = _NORMAL_QUANTILE if counts == 1 else NormalDist().inv_cdf(1 - CHANCE / counts)
    return floor + quantile * deviation


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


@lru_cache(maxsize=64)
def least_told(floor: int, epsilon: float, rounding: int, share: float) -> float:
    """Smallest number of persons, told before, which shows that a part of them is not under the floor.

    The number had discrete Laplace noise of scale 1/ε and was rounded to a multiple; each person is in the part by a
    hash of theirs, with the probability ``share``. Whatever the true number is, the part being under the floor and the
    noise still that large have a probability of at most :data:`CHANCE` together.
    """
    least, persons = 0, floor - 1
    while (small := _part_is_under(floor, persons, share)) > CHANCE:
        # P(noise >= m) is exp(-epsilon m) / (1 + exp(-epsilon)) for m >= 0
        margin = math.ceil(max(0.0, math.log(small / (CHANCE * (1 + math.exp(-epsilon)))) / epsilon))
        least = max(least, persons + margin)
        persons += 1
    return max(least, persons) + rounding / 2


def _part_is_under(floor: int, persons: int, share: float) -> float:
    return sum(math.comb(persons, k) * share**k * (1 - share) ** (persons - k) for k in range(floor))
