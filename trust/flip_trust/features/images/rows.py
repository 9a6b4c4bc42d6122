"""Images of persons as rows: chosen, taken from the cache or made, written as one file that a job maps."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from flip_sdk.contract.images import AnyImages
from flip_sdk.mechanisms.images.pipeline import Shown

from flip_trust.agent import log
from flip_trust.config import TrustConfig
from flip_trust.durable import sync_folder
from flip_trust.features.images import cache
from flip_trust.features.images.filling import Progress, fill, pipeline_of
from flip_trust.features.room import require_room
from flip_trust.scaleout import Where

ROWS: dict[str, pl.DataType] = {"person_id": pl.Int64(), "day": pl.Date()}
_log = logging.getLogger(__name__)


def image_rows(
    asked: AnyImages, persons: pl.DataFrame, home: Path, most: int, target: Path, where: Where | None = None
) -> pl.DataFrame:
    """Write the images of persons, one row each, and say whose they are.

    A series or slide that cannot be used counts as if it were not there, and the next one that fits takes its place.
    What was made of one is kept for later jobs.

    Args:
        asked: what the job wants.
        persons: ``person_id`` (Int64), each once, and ``index_day`` (Date or null), in the order of the rows.
        home: of the Trust.
        most: rows that one person has at most; of more, some are drawn by the operating system's random numbers.
        target: written as ``[rows, asked.values]`` float16, little endian, in [-1, 1], readable by its owner alone;
            whole or not at all, and on the disk when this returns.
        where: on what images are made; the Trust's settings unless given.

    Returns:
        A row for each of the target's: ``person_id`` and ``day`` of the image, persons in the given order and each
        person's rows next to each other, by date. Persons without an image are left out.

    Raises:
        RefusedError: IMAGES_TOO_LARGE, they do not fit the disk.
        SetupError: settings, profile or cluster cannot be used.
    """
    order = persons.select("person_id", "index_day", person=pl.int_range(pl.len()))
    with cache.opened(home, pipeline_of(asked, home), asked.values) as kept:
        rows = fill(asked, order, home, most, kept, where or where_for(home), _logged())
        rows = rows.join(order.select("person_id", "person"), on="person_id").sort("person", "day", "item", "number")
        placed = rows.select(row=pl.int_range(pl.len()), shard="shard", at=pl.col("first") + pl.col("number"))
        require_room(target.parent, len(rows), asked.values)
        with _whole(target, (len(rows), asked.values)) as images:
            kept.copy(placed, images)
    cache.make_room(home, TrustConfig.load(home).image_cache_gigabytes * 2**30)
    return rows.select(list(ROWS))


def where_for(home: Path) -> Where:
    """On what the agent makes images for jobs, by the Trust's settings."""
    config = TrustConfig.load(home)
    return Where(config.dask, config.feature_workers)


def _logged() -> Progress:
    """A line in the log each time that another tenth is done."""
    told = [0]

    def progress(done: int, of: int) -> None:
        if (tenth := 10 * done // max(of, 1)) != told[0]:
            told[0] = tenth
            log.event(_log, "images.progress", done=done, of=of)

    return progress


@contextmanager
def _whole(target: Path, shape: tuple[int, int]) -> Iterator[Shown]:
    """A file as an array to be filled, which has its name once it is whole and on the disk."""
    temporary = target.with_name(f".{target.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        size = 2 * shape[0] * shape[1]
        os.truncate(descriptor, size)
        yield np.memmap(temporary, "<f2", "r+", shape=shape) if size else np.zeros(shape, np.float16)
        os.fsync(descriptor)
        temporary.rename(target)
        sync_folder(target.parent)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
