"""The one release that opens a training job: a noisy person count and, where asked, noisy sums of features.

It is one Gaussian release of the vector (a·1, x, x²) summed over persons, x being the d features mapped to [-1, 1] by
their public bounds; with public bounds alone, of (1). One person moves it by at most ``sensitivity`` in L2.
"""

from __future__ import annotations

import math

from flip_sdk.contract.jobs import TrainSpec


def weight_of_count(spec: TrainSpec) -> float:
    """The a of the release: ``sqrt(2 d) / 2``, so that the count is as well known as it costs; 1 when it is alone."""
    return math.sqrt(2 * len(spec.features)) / 2 if spec.privacy.scaling == "dp_statistics" else 1.0


def sensitivity(spec: TrainSpec) -> float:
    """L2 sensitivity of the release to one person more or less: ``sqrt(a² + 2 d)``, or a when the count is alone."""
    weight = weight_of_count(spec)
    return math.sqrt(weight**2 + 2 * len(spec.features)) if spec.privacy.scaling == "dp_statistics" else weight
