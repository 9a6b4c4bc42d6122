"""Tiles of a slide: where there is tissue, and how a tile becomes what a model is fed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.images import TileImages
from flip_sdk.mechanisms.images.pipeline import Shown

Colours = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.float64]
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_LEAST_COLOUR = 12
"""Of 255: a glass slide has less colour than this everywhere, whatever the threshold says."""


def tissue(picture: Colours) -> Mask:
    """``[rows, columns]``: where a small picture of a slide is coloured: tissue is stained, glass is not.

    The threshold on the spread between the channels is Otsu's (1979), which parts the two kinds best.

    Args:
        picture: ``[rows, columns, 3]``.
    """
    spread = picture.max(-1).astype(np.int64) - picture.min(-1)
    return np.asarray(spread > max(_otsu(np.bincount(spread.ravel(), minlength=256)), _LEAST_COLOUR))


def _otsu(counts: npt.NDArray[np.int64]) -> int:
    levels = np.arange(len(counts))
    below, total = np.cumsum(counts), counts.sum()
    sums = np.cumsum(counts * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below - sums * total) ** 2.0 / (below * (total - below))
    return int(np.nan_to_num(between, posinf=0.0).argmax())


def grid(mask: Mask, step: tuple[float, float], least: float) -> list[tuple[int, int]]:
    """Row and column, counted in tiles, of every tile of which enough is tissue.

    Args:
        mask: of the whole slide.
        step: rows and columns of the mask that a tile takes.
        least: share of a tile.
    """
    rows, columns = (int(size / one + 1e-9) for size, one in zip(mask.shape, step, strict=True))
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    sums[1:, 1:] = mask.cumsum(0).cumsum(1)
    inside = np.diff(_between(_between(sums, rows, step[0]).T, columns, step[1]).T, axis=0)
    shares = np.diff(inside, axis=1) / (step[0] * step[1])
    found = np.argwhere(shares >= least - 1e-9)
    return [(int(row), int(column)) for row, column in found]


def _between(sums: Sums, count: int, step: float) -> Sums:
    """Sums up to every tile's edge; exact between two elements too, as each is the same all over."""
    places = (np.arange(count + 1) * step).clip(0, len(sums) - 1)
    low = np.floor(places).astype(np.int64).clip(0, max(len(sums) - 2, 0))
    part = (places - low)[:, None]
    edges: Sums = sums[low] * (1 - part) + sums[low + 1] * part
    return edges


def shown(tile: Colours, asked: TileImages) -> Shown:
    """``[channels, rows, columns]`` in [-1, 1], of a tile ``[rows, columns, 3]`` of that size."""
    values = tile.astype(np.float32) if asked.colour else (tile.astype(np.float32) @ _GREY)[..., None]
    scaled: Shown = (values.transpose(2, 0, 1) / 127.5 - 1.0).clip(-1.0, 1.0).astype(np.float16)
    return scaled


def resized(picture: Colours, rows: int, columns: int) -> Colours:
    """A picture of another size; averages where it becomes smaller."""
    if picture.shape[:2] == (rows, columns):
        return picture
    from PIL import Image

    way = Image.Resampling.BOX if rows < len(picture) else Image.Resampling.BILINEAR
    made = Image.fromarray(picture).resize((columns, rows), way)
    return np.asarray(made, np.uint8)
