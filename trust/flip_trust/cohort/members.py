"""Who is in a job's cohort, and their latest values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.jobs import Part

from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.split import belongs


def members(cohort: Cohort, part: Part, project_id: str, omop: Omop, now: datetime) -> pl.DataFrame:
    """``person_id`` of the cohort's persons who are in this part of the project's persons, in order."""
    persons = persons_in(cohort, omop, now.year).collect()
    if part == "all":
        return persons
    kept = [belongs(part, project_id, person_id) for person_id in persons["person_id"]]
    return persons.filter(pl.Series(kept, dtype=pl.Boolean))


def latest_values(persons: pl.DataFrame, omop: Omop, concepts: Sequence[int]) -> npt.NDArray[np.float64]:
    """``[persons, concepts]`` latest values; nan where there is none."""
    rows = persons.select("person_id").with_row_index("row")
    columns = pl.DataFrame({"measurement_concept_id": list(concepts)}, schema={"measurement_concept_id": pl.Int64})
    found = (
        omop.latest(concepts)
        .with_columns(pl.col("measurement_concept_id").cast(pl.Int64))
        .join(rows.lazy(), on="person_id")
        .join(columns.with_row_index("column").lazy(), on="measurement_concept_id")
        .select("row", "column", "value")
        .collect()
    )
    features = np.full((len(rows), len(concepts)), np.nan)
    features[found["row"].to_numpy(), found["column"].to_numpy()] = found["value"].to_numpy()
    return features
