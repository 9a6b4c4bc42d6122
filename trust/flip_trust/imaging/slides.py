"""Slides that come as tiled TIFF (SVS and its like), brought in by ``flip-trust ingest slides``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from flip_trust.imaging.parted import Parted

FOLDER = "slides"
SCHEMA: dict[str, pl.DataType] = {
    "item": pl.Int64(), "person_id": pl.Int64(), "day": pl.Date(), "stain": pl.String(), "content": pl.String(),
    "slices": pl.Int64(), "path": pl.String(),
}  # fmt: skip
"""``item``: ``image_occurrence_id``; ``content``: digest of the file that was brought in; ``slices``: its tiles."""


def table(home: Path) -> Parted:
    """One row a slide; ``path`` is below the folder of slides."""
    return Parted(home / "imaging" / FOLDER / "index", SCHEMA, "item")


def slides(home: Path) -> pl.LazyFrame:
    """Every slide, its ``path`` absolute."""
    folder = (home / "imaging" / FOLDER).absolute()
    return table(home).frame().with_columns(pl.lit(f"{folder}/").add(pl.col("path")).alias("path"))
