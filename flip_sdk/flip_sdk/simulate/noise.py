"""The noise of pretend Trusts: the real one, in the same amounts. Only ``flip_sdk.testing`` may leave it out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_NEARLY_NONE = 1e-9


@dataclass(frozen=True)
class Noise:
    """How loud the noise is.

    Attributes:
        loudness: 1 for the noise that the ledger is debited for.
    """

    loudness: float = 1.0

    def gaussian(self, exact: Array, deviation: float) -> Array:
        """With normal noise."""
        from flip_sdk.mechanisms.noise import add_gaussian

        return add_gaussian(exact, deviation * self.loudness)

    def laplace(self, counts: Integers, scale: float) -> Integers:
        """With discrete Laplace noise."""
        from flip_sdk.mechanisms.noise import discrete_laplace

        return counts if self.loudness < 1 else discrete_laplace(counts, scale)

    def share(self, integers: Integers, deviation: float) -> Integers:
        """With one Trust's share of the noise of a secure sum."""
        from flip_sdk.mechanisms.noise import discrete_gaussian

        return integers if self.loudness < 1 else integers + discrete_gaussian(integers.shape, deviation)


LOUD = Noise()
SILENT = Noise(_NEARLY_NONE)
"""For ``flip_sdk.testing`` alone."""
