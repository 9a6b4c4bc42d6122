"""Which rows a frozen cohort has: whose each is, and around which day its records are looked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from flip_sdk.mechanisms.snapshot import Indices


@dataclass(frozen=True)
class Rows:
    """The rows in their order, a person's next to each other.

    Attributes:
        frame: ``row`` (0, 1, …), ``person_id`` (Int64) and ``index_day`` (Date).
        owners: ``[rows]``: the person's number, 0 … n - 1.
    """

    frame: pl.DataFrame = field(repr=False)
    owners: Indices = field(repr=False)

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def people(self) -> pl.DataFrame:
        """``person_id`` of each person once, in the order of the rows."""
        return self.frame.select("person_id").unique(maintain_order=True)

    @property
    def whose(self) -> Indices | None:
        """The owners, or None where every person has one row."""
        return None if not len(self) or int(self.owners[-1]) == len(self) - 1 else self.owners


def each_once(indexed: pl.DataFrame) -> Rows:
    """A row a person.

    Args:
        indexed: ``person_id`` and ``index_day``, each person once.
    """
    return Rows(_numbered(indexed), np.arange(len(indexed), dtype=np.int64))


def several(rows: pl.DataFrame) -> Rows:
    """Rows of which several may be one person's.

    Args:
        rows: ``person_id`` and ``index_day``, a person's rows next to each other.
    """
    owners = rows["person_id"].rle_id().cast(pl.Int64).to_numpy()
    return Rows(_numbered(rows), owners.astype(np.int64))


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col("person_id").cast(pl.Int64), "index_day").with_row_index("row")
