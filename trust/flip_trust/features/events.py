"""Records of the cohort's persons that lie in a window of days around a row's index date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import polars as pl
from flip_sdk.contract.features import EventDomain, Window

from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident import DOMAINS, Domain
from flip_trust.features.rows import Rows

TABLES: Mapping[EventDomain, Domain] = MappingProxyType(
    {
        "condition": DOMAINS["ConditionOccurrence"],
        "drug": DOMAINS["DrugExposure"],
        "procedure": DOMAINS["ProcedureOccurrence"],
        "observation": DOMAINS["Observation"],
        "visit": DOMAINS["VisitOccurrence"],
    }
)


def had(
    domain: EventDomain, concepts: Sequence[int], window: Window | None, rows: Rows, omop: Omop
) -> npt.NDArray[np.bool_]:
    """``[rows]``: whether one of these concepts is recorded in the window. Without a window, undated records count."""
    found = np.zeros(len(rows), dtype=np.bool_)
    found[_of(domain, concepts, window, rows, omop).select("row").unique().collect()["row"].to_numpy()] = True
    return found


def days_with(
    domain: EventDomain, concepts: Sequence[int], window: Window | None, rows: Rows, omop: Omop
) -> npt.NDArray[np.int64]:
    """``[rows]``: on how many different days one of these concepts is recorded in the window."""
    counted = (
        _of(domain, concepts, window or Window(start=None, end=None), rows, omop)
        .group_by("row")
        .agg(pl.col("date").n_unique())
        .collect()
    )
    found = np.zeros(len(rows), dtype=np.int64)
    found[counted["row"].to_numpy()] = counted["date"].to_numpy()
    return found


def in_window(records: pl.LazyFrame, window: Window | None, rows: Rows) -> pl.LazyFrame:
    """Records joined to the rows of their person, those in the window alone.

    Args:
        records: ``person_id`` (Int64) and ``date``, and whatever else. An undated one is in no window.
        window: around each row's index date.
        rows: whose records are wanted.
    """
    joined = records.join(rows.frame.lazy(), on="person_id", how="inner")
    if window is None:
        return joined
    day = (pl.col("date") - pl.col("index_day")).dt.total_days()
    inside = day.is_not_null() if window.start is None else day >= window.start
    return joined.filter(inside if window.end is None else inside & (day <= window.end))


def as_date(frame: pl.LazyFrame, column: str) -> pl.Expr:
    """A column of dates, of dates and times, or of text, as dates."""
    kind = frame.collect_schema()[column]
    return pl.col(column).str.to_date(strict=False) if kind == pl.String else pl.col(column).cast(pl.Date)


def _of(domain: EventDomain, concepts: Sequence[int], window: Window | None, rows: Rows, omop: Omop) -> pl.LazyFrame:
    table = TABLES[domain]
    frame = pl.scan_parquet(omop.folder / f"{table.table}.parquet")
    person = pl.col("person_id").cast(pl.Int64)
    held = frame.filter(pl.col(table.concept).is_in(list(concepts)))
    if window is None:
        return in_window(held.select(person), None, rows)
    return in_window(held.select(person, as_date(frame, table.start).alias("date")), window, rows)
