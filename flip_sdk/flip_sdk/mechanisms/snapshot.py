"""A frozen cohort, as mechanisms compute on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save


@dataclass(frozen=True)
class Snapshot:
    """A frozen cohort: one row a person. It never leaves the Trust.

    Attributes:
        features: ``[n, d]`` float64 raw values, not yet clamped or scaled; nan where the measurement is missing.
        labels: ``[n]`` int64, 0 … classes - 1.
    """

    features: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1]:
            raise ValueError("features must be [n, d] and labels [n]")

    def to_bytes(self) -> bytes:
        """Safetensors, as the worker reads them from its slot."""
        features = np.ascontiguousarray(self.features, dtype=np.float64)
        labels = np.ascontiguousarray(self.labels, dtype=np.int64)
        return bytes(save({"features": features, "labels": labels}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of :meth:`to_bytes`."""
        tensors = load(content)
        return cls(tensors["features"], tensors["labels"])
