"""What a question needs to know of each person: one entry a person, no identifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from flip_sdk.contract.statistics import AnyQuestion, categories_of, measurements_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """A cohort, as statistics compute on it. It never leaves the Trust.

    Attributes:
        measurements: ``[n, m]`` raw latest values, in the order of ``measurements_of``; not finite where missing.
        levels: ``[n, c]`` index of each category's level, in the order of ``categories_of``.
        outcome: ``[n]`` 1 for persons with a logistic regression's condition.
        days: ``[n]`` length of the follow-up; nan for persons that are not followed.
        events: ``[n]`` 1 where the follow-up ended with the event.
    """

    measurements: Floats
    levels: Integers
    outcome: Integers
    days: Floats
    events: Integers

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        persons = len(self.outcome)
        if self.measurements.ndim != 2 or self.levels.ndim != 2:
            raise ValueError("measurements and levels must be [n, columns]")
        if any(len(column) != persons for column in (self.measurements, self.levels, self.days, self.events)):
            raise ValueError("every column must have one entry a person")

    def __len__(self) -> int:
        """Number of persons."""
        return len(self.outcome)

    @classmethod
    def of(
        cls,
        persons: int,
        *,
        measurements: Floats | None = None,
        levels: Integers | None = None,
        outcome: Integers | None = None,
        days: Floats | None = None,
        events: Integers | None = None,
    ) -> Self:
        """Columns of so many persons, empty where nothing is given."""
        return cls(
            np.empty((persons, 0)) if measurements is None else measurements,
            np.empty((persons, 0), dtype=np.int64) if levels is None else levels,
            np.zeros(persons, dtype=np.int64) if outcome is None else outcome,
            np.full(persons, np.nan) if days is None else days,
            np.zeros(persons, dtype=np.int64) if events is None else events,
        )

    def check(self, question: AnyQuestion) -> None:
        """Refuse columns that are not the question's.

        Raises:
            ValueError: another number of columns, or a level that a category does not have.
        """
        categories = categories_of(question)
        if self.measurements.shape[1] != len(measurements_of(question)) or self.levels.shape[1] != len(categories):
            raise ValueError("these are not the columns that the question asks for")
        for category, level in zip(categories, self.levels.T, strict=True):
            if level.size and not (level.min() >= 0 and level.max() < len(category.levels)):
                raise ValueError("a person is on a level that the category does not have")

    def to_bytes(self) -> bytes:
        """Safetensors, as a frozen cohort is kept."""
        return bytes(save({name: np.ascontiguousarray(value) for name, value in vars(self).items()}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of :meth:`to_bytes`."""
        return cls(**load(content))
