"""A frozen cohort, as mechanisms compute on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Snapshot:
    """A frozen cohort. It never leaves the Trust.

    Attributes:
        features: ``[rows, d]`` float64 raw values, not yet clamped or scaled; nan where the measurement is missing.
        labels: ``[rows]`` int64, 0 … classes - 1.
        persons: ``[rows]`` int64: whose row it is, 0 … n - 1, a person's rows next to each other; None where every
            person has one row. The unit of privacy is the person, never the row.
    """

    features: Array
    labels: Indices
    persons: Indices | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1]:
            raise ValueError("features must be [rows, d] and labels [rows]")
        if self.persons is not None:
            steps = np.diff(self.persons, prepend=-1)
            if self.persons.shape != self.labels.shape or not bool(((steps == 0) | (steps == 1)).all()):
                raise ValueError("persons must be numbered 0 … n - 1, each person's rows next to each other")
            if len(self.persons) and self.persons[0] != 0:
                raise ValueError("persons must be numbered from 0")

    @property
    def count(self) -> int:
        """How many persons there are."""
        return len(self.rows)

    @cached_property
    def rows(self) -> Indices:
        """``[n]``: how many rows each person has, one or more."""
        if self.persons is None:
            return np.ones(len(self.labels), dtype=np.int64)
        return np.bincount(self.persons).astype(np.int64)

    @cached_property
    def label_of_person(self) -> Indices:
        """``[n]``: the label of each person's first row."""
        return self.labels if self.persons is None else self.labels[np.cumsum(self.rows) - self.rows]

    def mean_of_rows(self, values: Array) -> Array:
        """``[n, …]``: for each person the mean of ``[rows, …]`` over their rows."""
        if self.persons is None:
            return values
        if not len(values):
            return values
        weighted = values / self.rows[self.persons].reshape(-1, *(1,) * (values.ndim - 1))
        means: Array = np.add.reduceat(weighted, np.cumsum(self.rows) - self.rows, axis=0)
        return means

    def to_bytes(self) -> bytes:
        """Safetensors, as the worker reads them from its slot."""
        features = np.ascontiguousarray(self.features, dtype=np.float64)
        labels = np.ascontiguousarray(self.labels, dtype=np.int64)
        tensors = {"features": features, "labels": labels}
        if self.persons is not None:
            tensors["persons"] = np.ascontiguousarray(self.persons, dtype=np.int64)
        return bytes(save(tensors))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of :meth:`to_bytes`."""
        tensors = load(content)
        return cls(tensors["features"], tensors["labels"], tensors.get("persons"))
