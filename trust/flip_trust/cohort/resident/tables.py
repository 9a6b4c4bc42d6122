"""Parquet files of a Trust's home, read column by column, and how to tell that one has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from flip_trust.errors import SetupError

Ints = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Stamp = tuple[int, int, int]

NOTHING: Stamp = (0, 0, 0)
NO_CONCEPT = -1
"""In place of a missing concept or visit: no list of concepts has it."""


def stamp(path: Path) -> Stamp:
    """What a file is known by: another one in its place has another."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return NOTHING
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Table:
    """One Parquet file, as it was at one moment: what is read later has to fit what was read before."""

    path: Path
    known_by: Stamp

    @classmethod
    def at(cls, path: Path) -> Table:
        """The file as it is now; there may be none."""
        return cls(path, stamp(path))

    def columns(self) -> frozenset[str]:
        """The columns that it has.

        Raises:
            SetupError: it is missing or cannot be read.
        """
        if not self.path.exists():
            raise SetupError(f"There is no {self.path}.", "Load the Trust's OMOP tables into its home folder.")
        try:
            return frozenset(pl.scan_parquet(self.path).collect_schema().names())
        except pl.exceptions.PolarsError as error:
            raise SetupError(f"{self.path} cannot be read.", "Load OMOP CDM 5.4 tables in Parquet.") from error

    def read(self, *names: str) -> pl.DataFrame:
        """Some of its columns.

        Raises:
            SetupError: it lacks one, cannot be read, or was replaced.
        """
        if missing := sorted(set(names) - self.columns()):
            raise SetupError(f"{self.path} lacks the columns {', '.join(missing)}.", "Load OMOP CDM 5.4 tables.")
        frame = pl.scan_parquet(self.path).select(names).collect()
        if stamp(self.path) != self.known_by:
            raise SetupError(f"{self.path} was replaced while it was read.", "Ask again.")
        return frame


def as_days(column: str) -> pl.Expr:
    """Days since 1970 of a date or date and time; null stays null."""
    return pl.col(column).cast(pl.Date).to_physical().cast(pl.Int64)


def concepts_of(frame: pl.DataFrame, column: str) -> Ints:
    """A column of ids, without nulls."""
    return frame.get_column(column).cast(pl.Int64).fill_null(NO_CONCEPT).to_numpy()
