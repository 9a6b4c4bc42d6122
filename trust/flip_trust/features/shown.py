"""The rows of a job with images: one for each image of the cohort's persons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from flip_sdk.contract.images import AnyImages
from flip_sdk.contract.inputs import records_of, width_of
from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.snapshot import Images

from flip_trust.engine.pool import MEMORY_BYTES
from flip_trust.engine.records import IMAGES_FILE, EngineError
from flip_trust.errors import RefusedError
from flip_trust.features.rows import Rows, several

ImageRows = Callable[[AnyImages, pl.DataFrame, Path, int, Path], pl.DataFrame]
"""Writes the images of persons to a file, one after the other, and tells whose each is and of which day."""
_NUMBER = np.dtype(np.float16).itemsize


def shown(
    spec: TrainSpec | EvaluateSpec, indexed: pl.DataFrame, home: Path, folder: Path, image_rows: ImageRows
) -> tuple[Rows, Images]:
    """The rows, and their images as they are mapped from the job's folder.

    Args:
        spec: what is asked, with images.
        indexed: ``person_id`` and ``index_day`` of the cohort's persons, in order.
        home: the Trust's.
        folder: the job's.
        image_rows: finds them.

    Raises:
        RefusedError: IMAGES_TOO_LARGE, they do not fit the disk, or the engine's memory beside features.
        EngineError: the rows that were found are not the cohort's.
    """
    asked, most, target = spec.images, records_of(spec), folder / IMAGES_FILE
    if asked is None:
        raise TypeError("the job has no images")
    target.unlink(missing_ok=True)
    found = image_rows(asked, indexed, home, most, target)
    target.chmod(0o600)
    rows = several(_checked(found, indexed, most, spec.index == "image"))
    if target.stat().st_size != len(rows) * asked.values * _NUMBER:
        raise EngineError(RefusalCode.ENGINE_FAILED, "the file of images has not the rows that were told")
    # features and images are put together in memory; images alone stay where they are
    if spec.features and len(rows) * width_of(spec) * 4 > MEMORY_BYTES // 2:
        raise RefusedError(RefusalCode.IMAGES_TOO_LARGE)
    shape = len(rows), asked.values
    return rows, np.memmap(target, np.float16, "r", shape=shape) if all(shape) else np.zeros(shape, np.float16)


def _checked(found: pl.DataFrame, indexed: pl.DataFrame, most: int, of_image: bool) -> pl.DataFrame:
    """Rows with their index dates: of the cohort's persons alone, in their order, so many at most of each."""
    places = indexed.with_row_index("place")
    rows = found.select(pl.col("person_id").cast(pl.Int64), "day").join(
        places, on="person_id", how="left", maintain_order="left"
    )
    place = rows["place"]
    if place.null_count() or not place.is_sorted():
        raise EngineError(RefusalCode.ENGINE_FAILED, "images are of persons outside of the cohort, or in another order")
    if len(rows) and int(place.value_counts()["count"].max()) > most:  # type: ignore[arg-type]
        raise EngineError(RefusalCode.ENGINE_FAILED, "a person has more images than allowed")
    return rows.select("person_id", pl.col("day" if of_image else "index_day").alias("index_day"))
