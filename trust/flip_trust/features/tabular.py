"""The features of each row, out of OMOP tables: raw values, not clamped yet; nan where there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from flip_sdk.contract.features import AgeFeature, AnyFeature, EventFeature, Feature, SexFeature, Statistic, Window
from flip_sdk.mechanisms.snapshot import Array

from flip_trust.cohort.members import latest_values
from flip_trust.cohort.omop import Omop
from flip_trust.features.events import as_date, days_with, had, in_window
from flip_trust.features.rows import Rows

_YEAR = 365.25


def is_plain(feature: Feature) -> bool:
    """Whether it is the latest value ever recorded."""
    return feature.statistic == "latest" and feature.window is None


def values_of(features: tuple[AnyFeature, ...], rows: Rows, omop: Omop) -> Array:
    """``[rows, features]``."""
    values: Array = np.full((len(rows), len(features)), np.nan)
    plain = {i: one.concept_id for i, one in enumerate(features) if isinstance(one, Feature) and is_plain(one)}
    if plain:
        values[:, list(plain)] = latest_values(rows.people, omop, list(plain.values()))[rows.owners]
    by_window: dict[Window | None, dict[int, Feature]] = {}
    for i, feature in enumerate(features):
        if not isinstance(feature, Feature):
            values[:, i] = _value(feature, rows, omop)
        elif i not in plain:
            by_window.setdefault(feature.window, {})[i] = feature
    for window, measured in by_window.items():
        _fill(values, measured, window, rows, omop)
    return values


def _value(feature: AgeFeature | SexFeature | EventFeature, rows: Rows, omop: Omop) -> Array:
    match feature:
        case AgeFeature():
            return _ages(rows, omop)
        case SexFeature():
            sexes = _persons(rows, omop.persons())["gender_concept_id"]
            return (sexes == feature.concept_id).fill_null(value=False).cast(pl.Float64).to_numpy()
        case EventFeature():
            asked = feature.domain, feature.concept_ids, feature.window, rows, omop
            if feature.statistic == "any":
                return had(*asked).astype(np.float64)
            return np.minimum(days_with(*asked), feature.most).astype(np.float64)


def _fill(values: Array, features: Mapping[int, Feature], window: Window | None, rows: Rows, omop: Omop) -> None:
    """Fill in the measurements of one window, by column: the table is read once, however many there are."""
    frame = omop.table("measurement")
    names = frame.collect_schema().names()
    order = [name for name in ("measurement_datetime", "measurement_id") if name in names]
    value, concept = pl.col("value_as_number").cast(pl.Float64), pl.col("measurement_concept_id")
    wanted = {feature.concept_id for feature in features.values()}
    records = frame.filter(concept.is_in(list(wanted)) & value.is_finite()).select(
        pl.col("person_id").cast(pl.Int64),
        as_date(frame, "measurement_date").alias("date"),
        concept.cast(pl.Int64).alias("concept"),
        value.alias("value"),
        *order,
    )
    statistics = sorted({feature.statistic for feature in features.values()})
    found = (
        in_window(records, window, rows)
        .group_by("row", "concept")
        .agg(_statistic(one, ["date", *order, "value"]).cast(pl.Float64).alias(one) for one in statistics)
        .collect()
    )
    for column, feature in features.items():
        own = found.filter(pl.col("concept") == feature.concept_id)
        values[:, column] = 0.0 if feature.statistic == "count" else np.nan
        values[own["row"].to_numpy(), column] = own[feature.statistic].to_numpy()


def _statistic(statistic: Statistic, order: list[str]) -> pl.Expr:
    """One number of a row's records. Undated ones are before all others for the latest, after for the first."""
    value = pl.col("value")
    match statistic:
        case "latest":
            return value.sort_by(order, nulls_last=False).last()
        case "first":
            return value.sort_by(order, nulls_last=True).first()
        case "mean":
            # sorted, so that the sum is the same in whatever order the rows came
            return value.sort().mean()
        case "minimum":
            return value.min()
        case "maximum":
            return value.max()
        case "count":
            return value.len()


def _ages(rows: Rows, omop: Omop) -> Array:
    """In years; where only the year of birth is recorded, as if born in its middle."""
    frame = omop.table("person").unique("person_id", keep="first")
    schema = frame.collect_schema()

    def recorded(name: str, most: int, otherwise: int) -> pl.Expr:
        if name not in schema.names():
            return pl.lit(otherwise)
        number = pl.col(name).cast(pl.Int32, strict=False)
        return pl.when(number.is_between(1, most)).then(number).otherwise(otherwise)

    year = pl.col("year_of_birth").cast(pl.Int32)
    first = pl.date(pl.when(year.is_between(1800, 2200)).then(year), recorded("month_of_birth", 12, 7), 1)
    # not by pl.date: a day that its month does not have is the day after, no error
    born = first + pl.duration(days=recorded("day_of_birth", 31, 1) - 1)
    if "birth_datetime" in schema.names():
        born = pl.coalesce(as_date(frame, "birth_datetime"), born)
    persons = _persons(rows, frame.select("person_id", born.alias("born")))
    days = (persons["index_day"] - persons["born"]).dt.total_days()
    return (days.cast(pl.Float64) / _YEAR).fill_null(np.nan).to_numpy()


def _persons(rows: Rows, persons: pl.LazyFrame) -> pl.DataFrame:
    """The person of each row, in the rows' order."""
    known = persons.with_columns(pl.col("person_id").cast(pl.Int64))
    return rows.frame.lazy().join(known, on="person_id", how="left", maintain_order="left").collect()
