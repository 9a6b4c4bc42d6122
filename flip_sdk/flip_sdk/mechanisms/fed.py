"""What a model is fed: rows of persons, of whom some may be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fed:
    """Scaled rows with their labels.

    Attributes:
        features: ``[rows, d]``, a person's rows next to each other.
        labels: ``[rows]``.
        rows: ``[persons]``, how many rows each person has; None where each has one.
        lengths: ``[rows]``, the L2 norm of each row, where the model's closed form asks for it again and again.
    """

    features: Features
    labels: Indices
    rows: Indices | None = None
    lengths: npt.NDArray[np.float64] | None = None

    @property
    def persons(self) -> int:
        """How many persons there are."""
        return len(self.labels) if self.rows is None else len(self.rows)

    def drawn(self, chosen: npt.NDArray[np.bool_]) -> Self:
        """Those persons, with all of their rows, for whom ``chosen`` ``[persons]`` holds."""
        places = np.flatnonzero(chosen if self.rows is None else np.repeat(chosen, self.rows))
        rows = None if self.rows is None else self.rows[chosen]
        lengths = None if self.lengths is None else self.lengths[places]
        return type(self)(self.features[places], self.labels[places], rows, lengths)
