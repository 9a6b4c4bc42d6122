"""Each person's index date: the day around which windows of days are."""

from __future__ import annotations

from datetime import datetime

import polars as pl
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec

from flip_trust.cohort.circe import evaluate
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident import resident


def index_days(spec: TrainSpec | EvaluateSpec, persons: pl.DataFrame, omop: Omop, now: datetime) -> pl.DataFrame:
    """``person_id`` (Int64) and ``index_day`` of the cohort's persons, in order.

    The day is null where each image sets its own. Somebody without an entry is left out: the tables were changed
    between the cohort and its entries.
    """
    people = persons.select(pl.col("person_id").cast(pl.Int64))
    match spec.index:
        case "now":
            return people.with_columns(pl.lit(now.date(), dtype=pl.Date).alias("index_day"))
        case "entry":
            return people.join(_entries(spec, omop), on="person_id", how="inner", maintain_order="left")
        case "image":
            return people.with_columns(pl.lit(None, dtype=pl.Date).alias("index_day"))


def _entries(spec: TrainSpec | EvaluateSpec, omop: Omop) -> pl.DataFrame:
    """The day on which each person first enters the cohort's expression."""
    if spec.cohort.expression is None:
        raise ValueError("only an expression has entries")
    found = evaluate(spec.cohort.expression, resident(omop.folder))
    frame = pl.DataFrame({"person_id": found.person_id.astype("int64"), "index_day": found.start.astype("int32")})
    return frame.group_by("person_id").agg(pl.col("index_day").min().cast(pl.Date))
