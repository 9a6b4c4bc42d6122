"""Tiles of a whole-slide image, read one by one where there is tissue; a slide is never unpacked.

DICOM slides (VL Whole Slide Microscopy) come de-identified from the store, without their label and overview; tiled TIFF
from :mod:`flip_trust.imaging.slides`, which took out the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import SystemRandom
from typing import Any, Final

import numpy as np
from flip_sdk.contract.images import TileImages
from flip_sdk.mechanisms.images.pipeline import Shown
from flip_sdk.mechanisms.images.tiles import Colours, Mask, grid, resized, shown, tissue

from flip_trust.errors import UnfitImageError

WHOLE_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
MASK_SIZE: Final = 2048
"""A slide's mask has so many rows and columns at most."""
_STRIP: Final = 16 * 1024 * 1024
_COARSER: Final = 1.25


@dataclass(frozen=True)
class Level:
    """One resolution of a slide: micrometres an element, rows, columns."""

    mpp: float
    rows: int
    columns: int


@dataclass(frozen=True)
class Place:
    """Where a tile was cut: the level read, its top left element there, and the level's micrometres an element."""

    level: int
    x: int
    y: int
    mpp: float


class Slide:
    """An open slide, whatever it is read with.

    Attributes:
        levels: finest first.
    """

    levels: list[Level]

    def region(self, level: int, x: int, y: int, rows: int, columns: int) -> Colours:
        """``[rows, columns, 3]``, its top left corner given in elements of that level."""
        raise NotImplementedError


class _Dicom(Slide):
    def __init__(self, slide: Any) -> None:
        self._slide = slide
        found = sorted(slide.levels, key=lambda level: -level.size.width)
        self._numbers = [level.level for level in found]
        self.levels = [Level(float(level.mpp.width), level.size.height, level.size.width) for level in found]

    def region(self, level: int, x: int, y: int, rows: int, columns: int) -> Colours:
        picture = self._slide.read_region((x, y), self._numbers[level], (columns, rows), as_array=True)
        return _colours(np.asarray(picture))


class _Tiff(Slide):
    def __init__(self, slide: Any) -> None:
        self._slide = slide
        mpp = [slide.properties.get(f"tiffslide.mpp-{axis}") for axis in "xy"]
        if not all(mpp):
            raise UnfitImageError("it does not tell its scale")
        self._downsamples = slide.level_downsamples
        self.levels = [
            Level(float(mpp[0]) * downsample, rows, columns)
            for downsample, (columns, rows) in zip(self._downsamples, slide.level_dimensions, strict=True)
        ]

    def region(self, level: int, x: int, y: int, rows: int, columns: int) -> Colours:
        down = self._downsamples[level]
        picture = self._slide.read_region((round(x * down), round(y * down)), level, (columns, rows), as_array=True)
        return _colours(np.asarray(picture))


@contextmanager
def opened(paths: Sequence[str]) -> Iterator[Slide]:
    """A slide: the DICOM files of its series, or one TIFF.

    Raises:
        UnfitImageError: it does not tell its scale, or its files are gone.
    """
    if not paths:
        raise UnfitImageError("its files are gone")
    if len(paths) == 1 and paths[0].endswith(".tiff"):
        from tiffslide import TiffSlide

        with TiffSlide(paths[0]) as slide:
            yield _Tiff(slide)
        return
    from wsidicom import WsiDicom
    from wsidicom.errors import WsiDicomNoResolutionError

    with WsiDicom.open(list(paths)) as slide:
        try:
            made = _Dicom(slide)
        except WsiDicomNoResolutionError as error:
            raise UnfitImageError("it does not tell its scale") from error
        yield made


def tiles_of(paths: Sequence[str], asked: TileImages) -> tuple[Shown, list[Place]]:
    """Tiles of a slide, ``[tiles, values]``, drawn by chance among those with enough tissue, and where they were.

    Raises:
        UnfitImageError: the slide is too coarse, does not tell its scale, or has no tissue.
        Exception: whatever a damaged file leads to.
    """
    with opened(paths) as slide:
        level = _level_for(slide, asked.mpp)
        places = [_place(level, slide.levels[level], asked, at) for at in _drawn(slide, asked)]
        size = max(1, round(asked.tile * asked.mpp / slide.levels[level].mpp))
        tiles = (slide.region(level, place.x, place.y, size, size) for place in places)
        images = [shown(resized(tile, asked.tile, asked.tile), asked).ravel() for tile in tiles]
    return np.stack(images), places


def mask_of(slide: Slide) -> tuple[Mask, float]:
    """Where there is tissue, from the lowest level, read in strips; and the micrometres of an element."""
    number, lowest = len(slide.levels) - 1, slide.levels[-1]
    factor = max(1, math.ceil(max(lowest.rows, lowest.columns) / MASK_SIZE))
    height = max(factor, _STRIP // max(lowest.columns, 1) // factor * factor)
    columns = lowest.columns // factor
    strips = []
    for y in range(0, lowest.rows - factor + 1, height):
        rows = min(height, lowest.rows - y) // factor
        strip = slide.region(number, 0, y, rows * factor, columns * factor)
        strips.append(resized(strip, rows, columns))
    return tissue(np.concatenate(strips)), lowest.mpp * factor


def _level_for(slide: Slide, mpp: float) -> int:
    """The coarsest level that is as fine as is asked for, or nearly."""
    fine = [number for number, level in enumerate(slide.levels) if level.mpp <= mpp * 1.01]
    if fine:
        return fine[-1]
    if slide.levels[0].mpp > mpp * _COARSER:
        raise UnfitImageError("it is coarser than is asked for")
    return 0


def _drawn(slide: Slide, asked: TileImages) -> list[tuple[int, int]]:
    mask, mpp = mask_of(slide)
    step = asked.tile * asked.mpp / mpp
    fitting = grid(mask, (step, step), asked.least_tissue)
    if not fitting:
        raise UnfitImageError("it has no tile with enough tissue")
    return sorted(SystemRandom().sample(fitting, min(asked.tiles, len(fitting))))


def _place(number: int, level: Level, asked: TileImages, at: tuple[int, int]) -> Place:
    row, column = (round(step * asked.tile * asked.mpp / level.mpp) for step in at)
    return Place(number, column, row, level.mpp)


def _colours(picture: Any) -> Colours:
    if picture.ndim == 2 or picture.shape[-1] == 1:
        picture = np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=-1)
    return np.ascontiguousarray(picture[..., :3], np.uint8)
