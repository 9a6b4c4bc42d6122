"""Images of persons as rows: chosen, taken from the cache or made, written as one file that a job maps."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from flip_sdk.contract.images import AnyImages, SeriesImages
from flip_sdk.mechanisms.images.pipeline import Shown
from flip_sdk.mechanisms.images.slices import images_of

from flip_trust.agent import log
from flip_trust.config import TrustConfig
from flip_trust.durable import sync_folder
from flip_trust.errors import SetupError
from flip_trust.features.images import cache
from flip_trust.features.images.cache import Kept
from flip_trust.features.images.extraction import Order, extract
from flip_trust.features.images.selection import instances_of, series_for
from flip_trust.features.room import require_room
from flip_trust.imaging.cleaned import profile_of
from flip_trust.scaleout import Where

ROWS: dict[str, pl.DataType] = {"person_id": pl.Int64(), "day": pl.Date()}
_PIXELS = {"form", "transforms", "size", "low", "high"}
_log = logging.getLogger(__name__)


def image_rows(
    asked: AnyImages, persons: pl.DataFrame, home: Path, most: int, target: Path, where: Where | None = None
) -> pl.DataFrame:
    """Write the images of persons, one row each, and say whose they are.

    A series that cannot be used counts as if it were not there, and the next one that fits takes its place. What was
    made of a series is kept for later jobs.

    Args:
        asked: what the job wants.
        persons: ``person_id`` (Int64), each once, and ``index_day`` (Date or null), in the order of the rows.
        home: of the Trust.
        most: rows that one person has at most; of more, some are drawn by the operating system's random numbers.
        target: written as ``[rows, asked.values]`` float16, little endian, in [-1, 1], readable by its owner alone;
            whole or not at all, and on the disk when this returns.
        where: on what series are turned into images; the Trust's settings unless given.

    Returns:
        A row for each of the target's: ``person_id`` and ``day`` of the image, persons in the given order and each
        person's rows next to each other, by date. Persons without an image are left out.

    Raises:
        RefusedError: IMAGES_TOO_LARGE, they do not fit the disk.
        SetupError: settings, profile or cluster cannot be used.
    """
    order = persons.select("person_id", "index_day", person=pl.int_range(pl.len()))
    with cache.opened(home, pipeline_of(asked, home), asked.values) as kept:
        rows = _made(asked, order, home, most, kept, where or _where(home))
        rows = rows.join(order.select("person_id", "person"), on="person_id").sort("person", "day", "item", "number")
        placed = rows.select(row=pl.int_range(pl.len()), shard="shard", at=pl.col("first") + pl.col("number"))
        require_room(target.parent, len(rows), asked.values)
        with _whole(target, (len(rows), asked.values)) as images:
            kept.copy(placed, images)
    return rows.select(list(ROWS))


def pipeline_of(asked: AnyImages, home: Path) -> cache.Pipeline:
    """What decides how these images come out."""
    pixels = asked.model_dump(mode="json", include=_PIXELS if isinstance(asked, SeriesImages) else None)
    made_by = ("1", version("monai"), version("pydicom"))
    return cache.Pipeline(asked=pixels, profile=profile_of(home).digest, made_by=made_by)


def _where(home: Path) -> Where:
    config = TrustConfig.load(home)
    return Where(config.dask, config.feature_workers)


def _made(asked: AnyImages, persons: pl.DataFrame, home: Path, most: int, kept: Kept, where: Where) -> pl.DataFrame:
    """The rows that are drawn, all of them in the cache: ``person_id``, ``day``, ``item``, ``number``, shard, first.

    What turns out to be unfit, or to have fewer images than its slices promised, is drawn again for.
    """
    if not isinstance(asked, SeriesImages):
        raise SetupError("Tiles of slides cannot be made here yet.", "Ask for series.")
    candidates = series_for(asked, home, persons)
    candidates = candidates.with_columns(planned=_planned(asked, candidates["slices"]), key=_keys(len(candidates)))
    known = kept.rows()
    while True:
        told = candidates.join(known, on=["item", "content"], how="left", maintain_order="left")
        drawn = _drawn(asked, told, most)
        unmade = drawn.filter(pl.col("shard").is_null())
        missing = unmade["item"].unique()
        if missing.is_empty():
            return drawn
        require_room(home, len(unmade), asked.values)
        orders = _orders(home, candidates, missing)
        log.event(_log, "images.extraction", series=len(orders))
        known = pl.concat([known, extract(orders, asked, kept, where)]).unique("item", keep="last")


def _planned(asked: SeriesImages, slices: pl.Series) -> pl.Series:
    counts = {int(n): images_of(asked.form, int(n)) for n in slices.unique()}
    return slices.replace_strict(counts, return_dtype=pl.Int64) if counts else slices


def _keys(count: int) -> pl.Series:
    return pl.Series(np.frombuffer(os.urandom(8 * count), dtype=np.uint64))


def _drawn(asked: AnyImages, candidates: pl.DataFrame, most: int) -> pl.DataFrame:
    usable = candidates.filter(pl.col("reason").fill_null("") == "")
    if asked.which != "all":
        usable = usable.unique("person_id", keep="first", maintain_order=True)
    images = usable.with_columns(number=pl.int_ranges(pl.coalesce("images", "planned"))).explode("number")
    chance = pl.struct("key", "number").hash(0)
    return images.filter(chance.rank("ordinal").over("person_id") <= most)


def _orders(home: Path, candidates: pl.DataFrame, items: pl.Series) -> list[Order]:
    contents = dict(candidates.select("item", "content").iter_rows())
    files = instances_of(home, items)
    return [Order(item, contents[item], files.get(item, ())) for item in items]


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
