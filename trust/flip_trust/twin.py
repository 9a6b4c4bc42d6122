"""What a Trust's synthetic twin is measured on: one row a person, of the catalogue's concepts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.twins import IMAGING
from flip_sdk.mechanisms.twin_images import Series
from flip_sdk.mechanisms.twins import Table, columns_of

from flip_trust.cohort.members import latest_values
from flip_trust.cohort.omop import Omop
from flip_trust.errors import SetupError

_SERIES = (
    "person_id",
    "image_occurrence_id",
    "modality",
    "frames",
    "rows",
    "columns",
    "spacing_row",
    "gap",
    "thickness",
)


def table_of(omop: Omop, concepts: Sequence[CatalogueConcept], year: int, *, images: bool = False) -> Table:
    """The latest values, conditions, ages and genders of every person of the data set.

    Args:
        omop: the tables.
        concepts: what the catalogue names.
        year: the year in which ages are reckoned.
        images: whether it is to tell of images: of each person's longest series. A Trust that has indexed none tells of
            nobody's.

    Raises:
        SetupError: a table is missing, or lacks a column.
    """
    columns = columns_of(concepts)
    persons = omop.persons().sort("person_id").collect()
    measured = [c.concept_id for c in columns if c.kind == "measurement" and c.concept_id is not None]
    latest = dict(zip(measured, latest_values(persons.select("person_id"), omop, measured).T, strict=True))
    values = []
    for column in columns:
        if column.concept_id is None:
            values.append((year - persons["year_of_birth"]).cast(pl.Float64).fill_null(column.low).to_numpy())
        elif column.kind == "condition":
            ill = omop.with_condition([column.concept_id]).collect()["person_id"]
            values.append(persons["person_id"].is_in(ill.implode()).cast(pl.Float64).to_numpy())
        else:
            values.append(latest[column.concept_id])
    genders = persons["gender_concept_id"].fill_null(0).cast(pl.Int64).to_numpy()
    series = longest_series(omop, persons.select("person_id")) if images else None
    return Table(columns, tuple(np.asarray(own, dtype=np.float64) for own in values), genders, series)


def longest_series(omop: Omop, persons: pl.DataFrame) -> Series:
    """Of each person, in the order of ``persons``, the series with the most images among :data:`IMAGING`.

    It is settled by the person's own rows: of equally long ones, the smallest ``image_occurrence_id``.

    Raises:
        SetupError: the table of series lacks a column.
    """
    path = omop.folder / "image_series.parquet"
    frame = pl.scan_parquet(path) if path.exists() else pl.LazyFrame(schema=dict.fromkeys(_SERIES, pl.Float64))
    if missing := sorted(set(_SERIES) - set(frame.collect_schema().names())):
        raise SetupError(f"{path} lacks the columns {', '.join(missing)}.", "Run flip-trust imaging index --again.")
    number = pl.col("modality").cast(pl.String).replace_strict(IMAGING, range(len(IMAGING)), default=-1)
    own = (
        frame.select(_SERIES)
        .with_columns(pl.col("person_id").cast(pl.Int64), number=number.cast(pl.Int64))
        .filter(pl.col("number") >= 0)
        .sort(pl.col("frames").fill_null(0), pl.col("image_occurrence_id"), descending=[True, False])
        .unique("person_id", keep="first", maintain_order=True)
    )
    people = persons.select(pl.col("person_id").cast(pl.Int64)).lazy()
    joined = people.join(own, on="person_id", how="left", maintain_order="left")
    found = joined.with_columns(pl.coalesce("gap", "thickness").alias("gap")).collect()
    columns = {"rows": "rows", "columns": "columns", "spacing": "spacing_row", "slices": "frames", "gap": "gap"}
    geometry = {told: found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for told, name in columns.items()}
    return Series(found["number"].fill_null(-1).to_numpy(), geometry)
