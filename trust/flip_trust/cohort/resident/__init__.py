"""A Trust's OMOP tables, resident in memory in the form that counting needs; refreshed when the files change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import RLock

import numpy as np

from flip_trust.cohort.resident.bitmaps import Bitmap
from flip_trust.cohort.resident.columns import Columns, key_of, place_of
from flip_trust.cohort.resident.domains import DOMAINS, Domain
from flip_trust.cohort.resident.persons import Periods, Persons
from flip_trust.cohort.resident.tables import Ints, Mask, Rows, Stamp, Table, stamp
from flip_trust.cohort.resident.vocabulary import Vocabulary

__all__ = ["DOMAINS", "Bitmap", "Columns", "Domain", "Periods", "Persons", "Resident", "Vocabulary", "resident"]

MAX_KEPT = 512 * 2**20
"""Bytes of sorted events and bitmaps of concept sets that are kept for the next question."""


@dataclass
class _Kept:
    """What was made of a concept set, least lately used first."""

    things: OrderedDict[object, Rows | Bitmap] = field(default_factory=OrderedDict)
    nbytes: int = 0

    def get(self, name: object, make: Callable[[], Rows | Bitmap]) -> Rows | Bitmap:
        if name in self.things:
            self.things.move_to_end(name)
            return self.things[name]
        made = self.things[name] = make()
        self.nbytes += _size(made)
        while self.nbytes > MAX_KEPT and len(self.things) > 1:
            self.nbytes -= _size(self.things.popitem(last=False)[1])
        return made


class Resident:
    """The tables of one home. A table is loaded when it is first asked for.

    Args:
        omop: the folder of OMOP tables in Parquet.
        vocabulary: the folder of Athena's tables.
    """

    def __init__(self, omop: Path, vocabulary: Path) -> None:
        self.omop = omop
        self.vocabulary_folder = vocabulary
        self.lock = RLock()
        self._stamps: dict[Path, Stamp] = {}
        self._persons: Persons | None = None
        self._periods: Periods | None = None
        self._vocabulary: Vocabulary | None = None
        self._columns: dict[str, Columns] = {}
        self._kept = _Kept()

    def refresh(self) -> None:
        """Forget everything if a file that was read is another one now. To be called before each evaluation."""
        with self.lock:
            if any(stamp(path) != known for path, known in self._stamps.items()):
                self._forget()

    @property
    def persons(self) -> Persons:
        """The persons."""
        with self.lock:
            if self._persons is None:
                for name in ("person", "opted_out", "person_link"):
                    self._watch(self.omop / f"{name}.parquet")
                self._persons = Persons.read(self.omop)
            return self._persons

    @property
    def periods(self) -> Periods:
        """The observation periods."""
        with self.lock:
            if self._periods is None:
                self._watch(self.omop / "observation_period.parquet")
                self._periods = Periods.read(self.omop, self.persons)
            return self._periods

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary."""
        with self.lock:
            if self._vocabulary is None:
                for name in ("concept", "concept_ancestor", "concept_relationship"):
                    self._watch(self.vocabulary_folder / f"{name}.parquet")
                self._vocabulary = Vocabulary(self.vocabulary_folder)
            return self._vocabulary

    def is_loaded(self, name: str) -> bool:
        """Whether a domain's events are in memory."""
        return name in self._columns

    def columns(self, name: str) -> Columns:
        """The events of a domain, such as ``ConditionOccurrence``.

        Raises:
            SetupError: there is no such table, or it lacks a column.
        """
        with self.lock:
            if name not in self._columns:
                domain = DOMAINS[name]
                path = self.omop / f"{domain.table}.parquet"
                self._watch(path)
                self._columns[name] = Columns.read(domain, Table.at(path), self.persons)
            return self._columns[name]

    def rows(self, name: str, concepts: frozenset[int] | None) -> Rows:
        """Events of a concept set by person and date, kept for the next question."""
        with self.lock:
            made = self._kept.get(("rows", name, concepts), lambda: self.columns(name).rows(concepts))
            assert isinstance(made, np.ndarray)
            return made

    def keys(self, name: str, concepts: frozenset[int] | None) -> Ints:
        """The keys of :meth:`rows`, side by side in memory: to gather them takes longer than to count them."""
        with self.lock:
            made = self._kept.get(("keys", name, concepts), lambda: self.columns(name).keys[self.rows(name, concepts)])
            assert isinstance(made, np.ndarray)
            return made

    def bitmap(self, name: str, concepts: frozenset[int], since: int | None = None, until: int | None = None) -> Bitmap:
        """Who has an event of a concept set, from day ``since`` to day ``until`` (since 1970, both included)."""
        with self.lock:
            made = self._kept.get(
                ("persons", name, concepts, since, until), lambda: self._bitmap(name, concepts, since, until)
            )
            assert isinstance(made, Bitmap)
            return made

    def demographic(self, column: str, concepts: Iterable[int]) -> Bitmap:
        """Who has one of these concepts in a column of the person table."""
        wanted = frozenset(concepts)
        with self.lock:
            made = self._kept.get(
                ("person", column, wanted), lambda: Bitmap.of(np.isin(self.persons.column(column), list(wanted)))
            )
            assert isinstance(made, Bitmap)
            return made

    def born(self, since: int, until: int) -> Bitmap:
        """Who was born from one year to another, both included."""
        years = self.persons.born
        return Bitmap.of((years >= since) & (years <= until))

    @property
    def nbytes(self) -> int:
        """Resident memory, what is kept of concept sets included."""
        with self.lock:
            parts = self._persons, self._periods, self._vocabulary
            held = sum(part.nbytes for part in parts if part is not None)
            return self._kept.nbytes + held + sum(columns.nbytes for columns in self._columns.values())

    def _bitmap(self, name: str, concepts: frozenset[int], since: int | None, until: int | None) -> Bitmap:
        columns = self.columns(name)
        mask = np.zeros(len(self.persons.ids), dtype=bool)
        for part in columns.slices(concepts):
            keys = columns.keys[part]
            mask[place_of(keys if since is until is None else keys[_between(keys, since, until)])] = True
        return Bitmap.of(mask)

    def _watch(self, path: Path) -> None:
        self._stamps[path] = stamp(path)

    def _forget(self) -> None:
        self._stamps.clear()
        self._persons = self._periods = self._vocabulary = None
        self._columns, self._kept = {}, _Kept()


@cache
def resident(omop: Path) -> Resident:
    """The one resident copy of a home's tables in this process; the vocabulary lies beside them."""
    return Resident(omop, omop.parent / "vocabulary")


def _between(keys: Ints, since: int | None, until: int | None) -> Mask:
    day = keys & ((1 << 32) - 1)
    nobody = np.zeros(1, dtype=np.int64)
    low = 0 if since is None else int(key_of(nobody, since)[0])
    high = (1 << 32) - 1 if until is None else int(key_of(nobody, until)[0])
    return (day >= low) & (day <= high)


def _size(thing: Rows | Bitmap) -> int:
    return thing.words.nbytes if isinstance(thing, Bitmap) else thing.nbytes
