"""Numbers as integers modulo 2^64, and what rounding does to their sensitivity.

A Trust rounds its exact *sum* to a grid of ``step`` once. Two data sets that differ in one person have sums within
``sensitivity`` of each other in L2; rounding moves each coordinate by at most half a step in each of them, so the
rounded vectors are within ``sensitivity / step + sqrt(size)`` steps. That is ``integer_sensitivity``, which the noise
is a multiple of; the grid is so fine that rounding accounts for at most a thousandth of it. On top, for sums reckoned
in float64 (Casacuberta et al., "Widespread Underestimation of Sensitivity in Differentially Private Libraries", CCS
2022): blocks of 128 added up pairwise, as numpy and torch do, err by less than 2^-21 of the sensitivity over 10^7
persons, so two sums differ by less than 2^-20 of it more.

The noise is a sum of discrete Gaussians, one share per Trust, not exactly a discrete Gaussian itself: the guarantee of
n shares of deviation σ over d numbers is that of one of deviation √n·σ with ``τ·√d`` added to its ε of concentrated
privacy, where ``τ = 10 · Σ_{k=1}^{n-1} exp(-2π²σ²k/(k+1))`` (Kairouz, Liu and Steinke, "The Distributed Discrete
Gaussian Mechanism", ICML 2021, arXiv 2102.06387, theorem 1). At :data:`SMALLEST_DEVIATION` that is below 10^-60 for 200
Trusts and 10^8 numbers. A smaller σ is refused, so the ledger's Gaussian figures hold as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from flip_sdk.errors import EncodingError

MOST_PERSONS = 10**7
"""Persons of all Trusts together, for which the sum cannot leave the ring."""
SMALLEST_DEVIATION = 4.0
LARGEST_DEVIATION = 2.0**50
"""200 Trusts' shares of this size together stay within 2^61, beside a sum within 2^61, out to 140 deviations."""
_ROUNDING_SHARE = 1e-3
_FLOAT_SLACK = 2.0**-20
_ROOM = 2.0**61


@dataclass(frozen=True)
class Encoding:
    """How a sum's numbers become integers.

    Attributes:
        step: a power of two; a number is its multiple of this.
        integer_sensitivity: L2 distance, in steps, of the rounded sums of two data sets that differ in one person.
    """

    step: float
    integer_sensitivity: float

    @classmethod
    def for_sum(cls, sensitivity: float, size: int) -> Self:
        """The encoding of a sum of ``size`` numbers, from public values alone, so that every side finds the same.

        Args:
            sensitivity: L2 bound of one person's contribution.
            size: how many numbers.

        Raises:
            EncodingError: no such sum, or sums of :data:`MOST_PERSONS` would not fit into the ring.
        """
        if not (math.isfinite(sensitivity) and sensitivity > 0 and size > 0):
            raise EncodingError("A sum needs a positive sensitivity and at least one number.")
        step = 2.0 ** math.floor(math.log2(_ROUNDING_SHARE * sensitivity / math.sqrt(size)))
        if not MOST_PERSONS * sensitivity / step < _ROOM:
            raise EncodingError("A sum of so many numbers does not fit into 64 bits.")
        return cls(step, sensitivity / step * (1 + _FLOAT_SLACK) + math.sqrt(size))

    def deviation(self, noise_multiplier: float) -> float:
        """Standard deviation, in steps, of one Trust's share of the noise.

        Raises:
            EncodingError: it is so small that shares would not add up to a Gaussian, or so large that they would not
                fit beside the sum.
        """
        deviation = noise_multiplier * self.integer_sensitivity
        if not SMALLEST_DEVIATION <= deviation <= LARGEST_DEVIATION:
            raise EncodingError("This much noise cannot be shared: it is too small or too large for the sum's numbers.")
        return deviation

    def encode(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Numbers as the nearest multiples of the step.

        Raises:
            EncodingError: a number is not finite, or larger than :data:`MOST_PERSONS` could make it.
        """
        # dividing by a power of two is exact, so nothing but this rounding moves a number
        steps = np.rint(values / self.step)
        if not bool(np.all(np.abs(steps) <= MOST_PERSONS * self.integer_sensitivity)):
            raise EncodingError("A number of the sum is not finite, or too large.")
        return steps.astype(np.int64)

    def decode(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What a sum of encoded numbers stands for."""
        numbers: npt.NDArray[np.float64] = steps.astype(np.float64) * self.step
        return numbers


def tau(deviation: float, shares: int) -> float:
    """The τ of a sum of so many discrete Gaussians of this deviation (see the module's text)."""
    return 10 * sum(math.exp(-2 * math.pi**2 * deviation**2 * k / (k + 1)) for k in range(1, shares))
