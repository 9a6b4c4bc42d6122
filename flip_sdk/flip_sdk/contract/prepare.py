"""The one release that opens a training job: a noisy person count and, where asked, noisy sums of features.

It is one Gaussian release of the vector (a·1, v) summed over persons. For the d features x of a person, mapped to
[-1, 1] by their public bounds, v is (x, x² - 1/2), shortened to :func:`longest` where it is longer. Squares are taken
off their middle because that half of their length tells nothing. A row reaches the greatest length that public bounds
allow only where every feature stands at its bound, so a bound of 0.7·sqrt(d) leaves nearly everybody as they are, and
saves 40 % of the noise. With public bounds alone, or a scaling that is given, the release is of (1).
"""

from __future__ import annotations

import math

from flip_sdk.contract.jobs import TrainSpec

MIDDLE_OF_SQUARES = 0.5
_LENGTH, _COUNT = 0.7, 0.5


def longest(features: int) -> float:
    """L2 bound of one person's (x, x² - 1/2)."""
    return _LENGTH * math.sqrt(features)


def weight_of_count(spec: TrainSpec) -> float:
    """The a of the release: half of what the features may weigh, so that the count is well known; 1 when alone."""
    return _COUNT * longest(len(spec.features)) if spec.privacy.scaling == "dp_statistics" else 1.0


def sensitivity(spec: TrainSpec) -> float:
    """L2 sensitivity of the release to one person more or less; a when the count is alone."""
    weight = weight_of_count(spec)
    return math.hypot(weight, longest(len(spec.features))) if spec.privacy.scaling == "dp_statistics" else weight
