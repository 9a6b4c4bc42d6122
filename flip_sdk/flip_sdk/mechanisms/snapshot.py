"""A frozen cohort, as mechanisms compute on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Images = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Snapshot:
    """A frozen cohort. It never leaves the Trust.

    Attributes:
        features: ``[rows, d]`` float64 raw values, not yet clamped or scaled; nan where the measurement is missing.
        labels: ``[rows]`` int64, 0 … classes - 1.
        persons: ``[rows]`` int64: whose row it is, 0 … n - 1, a person's rows next to each other; None where every
            person has one row. The unit of privacy is the person, never the row.
        images: ``[rows, k]`` float16: the image of each row, in [-1, 1], as a model is fed; may be mapped from a file,
            since a cohort's images need not fit into memory. None where there are none.
    """

    features: Array
    labels: Indices
    persons: Indices | None = None
    images: Images | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1]:
            raise ValueError("features must be [rows, d] and labels [rows]")
        if self.images is not None and (self.images.ndim != 2 or len(self.images) != len(self.labels)):
            raise ValueError("images must be [rows, k]")
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

    @property
    def width(self) -> int:
        """How many numbers a row has, its image's included."""
        return int(self.features.shape[1] + (0 if self.images is None else self.images.shape[1]))

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
        """Safetensors, as the worker reads them from its slot; without the images, which are a file of their own."""
        features = np.ascontiguousarray(self.features, dtype=np.float64)
        labels = np.ascontiguousarray(self.labels, dtype=np.int64)
        tensors = {"features": features, "labels": labels}
        if self.persons is not None:
            tensors["persons"] = np.ascontiguousarray(self.persons, dtype=np.int64)
        if self.images is not None:
            tensors["image_values"] = np.array([self.images.shape[1]], dtype=np.int64)
        return bytes(save(tensors))

    @classmethod
    def from_bytes(cls, content: bytes, images: Path | None = None) -> Self:
        """The inverse of :meth:`to_bytes`.

        Args:
            content: what it returned.
            images: the file that :func:`write_images` wrote, which is mapped and not read.
        """
        tensors = load(content)
        shown = None
        if images is not None and "image_values" in tensors:
            shape = len(tensors["labels"]), int(tensors["image_values"][0])
            shown = np.memmap(images, np.float16, "r", shape=shape) if all(shape) else np.zeros(shape, np.float16)
        return cls(tensors["features"], tensors["labels"], tensors.get("persons"), shown)


def write_images(path: Path, images: Images) -> None:
    """Images ``[rows, k]`` as a file of plain float16, one row after the other."""
    np.ascontiguousarray(images, dtype="<f2").tofile(path)
