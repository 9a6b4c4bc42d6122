"""What a description of images makes of an array of the researcher's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flip_sdk.contract import images as contract
from flip_sdk.errors import PublicError
from flip_sdk.extras import needed
from flip_sdk.mechanisms.images import tiles as cutting
from flip_sdk.mechanisms.images.geometry import in_plane, upright
from flip_sdk.mechanisms.images.pipeline import Shown
from flip_sdk.mechanisms.images.slices import chosen


def preview_series(asked: contract.SeriesImages, array: npt.ArrayLike, spacing: Sequence[float] | None = None) -> Shown:
    """See :meth:`flip_sdk.imaging.Images.preview`.

    Raises:
        PublicError: MONAI is not installed, or the array is none of an image.
    """
    volume = np.asarray(array, np.float32)
    volume = volume[None] if volume.ndim == 2 else volume
    if volume.ndim != 3 or not volume.size:
        raise PublicError("That is no series.", "Give an array of slices, rows and columns, or of one slice.")
    given = tuple(spacing or (1.0, 1.0, 1.0))
    steps = given if len(given) == 3 else (1.0, *given)
    affine = upright(steps) if isinstance(asked.form, contract.Volume) else in_plane(steps[1:])
    positions = [at * float(steps[0]) for at in range(len(volume))]
    return np.stack(list(_pipeline(asked).each(volume, chosen(asked.form, positions), affine)))


def _pipeline(asked: contract.SeriesImages) -> Any:
    with needed("imaging", "A preview of images"):
        from flip_sdk.mechanisms.images.pipeline import Pipeline

        return Pipeline(asked)


def preview_tiles(asked: contract.TileImages, picture: npt.ArrayLike, mpp: float) -> Shown:
    """See :meth:`flip_sdk.imaging.Tiles.preview`.

    Raises:
        PublicError: that is no picture.
    """
    colours = np.asarray(picture, np.uint8)
    if colours.ndim != 3 or colours.shape[-1] != 3:
        raise PublicError("That is no picture of a slide.", "Give an array of rows, columns and three colours.")
    rows, columns = (max(1, round(size * mpp / asked.mpp)) for size in colours.shape[:2])
    colours = cutting.resized(colours, rows, columns)
    places = cutting.grid(cutting.tissue(colours), (asked.tile, asked.tile), asked.least_tissue)
    cut = [colours[r * asked.tile :, c * asked.tile :][: asked.tile, : asked.tile] for r, c in places]
    return np.stack([cutting.shown(tile, asked) for tile in cut]) if cut else np.zeros((0, *asked.shape), np.float16)
