"""The events of one table, resident and sorted by concept, then person, then date.

A concept's events are one slice, and a slice is a sorted list of 64-bit keys (person in the upper half, day in the
lower): who has the concept, and whether between two days, are searches in it. All other columns are read when a
criterion first asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from flip_trust.cohort.resident.domains import Domain
from flip_trust.cohort.resident.persons import Persons
from flip_trust.cohort.resident.tables import NO_CONCEPT, Days, Floats, Ints, Mask, Rows, Table, as_days, concepts_of

_DAY_ZERO = 1 << 30
"""Added to a day, so that the lower half of a key is never negative."""
_LOWER = (1 << 32) - 1


def key_of(place: npt.NDArray[np.integer], day: npt.NDArray[np.integer] | int) -> Ints:
    """The key of a person and a day; keys are in the order of persons, then days."""
    return (place.astype(np.int64) << 32) + day + _DAY_ZERO


def place_of(keys: Ints) -> Rows:
    """The person of each key."""
    return keys >> 32


def day_of(keys: Ints) -> Days:
    """The day of each key."""
    return ((keys & _LOWER) - _DAY_ZERO).astype(np.int32)


@dataclass(frozen=True)
class Columns:
    """One table's events.

    Attributes:
        domain: which columns mean what.
        concepts: the concepts that occur, ascending.
        first: where each concept's events begin, one more than there are concepts.
        keys: of each event, see :func:`key_of`.
        order: each event's place in the order of the table's own numbers, which breaks ties between dates.
        table: the file.
        undated: how many rows were left out for having no date.
    """

    domain: Domain
    concepts: Ints
    first: Rows
    keys: Ints = field(repr=False)
    order: npt.NDArray[np.uint32] = field(repr=False)
    table: Table = field(repr=False)
    undated: int = 0
    _more: dict[str, Ints | Floats | Days] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, domain: Domain, table: Table, persons: Persons) -> Columns:
        """The events of a file. Rows of unknown persons or without a date are left out.

        Raises:
            SetupError: the file is missing, or lacks a column.
        """
        frame, undated = _in_order(domain, table, persons)
        concept = frame.get_column("concept").to_numpy()
        starts = np.flatnonzero(np.r_[True, concept[1:] != concept[:-1]]) if len(concept) else np.zeros(0, np.int64)
        return cls(
            domain,
            concept[starts],
            np.r_[starts, len(concept)],
            frame.get_column("key").to_numpy(),
            frame.get_column("order").to_numpy(),
            table,
            undated,
        )

    def slices(self, concepts: Iterable[int] | None) -> list[slice]:
        """Where the events of these concepts are; of all, for None. Neighbours are joined."""
        if concepts is None:
            return [slice(0, len(self.keys))] if len(self.keys) else []
        wanted = np.unique(np.fromiter(concepts, dtype=np.int64))
        at = np.flatnonzero(np.isin(self.concepts, wanted, assume_unique=True))
        return [slice(int(self.first[i]), int(self.first[i + 1])) for i in at]

    def rows(self, concepts: Iterable[int] | None) -> Rows:
        """The events of these concepts by person and date, ties in the order of concepts."""
        slices = self.slices(concepts)
        if not slices:
            return np.zeros(0, dtype=np.int64)
        rows = np.concatenate([np.arange(part.start, part.stop) for part in slices])
        return rows if concepts is not None and len(slices) == 1 else rows[np.argsort(self.keys[rows], kind="stable")]

    def concept_at(self, rows: Rows) -> Ints:
        """The concept of each of these events."""
        return self.concepts[np.searchsorted(self.first, rows, side="right") - 1]

    def ends(self, rows: Rows) -> Days:
        """The day on which each of these events ends."""
        if not self.domain.end:
            return day_of(self.keys[rows]) + np.int32(self.domain.ends)
        if self.domain.end not in self._more:
            self._more[self.domain.end] = self._ends()
        return self._more[self.domain.end][rows].astype(np.int32)

    def ids(self, column: str, rows: Rows) -> Ints:
        """A column of ids at these events; -1 where it is missing."""
        if column not in self._more:
            self._more[column] = concepts_of(self._read(column), column)[self.order]
        return self._more[column][rows].astype(np.int64)

    def numbers(self, column: str, rows: Rows) -> Floats:
        """A column of numbers at these events; nan where it is missing."""
        if column not in self._more:
            values = self._read(column).get_column(column).cast(pl.Float64).fill_null(float("nan"))
            self._more[column] = values.to_numpy()[self.order]
        return self._more[column][rows].astype(np.float64)

    @property
    def nbytes(self) -> int:
        """Resident memory."""
        core = self.concepts.nbytes + self.first.nbytes + self.keys.nbytes + self.order.nbytes
        return core + sum(column.nbytes for column in self._more.values())

    def _ends(self) -> Days:
        supply = [self.domain.supply] if self.domain.supply in self.table.columns() else []
        frame = self._read(self.domain.start, self.domain.end, *supply)
        start = as_days(self.domain.start)
        candidates = [as_days(self.domain.end), *(start + pl.col(name).cast(pl.Int64) for name in supply)]
        ends = frame.select(pl.coalesce(*candidates, start + self.domain.ends).cast(pl.Int32).fill_null(0))
        return ends.to_series().to_numpy()[self.order]

    def _read(self, *names: str) -> pl.DataFrame:
        """Columns in the order of the table's own numbers."""
        if not self.domain.key or self.domain.key not in self.table.columns():
            return self.table.read(*names)
        frame = self.table.read(*dict.fromkeys((self.domain.key, *names)))
        numbers = frame.get_column(self.domain.key)
        return frame if numbers.is_sorted() else frame.sort(self.domain.key, maintain_order=True)


def first_of_each(keys: Ints, order: npt.NDArray[np.uint32]) -> Mask:
    """Of events by person and date, the first of each person; of several on one day, the first in order."""
    if not len(keys):
        return np.zeros(0, dtype=bool)
    place = place_of(keys)
    begins = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    sizes = np.diff(np.r_[begins, len(keys)])
    earliest = np.flatnonzero(keys == np.repeat(keys[begins], sizes))
    ranked = earliest[np.lexsort((order[earliest], keys[earliest]))]
    first = np.zeros(len(keys), dtype=bool)
    first[ranked[np.r_[True, keys[ranked][1:] != keys[ranked][:-1]]]] = True
    return first


def _in_order(domain: Domain, table: Table, persons: Persons) -> tuple[pl.DataFrame, int]:
    """``concept``, ``key`` and ``order``, sorted; and how many rows have no date."""
    held = table.columns()
    number = [domain.key] if domain.key in held else []
    frame = table.read(*dict.fromkeys(("person_id", domain.concept, domain.start, *number)))
    if number and not frame.get_column(domain.key).is_sorted():
        frame = frame.sort(domain.key, maintain_order=True)
    missing = 0 if domain.table == "death" else NO_CONCEPT
    frame = frame.with_row_index("order").select(
        pl.col("person_id").cast(pl.Int64),
        pl.col(domain.concept).cast(pl.Int64).fill_null(missing).alias("concept"),
        as_days(domain.start).alias("day"),
        pl.col("order").cast(pl.UInt32),
    )
    place, known = persons.places(frame.get_column("person_id").to_numpy())
    frame = frame.drop("person_id").with_columns(pl.Series("key", place << 32), pl.Series("known", known))
    undated = frame.get_column("day").null_count()
    frame = frame.filter(pl.col("known") & pl.col("day").is_not_null())
    frame = frame.select("concept", pl.col("key") + pl.col("day") + _DAY_ZERO, "order")
    return frame.sort("concept", "key", "order"), undated
