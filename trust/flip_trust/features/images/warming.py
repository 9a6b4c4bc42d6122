"""Images made before a job asks for them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from flip_sdk.contract.images import AnyImages, SeriesImages

from flip_trust.config import TrustConfig
from flip_trust.features.images import cache
from flip_trust.features.images.filling import Progress, fill, pipeline_of
from flip_trust.imaging.index import Index
from flip_trust.imaging.slides import slides
from flip_trust.scaleout import Where

_NO_LIMIT = 2**62


def warm(asked: AnyImages, home: Path, where: Where, progress: Progress) -> cache.Summary:
    """Make the images of every series or slide that fits, whoever's and of whichever day.

    Args:
        asked: what a job would want; which of several, and when, is left open.
        home: of the Trust.
        where: on what.
        progress: told how many are done, and of how many.

    Returns:
        What is kept of this pipeline now.

    Raises:
        RefusedError: IMAGES_TOO_LARGE, they do not fit the disk.
        SetupError: settings, profile or cluster cannot be used.
    """
    every = asked.model_copy(update={"which": "all", "window": None})
    pipeline = pipeline_of(every, home)
    with cache.opened(home, pipeline, every.values) as kept:
        fill(every, _everybody(every, home), home, _NO_LIMIT, kept, where, progress)
    [made] = [one for one in cache.summaries(home) if one.about == pipeline]
    cache.make_room(home, TrustConfig.load(home).image_cache_gigabytes * 2**30)
    return made


def _everybody(asked: AnyImages, home: Path) -> pl.DataFrame:
    found = Index(home).instances().select("person_id")
    if not isinstance(asked, SeriesImages):
        found = pl.concat([found, slides(home).select("person_id")])
    return found.unique().with_columns(index_day=pl.lit(None, pl.Date)).collect()
