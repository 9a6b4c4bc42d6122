"""Rows of instances as rows of series: MI-CDM's ``image_occurrence``, and ``image_series`` with their geometry.

``image_series`` is ours: what a job needs to choose series and to plan resampling, without opening a file.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from flip_trust.ingest import store
from flip_trust.ingest.cdm import Column, TableDefinition, definition
from flip_trust.ingest.vocabulary import Vocabulary

_COLUMNS = {
    "image_occurrence_id": "integer",
    "person_id": "integer",
    "modality": "string",
    "body_part": "string",
    "sop_class": "string",
    "transfer_syntax": "string",
    "instances": "integer",
    "frames": "integer",
    "conflicts": "integer",
    "rows": "integer",
    "columns": "integer",
    "spacing_row": "float",
    "spacing_column": "float",
    "thickness": "float",
    "plane": "string",
    "orientation": "string",
    "first_position": "float",
    "last_position": "float",
    "gap": "float",
    "largest_gap": "float",
    "uniform": "integer",
}
IMAGE_SERIES = TableDefinition(
    "image_series",
    tuple(Column(name, kind, name.endswith("_id")) for name, kind in _COLUMNS.items()),
    ("image_occurrence_id",),
)
"""Lengths in mm. ``uniform`` is 1 where all images agree in size, spacing and orientation, and no slice is missing.
``conflicts`` counts instances that claim another one's UID; nothing else is taken from them."""
_SHAPE = ("rows", "columns", "spacing_row", "spacing_column", "orientation")
_TOLERANCE = 0.01
_PLANES = ("sagittal", "coronal", "axial")


def write(home: Path, instances: pl.DataFrame) -> None:
    """Replace the rows of these series; ``instances`` has all the indexed instances of each."""
    folder = home / "omop"
    geometry = of_series(instances)
    with store.writing(folder):
        store.merge(folder, IMAGE_SERIES, geometry)
        occurrences = _occurrences(home, instances)
        if not occurrences.is_empty():
            # a visit that FHIR told of is kept
            store.merge(folder, definition("image_occurrence"), occurrences, amend=True)


def of_series(instances: pl.DataFrame) -> pl.DataFrame:
    """One row a series, with :data:`IMAGE_SERIES`'s columns."""
    counted = instances.group_by("image_occurrence_id").agg(pl.col("conflict").sum().cast(pl.Int64).alias("conflicts"))
    sound = instances.filter(~pl.col("conflict")).sort("file")
    main = sound.group_by("image_occurrence_id", maintain_order=True).agg(
        pl.first("person_id"),
        *(pl.col(name).filter(pl.col(name) != "").first() for name in ("modality", "body_part")),
        pl.first("sop_class", "transfer_syntax"),
        pl.len().cast(pl.Int64).alias("instances"),
        pl.col("frames").sum(),
        pl.col("rows", "columns", "spacing_row", "spacing_column", "thickness", "orientation").drop_nulls().first(),
        pl.struct(pl.col(_SHAPE)).n_unique().alias("shapes"),
        pl.col("positions").explode().unique().drop_nulls().sort().alias("places"),
    )
    gaps = pl.col("places").list.diff(null_behavior="drop")
    even = gaps.list.max() - gaps.list.min() <= _TOLERANCE * gaps.list.max()
    main = main.with_columns(
        pl.col("places").list.first().alias("first_position"),
        pl.col("places").list.last().alias("last_position"),
        gaps.list.median().alias("gap"),
        gaps.list.max().alias("largest_gap"),
        ((pl.col("shapes") == 1) & even.fill_null(value=True)).cast(pl.Int64).alias("uniform"),
        _plane().alias("plane"),
        pl.col("orientation").list.eval(pl.element().round(4).cast(pl.String)).list.join("\\").alias("orientation"),
    )
    return main.join(counted, on="image_occurrence_id").select(list(_COLUMNS))


def _plane() -> pl.Expr:
    """Which anatomical plane the normal of the images points out of; oblique where none within about 25 degrees."""
    row, column = ([pl.col("orientation").list.get(at + i) for i in range(3)] for at in (0, 3))
    normal = [(row[i - 2] * column[i - 1] - row[i - 1] * column[i - 2]).abs() for i in range(3)]
    found = pl.when(normal[0] > 0.9).then(pl.lit(_PLANES[0])).when(normal[1] > 0.9).then(pl.lit(_PLANES[1]))
    found = found.when(normal[2] > 0.9).then(pl.lit(_PLANES[2]))
    return found.when(pl.col("orientation").is_not_null()).then(pl.lit("oblique"))


def _occurrences(home: Path, instances: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``image_occurrence``; it has no place for a series without a date."""
    rows = (
        instances.filter(~pl.col("conflict"))
        .sort("day", "file", nulls_last=True)
        .group_by("image_occurrence_id", maintain_order=True)
        .agg(
            pl.first("person_id"),
            pl.col("day").min().alias("image_occurrence_date"),
            pl.first("study_uid").alias("image_study_uid"),
            pl.first("series_uid").alias("image_series_uid"),
            pl.col("modality").filter(pl.col("modality") != "").first().alias("modality_source_value"),
            pl.col("body_part").filter(pl.col("body_part") != "").first().alias("anatomic_site_source_value"),
        )
        .filter(pl.col("image_occurrence_date").is_not_null())
    )
    codes = rows.select(vocabulary_id=pl.lit("DICOM"), code="modality_source_value").drop_nulls().unique()
    known = Vocabulary(home).resolve(codes).group_by("code").agg(pl.col("concept_id").first())
    rows = rows.join(known, left_on="modality_source_value", right_on="code", how="left", maintain_order="left")
    return rows.rename({"concept_id": "modality_concept_id"})
