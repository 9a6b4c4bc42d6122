"""Which series or slides of a person fit what a job asks for, in the order in which they are preferred."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from flip_sdk.contract.features import Window
from flip_sdk.contract.images import AnyImages, SeriesImages, TileImages

from flip_trust.features.images.series import Instance
from flip_trust.features.images.slides import WHOLE_SLIDE
from flip_trust.imaging.cleaned import cleaned
from flip_trust.imaging.index import Index
from flip_trust.imaging.slides import slides

CANDIDATES: dict[str, pl.DataType] = {
    "person_id": pl.Int64(), "item": pl.Int64(), "day": pl.Date(), "content": pl.String(), "slices": pl.Int64(),
}  # fmt: skip
"""``item``: of a series its ``image_occurrence_id``; ``content`` changes with its files; ``slices``: in all of them."""


def candidates_for(asked: AnyImages, home: Path, persons: pl.DataFrame) -> pl.DataFrame:
    """Fitting series or slides with a date, by person and preference, with :data:`CANDIDATES`'s columns.

    Args:
        asked: what the job wants.
        home: of the Trust.
        persons: ``person_id`` and ``index_day``.
    """
    found = _dicom(asked, home, persons)
    if isinstance(asked, TileImages):
        found = pl.concat([found, slides(home).select(list(CANDIDATES))])
    fitting = found.join(persons.lazy().select("person_id", "index_day"), on="person_id")
    fitting = fitting.filter(*in_window(asked.window), *_has_index(asked))
    return preferred(fitting, asked).select(list(CANDIDATES)).collect()


def _dicom(asked: AnyImages, home: Path, persons: pl.DataFrame) -> pl.LazyFrame:
    omop = home / "omop"
    if not all((omop / f"{name}.parquet").exists() for name in ("image_series", "image_occurrence")):
        return pl.LazyFrame(schema=CANDIDATES)
    dates = pl.scan_parquet(omop / "image_occurrence.parquet")
    series = (
        pl.scan_parquet(omop / "image_series.parquet")
        .filter(*_told(asked))
        .join(persons.lazy(), on="person_id", how="semi")
        .join(dates.select("image_occurrence_id", day="image_occurrence_date"), on="image_occurrence_id")
        .select("person_id", "image_occurrence_id", "day")
    )
    found = series.join(_sound(home, series), on="image_occurrence_id")
    if isinstance(asked, SeriesImages):
        found = found.filter(pl.col("slices") >= asked.least_instances, pl.col("whole") | (not asked.uniform))
    return found.select("person_id", "day", "content", "slices", item="image_occurrence_id").select(list(CANDIDATES))


def instances_of(home: Path, items: pl.Series) -> dict[int, tuple[Instance, ...]]:
    """The de-identified files of these series."""
    rows = (
        _instances(home)
        .filter(pl.col("image_occurrence_id").is_in(items.implode()))
        .join(cleaned(home).select("file", "path"), on="file")
        .sort("image_occurrence_id", "path")
        .collect()
    )
    of_series = rows.group_by("image_occurrence_id", maintain_order=True)
    return {int(key[0]): tuple(map(_instance, part.to_dicts())) for key, part in of_series}


def in_window(window: Window | None) -> list[pl.Expr]:
    """Whether ``day`` is in the window around ``index_day``."""
    after = (pl.col("day") - pl.col("index_day")).dt.total_days()
    bounds = [] if window is None else [(window.start, after.__ge__), (window.end, after.__le__)]
    return [compare(bound) for bound, compare in bounds if bound is not None]


def preferred(candidates: pl.LazyFrame, asked: AnyImages) -> pl.LazyFrame:
    """By person, whichever is wanted first; of several on one day the one with more slices."""
    day, largest = pl.col("day"), pl.col("slices")
    match asked.which:
        case "first" | "all":
            order, descending = [day, largest], [False, True]
        case "nearest":
            order, descending = [(day - pl.col("index_day")).abs(), day, largest], [False, False, True]
        case "largest":
            order, descending = [largest, day], [True, True]
        case _:
            order, descending = [day, largest], [True, True]
    return candidates.sort("person_id", *order, "item", descending=[False, *descending, False])


def _told(asked: AnyImages) -> list[pl.Expr]:
    if isinstance(asked, TileImages):
        return [pl.col("sop_class") == WHOLE_SLIDE]
    rules = [pl.col("modality") == asked.modality]
    if asked.body_part is not None:
        rules.append(pl.col("body_part") == asked.body_part)
    if asked.plane is not None:
        rules.append(pl.col("plane") == asked.plane)
    if asked.uniform:
        rules.append(pl.col("uniform") == 1)
    return rules


def _has_index(asked: AnyImages) -> list[pl.Expr]:
    return [pl.col("index_day").is_not_null()] if asked.which == "nearest" or asked.window is not None else []


def _sound(home: Path, series: pl.LazyFrame) -> pl.LazyFrame:
    """Of each series what is de-identified of it, and whether that is all of it."""
    known = pl.col("path").is_not_null()
    return (
        _instances(home)
        .join(series, on="image_occurrence_id", how="semi")
        .join(cleaned(home).select("file", "path"), on="file", how="left", maintain_order="none")
        .group_by("image_occurrence_id")
        .agg(
            known.all().alias("whole"),
            pl.col("frames").filter(known).sum().alias("slices"),
            pl.format("{}-{}", known.sum(), pl.col("path").filter(known).hash(0).bitwise_xor()).alias("content"),
        )
        .filter(pl.col("slices") > 0)
    )


def _instances(home: Path) -> pl.LazyFrame:
    """Of several that claim one UID only the first counts."""
    return Index(home).instances().filter(~pl.col("conflict"))


def _instance(row: dict[str, object]) -> Instance:
    rows, columns, spacing = row["rows"], row["columns"], (row["spacing_row"], row["spacing_column"])
    orientation, positions = row["orientation"], row["positions"]
    return Instance(
        path=str(row["path"]),
        frames=int(row["frames"]),  # type: ignore[call-overload]
        size=(rows or 0, columns or 0),  # type: ignore[arg-type]
        spacing=spacing if all(spacing) else None,  # type: ignore[arg-type]
        orientation=tuple(orientation) if orientation else None,  # type: ignore[arg-type]
        positions=tuple(positions or ()),  # type: ignore[arg-type]
    )
