"""How long each person was followed and how it ended, out of dated OMOP tables: ``contract.statistics.FollowUp``."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from flip_sdk.contract.statistics import FollowUp
from flip_sdk.contract.tasks import RefusalCode

from flip_trust.cohort.omop import Omop
from flip_trust.errors import RefusedError

_PERIOD = ("person_id", "observation_period_start_date", "observation_period_end_date")
_DEATH = ("person_id", "death_date")
_CONDITION = ("person_id", "condition_concept_id", "condition_start_date")


def require_tables(follow_up: FollowUp, omop: Omop) -> None:
    """Whether the Trust keeps the dates that a follow-up needs. No patient is read.

    Raises:
        RefusedError: UNKNOWN_CONCEPT.
    """
    _table(omop, "observation_period", _PERIOD)
    if follow_up.start or follow_up.event:
        _table(omop, "condition_occurrence", _CONDITION)
    if not follow_up.event:
        _table(omop, "death", _DEATH)


def followed(follow_up: FollowUp, omop: Omop) -> pl.DataFrame:
    """``person_id``, ``days`` (from the start to the event or the end of observation), ``event`` (1 or 0).

    Persons who are not followed are not in it. Periods that end before they begin, and dates that are missing, count
    as not recorded.

    Raises:
        RefusedError: UNKNOWN_CONCEPT, a table or column is missing.
    """
    periods = _periods(omop)
    start = _first(_conditions(omop, follow_up.start)) if follow_up.start else _first(periods.rename({"begin": "date"}))
    observed = (
        start.rename({"date": "start"})
        .join(periods, on="person_id")
        .filter(pl.col("start").is_between("begin", "end"))
        .group_by("person_id", "start")
        .agg(pl.col("end").max())
    )
    happened = _conditions(omop, follow_up.event) if follow_up.event else _deaths(omop)
    # whose first event lies before the start is no longer at risk of it
    first = _first(happened).rename({"date": "first"})
    inside = pl.col("first").is_not_null() & (pl.col("first") <= pl.col("end"))
    until = pl.when(inside).then("first").otherwise("end")
    return (
        observed.join(first, on="person_id", how="left", maintain_order="none")
        .filter(pl.col("first").is_null() | (pl.col("first") >= pl.col("start")))
        .select(
            "person_id",
            (until - pl.col("start")).dt.total_days().cast(pl.Float64).alias("days"),
            inside.cast(pl.Int64).alias("event"),
        )
        .collect()
    )


def _periods(omop: Omop) -> pl.LazyFrame:
    frame = _table(omop, "observation_period", _PERIOD)
    dated = frame.select("person_id", _date(frame, _PERIOD[1]).alias("begin"), _date(frame, _PERIOD[2]).alias("end"))
    return dated.filter(pl.col("begin") <= pl.col("end"))


def _conditions(omop: Omop, concept_ids: Iterable[int]) -> pl.LazyFrame:
    frame = _table(omop, "condition_occurrence", _CONDITION)
    held = frame.filter(pl.col("condition_concept_id").is_in(list(concept_ids)))
    return held.select("person_id", _date(frame, _CONDITION[2]).alias("date"))


def _deaths(omop: Omop) -> pl.LazyFrame:
    frame = _table(omop, "death", _DEATH)
    return frame.select("person_id", _date(frame, _DEATH[1]).alias("date"))


def _first(dated: pl.LazyFrame) -> pl.LazyFrame:
    return dated.filter(pl.col("date").is_not_null()).group_by("person_id").agg(pl.col("date").min())


def _date(frame: pl.LazyFrame, column: str) -> pl.Expr:
    kind = frame.collect_schema()[column]
    return pl.col(column).str.to_date(strict=False) if kind == pl.String else pl.col(column).cast(pl.Date)


def _table(omop: Omop, name: str, columns: tuple[str, ...]) -> pl.LazyFrame:
    path = omop.folder / f"{name}.parquet"
    if not path.exists():
        raise RefusedError(RefusalCode.UNKNOWN_CONCEPT)
    frame = pl.scan_parquet(path)
    if set(columns) - set(frame.collect_schema().names()):
        raise RefusedError(RefusalCode.UNKNOWN_CONCEPT)
    return frame
