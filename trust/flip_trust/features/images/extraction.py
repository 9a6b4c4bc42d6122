"""Series and slides turned into images, spread over processes; each batch leaves one file of the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import polars as pl
from flip_sdk.contract.images import AnyImages, TileImages
from flip_sdk.mechanisms.images.pipeline import ImageTooLargeError, Pipeline, Shown
from pydantic import TypeAdapter

from flip_trust import scaleout
from flip_trust.agent import log
from flip_trust.deidentification.pixels import hush
from flip_trust.errors import UnfitImageError
from flip_trust.features.images.cache import SCHEMA, Kept, write_shard
from flip_trust.features.images.series import Instance, images_of
from flip_trust.features.images.slides import Place, tiles_of

BATCH: Final = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """One series or slide to be turned into images.

    Attributes:
        item: its number.
        content: what its files are, as the cache remembers it.
        instances: files of a series.
        paths: files of a slide.
    """

    item: int
    content: str
    instances: tuple[Instance, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of an order: so many images in a file of the cache, or the reason why there are none."""

    item: int
    content: str
    shard: str = ""
    first: int = 0
    images: int = 0
    reason: str = ""
    places: list[Place] = field(default_factory=list)


def extract(orders: Sequence[Order], asked: AnyImages, kept: Kept, where: scaleout.Where) -> Iterator[pl.DataFrame]:
    """Turn series or slides into images and remember them; one that cannot be is remembered with the reason.

    Args:
        orders: what is to be done.
        asked: what the job wants.
        kept: the pipeline's part of the cache.
        where: on what.

    Yields:
        Rows for some of the orders each time, of :data:`~flip_trust.features.images.cache.SCHEMA`.

    Raises:
        SetupError: the cluster cannot be used, or went away.
    """
    work = partial(_batch, text=asked.model_dump_json(), folder=str(kept.folder.absolute()))
    for ended in scaleout.run(work, scaleout.batched(orders, BATCH), where):
        rows = pl.DataFrame([asdict(one) for one in _outcomes(ended)], schema=SCHEMA)
        if not _passing(ended):
            kept.add(rows)
        yield rows


def _outcomes(ended: scaleout.Done[Order, list[Outcome]] | scaleout.Failed[Order]) -> Iterator[Outcome]:
    outcomes = (
        ended.result
        if isinstance(ended, scaleout.Done)
        else [Outcome(ended.item.item, ended.item.content, reason=ended.why)]
    )
    for one in outcomes:
        if one.reason:
            log.event(_log, "images.unfit", item=one.item, reason=one.reason)
        yield one


def _passing(ended: scaleout.Done[Order, list[Outcome]] | scaleout.Failed[Order]) -> bool:
    """Whether it is the machine's fault and not the file's: then a later job tries again."""
    return isinstance(ended, scaleout.Failed) and ended.why != scaleout.KILLED


def _batch(orders: list[Order], text: str, folder: str) -> list[Outcome]:
    """Runs in a worker."""
    made = [(order, _attempt(order, text)) for order in orders]
    images = [result[0] for _, result in made if not isinstance(result, str)]
    shard, first, outcomes = write_shard(Path(folder), images) if images else "", 0, []
    for order, result in made:
        if isinstance(result, str):
            outcomes.append(Outcome(order.item, order.content, reason=result))
            continue
        outcomes.append(Outcome(order.item, order.content, shard, first, len(result[0]), places=result[1]))
        first += len(result[0])
    return outcomes


def _attempt(order: Order, text: str) -> tuple[Shown, list[Place]] | str:
    """The images, or the reason why there are none."""
    try:
        maker = _maker(text)
        return maker(order)
    except UnfitImageError as error:
        return error.reason
    except ImageTooLargeError:
        return "it would need too much memory"
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 (damaged files raise whatever their damage leads to)
        return f"it cannot be read ({type(error).__name__})"


@lru_cache(maxsize=4)
def _maker(text: str) -> Callable[[Order], tuple[Shown, list[Place]]]:
    import torch

    torch.set_num_threads(1)
    hush()
    asked: AnyImages = TypeAdapter(AnyImages).validate_json(text)
    if isinstance(asked, TileImages):
        return lambda order: tiles_of(order.paths, asked)
    pipeline = Pipeline(asked)
    return lambda order: (images_of(order.instances, asked, pipeline), [])
