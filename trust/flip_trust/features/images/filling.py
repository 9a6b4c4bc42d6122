"""Filling the cache with what a job asks for: candidates chosen, drawn, and made where they are missing."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
from flip_sdk.contract.images import AnyImages, SeriesImages, TileImages
from flip_sdk.mechanisms.images.slices import images_of

from flip_trust.agent import log
from flip_trust.features.images.cache import Kept, Pipeline
from flip_trust.features.images.extraction import Order, extract
from flip_trust.features.images.selection import candidates_for, instances_of
from flip_trust.features.room import require_room
from flip_trust.imaging.cleaned import profile_of
from flip_trust.imaging.slides import slides
from flip_trust.scaleout import Where

_PIXELS = {
    "series": ("kind", "form", "transforms", "size", "low", "high"),
    "tiles": ("kind", "mpp", "tile", "tiles", "least_tissue", "colour"),
}
_MAKERS = ("monai", "pydicom", "wsidicom", "tiffslide")
_VERSION = "1"
_log = logging.getLogger(__name__)
Progress = Callable[[int, int], object]


def pipeline_of(asked: AnyImages, home: Path) -> Pipeline:
    """What decides how these images come out: what is done to pixels, and by which versions; not whose they are."""
    pixels = asked.model_dump(mode="json", include=set(_PIXELS[asked.kind]))
    made_by = (_VERSION, *(f"{name} {version(name)}" for name in _MAKERS))
    return Pipeline(asked=pixels, profile=profile_of(home).digest, made_by=made_by)


def fill(
    asked: AnyImages, persons: pl.DataFrame, home: Path, most: int, kept: Kept, where: Where,
    progress: Progress = lambda *_: None,
) -> pl.DataFrame:  # fmt: skip
    """Draw the images of persons, and make those that the cache lacks.

    What turns out to be unfit, or to have fewer images than was to be expected, is drawn again for.

    Args:
        asked: what the job wants.
        persons: ``person_id`` and ``index_day``.
        home: of the Trust.
        most: images that one person has at most.
        kept: the pipeline's part of the cache.
        where: on what images are made.
        progress: told how many series or slides are done, and of how many.

    Returns:
        A row for each image: ``person_id``, ``day``, ``item``, ``number`` within it, ``shard``, ``first``.

    Raises:
        RefusedError: IMAGES_TOO_LARGE, they do not fit the disk.
    """
    candidates = candidates_for(asked, home, persons)
    candidates = candidates.with_columns(planned=_planned(asked, candidates["slices"]), key=_keys(len(candidates)))
    known, done = kept.rows(), 0
    while True:
        told = candidates.join(known, on=["item", "content"], how="left", maintain_order="left")
        rows = drawn(asked, told, most)
        unmade = rows.filter(pl.col("shard").is_null())
        if unmade.is_empty():
            return rows
        require_room(home, len(unmade), asked.values)
        missing = unmade["item"].unique()
        orders, before = _orders(asked, home, candidates, missing), done
        for made in extract(orders, asked, kept, where):
            known = pl.concat([known, made]).unique("item", keep="last")
            done += len(made)
            progress(done, before + len(orders))
        log.event(_log, "images.extracted", items=len(orders), done=done)


def drawn(asked: AnyImages, candidates: pl.DataFrame, most: int) -> pl.DataFrame:
    """Which images of each person's candidates are taken: of more than ``most`` some by chance."""
    usable = candidates.filter(pl.col("reason").fill_null("") == "")
    if asked.which != "all":
        usable = usable.unique("person_id", keep="first", maintain_order=True)
    images = usable.with_columns(number=pl.int_ranges(pl.coalesce("images", "planned"))).explode("number")
    chance = pl.struct("key", "number").hash(0)
    return images.filter(chance.rank("ordinal").over("person_id") <= most)


def _planned(asked: AnyImages, slices: pl.Series) -> pl.Series:
    """How many images each is expected to have."""
    if isinstance(asked, TileImages):
        return pl.repeat(asked.tiles, len(slices), dtype=pl.Int64, eager=True)
    counts = {int(n): images_of(asked.form, int(n)) for n in slices.unique()}
    return slices.replace_strict(counts, return_dtype=pl.Int64) if counts else slices


def _keys(count: int) -> pl.Series:
    return pl.Series(np.frombuffer(os.urandom(8 * count), dtype=np.uint64))


def _orders(asked: AnyImages, home: Path, candidates: pl.DataFrame, items: pl.Series) -> list[Order]:
    contents = dict(candidates.select("item", "content").iter_rows())
    files = instances_of(home, items)
    if isinstance(asked, SeriesImages):
        return [Order(item, contents[item], files.get(item, ())) for item in items]
    tiffs = dict(slides(home).select("item", "path").collect().iter_rows())
    dicom = {item: tuple(one.path for one in instances) for item, instances in files.items()}
    return [
        Order(item, contents[item], paths=(tiffs[item],) if item in tiffs else dicom.get(item, ())) for item in items
    ]
