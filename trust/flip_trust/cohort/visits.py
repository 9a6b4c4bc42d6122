"""A person's rows, one for each date of measurement: so many at most, drawn by the operating system's random numbers.

The draw is made once, before the cohort is frozen, so that every round of a job sees the same rows of a person. It
depends on nothing that was measured.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from flip_trust.cohort.omop import Omop


def rows_of(
    persons: pl.DataFrame, omop: Omop, concepts: Sequence[int], most: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Features ``[rows, d]`` and whose row each is, ``[rows]``, a person's rows next to each other.

    Args:
        persons: ``person_id``, each once.
        omop: the tables.
        concepts: the features' concepts, in the order of the columns.
        most: rows that one person has at most. Somebody without any measurement has one row, in which all is missing.
    """
    values = omop.by_date(concepts).collect().join(persons, on="person_id", how="semi")
    rows = (
        persons.with_row_index("person")
        .join(_drawn(values, most), on="person_id", how="left", maintain_order="left")
        .with_row_index("row")
    )
    at_row = rows.select("row", "person_id", "date")
    placed = values.join(at_row, on=["person_id", "date"], how="inner", nulls_equal=True)
    columns = {concept_id: column for column, concept_id in enumerate(concepts)}
    features = np.full((len(rows), len(concepts)), np.nan)
    features[placed["row"].to_numpy(), [columns[c] for c in placed["measurement_concept_id"]]] = placed["value"]
    return features, rows["person"].cast(pl.Int64).to_numpy()


def _drawn(values: pl.DataFrame, most: int) -> pl.DataFrame:
    dates = values.select("person_id", "date").unique()
    keys = pl.Series("key", np.frombuffer(os.urandom(8 * len(dates)), dtype=np.uint64))
    drawn = dates.with_columns(keys).filter(pl.col("key").rank("ordinal").over("person_id") <= most)
    return drawn.select("person_id", "date")
