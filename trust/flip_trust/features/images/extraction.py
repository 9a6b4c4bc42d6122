"""Series and slides turned into images, spread over processes; each batch leaves one file of the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import polars as pl
from flip_sdk.contract.images import SeriesImages
from flip_sdk.mechanisms.images.pipeline import ImageTooLargeError, Pipeline, Shown

from flip_trust import scaleout
from flip_trust.agent import log
from flip_trust.deidentification.pixels import hush
from flip_trust.errors import UnfitImageError
from flip_trust.features.images.cache import SCHEMA, Kept, write_shard
from flip_trust.features.images.series import Instance, images_of

BATCH: Final = 16
_log = logging.getLogger(__name__)
Done = Callable[[int], object]


@dataclass(frozen=True)
class Order:
    """One series to be turned into images.

    Attributes:
        item: its number.
        content: what its files are, as the cache remembers it.
        instances: its files.
    """

    item: int
    content: str
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of an order: so many images in a file of the cache, or the reason why there are none."""

    item: int
    content: str
    shard: str = ""
    first: int = 0
    images: int = 0
    reason: str = ""


def extract(
    orders: Sequence[Order], asked: SeriesImages, kept: Kept, where: scaleout.Where, done: Done = lambda _: None
) -> pl.DataFrame:
    """Turn series into images and remember them; one that cannot be is remembered with the reason.

    Args:
        orders: what is to be done.
        asked: what the job wants.
        kept: the pipeline's part of the cache.
        where: on what.
        done: told of so many that are done.

    Returns:
        A row for each order, of :data:`~flip_trust.features.images.cache.SCHEMA`.

    Raises:
        SetupError: the cluster cannot be used, or went away.
    """
    work = partial(_batch, text=asked.model_dump_json(), folder=str(kept.folder.absolute()))
    found = []
    for ended in scaleout.run(work, scaleout.batched(orders, BATCH), where):
        outcomes = list(_outcomes(ended))
        rows = pl.DataFrame(outcomes, schema=SCHEMA)
        if not _passing(ended):
            kept.add(rows)
        found.append(rows)
        done(len(outcomes))
    return pl.concat(found) if found else pl.DataFrame(schema=SCHEMA)


def _outcomes(ended: scaleout.Done[Order, list[Outcome]] | scaleout.Failed[Order]) -> Iterator[Outcome]:
    outcomes = (
        ended.result
        if isinstance(ended, scaleout.Done)
        else [Outcome(ended.item.item, ended.item.content, reason=ended.why)]
    )
    for one in outcomes:
        if one.reason:
            log.event(_log, "images.unfit", level=logging.WARNING, item=one.item, reason=one.reason)
        yield one


def _passing(ended: scaleout.Done[Order, list[Outcome]] | scaleout.Failed[Order]) -> bool:
    """Whether it is the machine's fault and not the file's: then a later job tries again."""
    return isinstance(ended, scaleout.Failed) and ended.why != scaleout.KILLED


def _batch(orders: list[Order], text: str, folder: str) -> list[Outcome]:
    """Runs in a worker."""
    made = [(order, *_attempt(order, text)) for order in orders]
    images = [shown for _, shown, _ in made if shown is not None]
    shard, first, outcomes = write_shard(Path(folder), images) if images else "", 0, []
    for order, shown, reason in made:
        if shown is None:
            outcomes.append(Outcome(order.item, order.content, reason=reason))
            continue
        outcomes.append(Outcome(order.item, order.content, shard, first, len(shown)))
        first += len(shown)
    return outcomes


def _attempt(order: Order, text: str) -> tuple[Shown | None, str]:
    try:
        asked, pipeline = _pipeline(text)
        return images_of(order.instances, asked, pipeline), ""
    except UnfitImageError as error:
        return None, error.reason
    except ImageTooLargeError:
        return None, "it would need too much memory"
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 (damaged files raise whatever their damage leads to)
        return None, type(error).__name__


@lru_cache(maxsize=4)
def _pipeline(text: str) -> tuple[SeriesImages, Pipeline]:
    import torch

    torch.set_num_threads(1)
    hush()
    asked = SeriesImages.model_validate_json(text)
    return asked, Pipeline(asked)
