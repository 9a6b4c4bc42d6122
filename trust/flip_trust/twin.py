"""What a Trust's synthetic twin is measured on: one row a person, of the catalogue's concepts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.mechanisms.twins import Table, columns_of

from flip_trust.cohort.omop import Omop
from flip_trust.cohort.select import latest_values


def table_of(omop: Omop, concepts: Sequence[CatalogueConcept], year: int) -> Table:
    """The latest values, conditions, ages and genders of every person of the data set.

    Args:
        omop: the tables.
        concepts: what the catalogue names.
        year: the year in which ages are reckoned.

    Raises:
        SetupError: a table is missing.
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
    return Table(columns, tuple(np.asarray(own, dtype=np.float64) for own in values), genders)
