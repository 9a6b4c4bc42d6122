"""Shared feature scaling, out of each Trust's noisy sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import Scaling, TrainSpec
from flip_sdk.contract.prepare import MIDDLE_OF_SQUARES, sensitivity

Array = npt.NDArray[np.float64]
_SMALLEST_VARIANCE = 1e-4
_SPREAD = 0.8


@dataclass(frozen=True)
class Prepared:
    """What one Trust released for ``prepare``.

    Attributes:
        tensors: ``persons`` (1,) and, with dp_statistics, ``sum`` (d,) and ``sum_of_squares`` (d,) as
            ``contract.prepare`` says.
        noise_multiplier: of the release, from its signed claim.
    """

    tensors: Mapping[str, Array]
    noise_multiplier: float

    @property
    def persons(self) -> float:
        """Noisy person count, at least 1."""
        return max(1.0, float(self.tensors["persons"][0]))


def scaling_from(prepared: Mapping[str, Prepared], spec: TrainSpec) -> tuple[float, Scaling, dict[str, float]]:
    """Noisy persons in all, the scaling in raw feature units, and noisy persons by Trust.

    With public bounds, the middle and the half of each range. With noisy statistics, :func:`standard` of means and
    standard deviations over all Trusts. A scaling that the job gives is taken as it is.
    """
    persons = {trust: one.persons for trust, one in prepared.items()}
    total = sum(persons.values())
    if spec.privacy.scaling == "given" and spec.scaling is not None:
        return total, spec.scaling, persons
    low = np.array([feature.low for feature in spec.features])
    high = np.array([feature.high for feature in spec.features])
    middle, half = (low + high) / 2, (high - low) / 2
    if spec.privacy.scaling == "dp_statistics":
        mean, deviation = _statistics(prepared, total, sensitivity(spec))
        return total, standard(middle + half * mean, half * deviation), persons
    return total, _scaling(middle, half), persons


def standard(mean: Array, deviation: Array) -> Scaling:
    """Scaling by means and standard deviations ``[d]`` to a size of about 1, rows of no more than usual length.

    Who is further than 0.8 deviations off in everything, and most people are, is shortened to that: so that all weigh
    about the same, however far out some of their values are.
    """
    return _scaling(mean, _SPREAD * deviation)


def _scaling(shift: Array, scale: Array) -> Scaling:
    longest = float(np.sqrt(len(shift))) if len(shift) else None
    return Scaling(shift=tuple(shift.tolist()), scale=tuple(scale.tolist()), max_norm=longest)


def _statistics(prepared: Mapping[str, Prepared], total: float, norm: float) -> tuple[Array, Array]:
    """Means and standard deviations of features mapped to [-1, 1].

    A variance that is smaller than its own standard error cannot be told from noise, and dividing by it would blow up a
    feature that says little, so the standard error is the least it can be.
    """
    sums = np.sum([prepared[trust].tensors["sum"] for trust in sorted(prepared)], axis=0)
    squares = np.sum([prepared[trust].tensors["sum_of_squares"] for trust in sorted(prepared)], axis=0)
    error = norm * float(np.sqrt(sum(one.noise_multiplier**2 for one in prepared.values()))) / total
    mean = np.clip(sums / total, -1.0, 1.0)
    variance = squares / total + MIDDLE_OF_SQUARES - np.square(mean)
    least = np.clip(error * np.sqrt(1 + 4 * np.square(mean)), _SMALLEST_VARIANCE, 1.0)
    return mean, np.sqrt(np.clip(variance, least, 1.0))
