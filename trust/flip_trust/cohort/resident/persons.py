"""A Trust's persons and their periods of observation, in columns by a running number instead of by their ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from flip_trust.cohort.resident.tables import Days, Ints, Rows, Table, as_days, concepts_of
from flip_trust.ingest.links import opted_out_persons

PERSON = "person"
PERIOD = "observation_period"


@dataclass(frozen=True)
class Persons:
    """Persons in the order of ``person_id``; everything else refers to them by their place in it.

    Attributes:
        ids: ``person_id``, ascending.
        born: ``year_of_birth``; -9999 where it is missing, which no age fits.
        table: the file, for what is asked for seldom.
        gone: ``person_id`` of those who opted out: they are not among the persons.
    """

    ids: Ints
    born: Days = field(repr=False)
    table: Table = field(repr=False)
    gone: pl.Series = field(repr=False)
    _columns: dict[str, Ints] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, folder: Path) -> Persons:
        """The persons of a folder of OMOP tables.

        Raises:
            SetupError: there is no person table, or it lacks a column.
        """
        table = Table.at(folder / f"{PERSON}.parquet")
        opted_out = opted_out_persons(folder)
        gone = opted_out.collect()["person_id"] if opted_out is not None else pl.Series([], dtype=pl.Int64)
        frame = _present(table.read("person_id", "year_of_birth"), gone)
        born = frame.get_column("year_of_birth").cast(pl.Int32).fill_null(-9999).to_numpy()
        return cls(frame.get_column("person_id").cast(pl.Int64).to_numpy(), born, table, gone)

    def column(self, name: str) -> Ints:
        """A column of concepts, such as ``gender_concept_id``."""
        if name not in self._columns:
            self._columns[name] = concepts_of(_present(self.table.read("person_id", name), self.gone), name)
        return self._columns[name]

    def coded(self, name: str) -> tuple[Ints, Ints]:
        """The values of a column, ascending, and each person's place among them."""
        if f"{name}, coded" not in self._columns:
            values, codes = np.unique(self.column(name), return_inverse=True)
            self._columns[f"{name}, values"], self._columns[f"{name}, coded"] = values, codes.astype(np.int64)
        return self._columns[f"{name}, values"], self._columns[f"{name}, coded"]

    def places(self, ids: Ints) -> tuple[Rows, np.ndarray]:
        """The places of some ids, and which of them are known."""
        at = np.searchsorted(self.ids, ids)
        at[at == len(self.ids)] = 0
        known = self.ids[at] == ids if len(self.ids) else np.zeros(len(ids), dtype=bool)
        return at, known

    @property
    def nbytes(self) -> int:
        """Resident memory."""
        return self.ids.nbytes + self.born.nbytes + sum(column.nbytes for column in self._columns.values())


@dataclass(frozen=True)
class Periods:
    """Observation periods, by person and then by start.

    Attributes:
        first: where each person's periods begin, one more than there are persons.
        start, end: days since 1970.
    """

    first: Rows
    start: Days = field(repr=False)
    end: Days = field(repr=False)

    @classmethod
    def read(cls, folder: Path, persons: Persons) -> Periods:
        """The observation periods of a folder of OMOP tables.

        Raises:
            SetupError: there is no observation_period table, or it lacks a column.
        """
        names = "person_id", "observation_period_start_date", "observation_period_end_date"
        frame = Table.at(folder / f"{PERIOD}.parquet").read(*names)
        frame = frame.select(
            pl.col("person_id").cast(pl.Int64), as_days(names[1]).alias("start"), as_days(names[2]).alias("end")
        )
        frame = frame.drop_nulls().sort("person_id", "start", "end")
        place, known = persons.places(frame.get_column("person_id").to_numpy())
        start, end = (frame.get_column(name).to_numpy().astype(np.int32)[known] for name in ("start", "end"))
        return cls(np.searchsorted(place[known], np.arange(len(persons.ids) + 1)), start, end)

    @cached_property
    def single(self) -> bool:
        """Whether nobody has more than one, as most data sets are; everything is simpler then."""
        return bool(np.all(np.diff(self.first) <= 1))

    @property
    def nbytes(self) -> int:
        """Resident memory."""
        return self.first.nbytes + self.start.nbytes + self.end.nbytes


def _present(frame: pl.DataFrame, gone: pl.Series) -> pl.DataFrame:
    persons = _unique(frame)
    return persons.filter(~pl.col("person_id").cast(pl.Int64).is_in(gone.implode())) if len(gone) else persons


def _unique(frame: pl.DataFrame) -> pl.DataFrame:
    ids = frame.get_column("person_id")
    if ids.is_sorted() and ids.n_unique() == len(ids):
        return frame
    return frame.unique("person_id", keep="first", maintain_order=True).sort("person_id")
