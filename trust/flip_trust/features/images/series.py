"""One series as images: its slices in their order, only those decoded that are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flip_sdk.contract.images import SeriesImages, Volume
from flip_sdk.mechanisms.images.geometry import Matrix, in_body, in_plane, normal_of
from flip_sdk.mechanisms.images.pipeline import Pipeline, Pixels, Shown, measures, turns
from flip_sdk.mechanisms.images.slices import chosen

from flip_trust.errors import UnfitImageError
from flip_trust.features.images import pixels

_SAME_PLACE = 1e-3
"""Millimetres."""


@dataclass(frozen=True)
class Instance:
    """One de-identified file, as the index knows it.

    Attributes:
        path: of the file.
        frames: how many it has.
        size: rows and columns.
        spacing: millimetres between rows and columns; None: not told.
        orientation: ImageOrientationPatient; None: not told.
        positions: of its frames along the normal; empty: not told.
    """

    path: str
    frames: int
    size: tuple[int, int]
    spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    positions: tuple[float, ...]


@dataclass(frozen=True)
class _Slice:
    instance: Instance
    frame: int
    position: float


def images_of(instances: Sequence[Instance], asked: SeriesImages, pipeline: Pipeline) -> Shown:
    """Every image of a series, ``[images, values]``.

    Args:
        instances: of one series.
        asked: what the job wants.
        pipeline: of the same job.

    Raises:
        UnfitImageError: the series lacks what is asked for.
        Exception: whatever a damaged file leads to.
    """
    slices = _in_order(_alike(instances))
    places = chosen(asked.form, [one.position for one in slices])
    needed = sorted({at for image in places for at in image})
    volume, told = _decoded([slices[at] for at in needed])
    affine = _affine(slices, told, asked)
    within = {at: i for i, at in enumerate(needed)}
    images = pipeline.each(volume, [[within[at] for at in image] for image in places], affine)
    return np.stack([image.ravel() for image in images])


def _alike(instances: Sequence[Instance]) -> list[Instance]:
    """Those of the size and direction that most frames have: a scout in the series is no slice of it."""
    if not instances:
        raise UnfitImageError("its files are gone")
    counted: Counter[object] = Counter()
    for one in instances:
        counted[_kind(one)] += one.frames
    [(most, _)] = counted.most_common(1)
    return [one for one in instances if _kind(one) == most]


def _kind(instance: Instance) -> tuple[object, ...]:
    return (*instance.size, None if instance.orientation is None else tuple(np.round(instance.orientation, 2)))


def _in_order(instances: list[Instance]) -> list[_Slice]:
    """By position along the normal, of several at a place the first; by number where positions are not told."""
    placed = all(len(one.positions) == one.frames for one in instances)
    slices = [
        _Slice(one, frame, one.positions[frame] if placed else 0.0) for one in instances for frame in range(one.frames)
    ]
    if placed and not _several_at_a_place(slices):
        return sorted(slices, key=lambda one: one.position)
    number = {one.path: pixels.number_of(one.path) for one in instances}
    slices.sort(key=lambda one: (one.position, number[one.instance.path], one.instance.path, one.frame))
    if not placed:
        return [_Slice(one.instance, one.frame, float(at)) for at, one in enumerate(slices)]
    first = [True, *(b.position - a.position > _SAME_PLACE for a, b in pairwise(slices))]
    return [one for one, new in zip(slices, first, strict=True) if new]


def _several_at_a_place(slices: list[_Slice]) -> bool:
    steps = np.diff(np.sort([one.position for one in slices]))
    return bool((steps <= _SAME_PLACE).any())


def _decoded(slices: list[_Slice]) -> tuple[Pixels, list[list[float] | None]]:
    wanted: dict[str, dict[int, int]] = {}
    for one in slices:
        of_file = wanted.setdefault(one.instance.path, {})
        of_file[one.frame] = len(of_file)
    read = {path: pixels.read(path, list(frames)) for path, frames in wanted.items()}
    at = [(read[one.instance.path], wanted[one.instance.path][one.frame]) for one in slices]
    return np.stack([frames.pixels[i] for frames, i in at]), [frames.places[i] for frames, i in at]


def _affine(slices: list[_Slice], told: list[list[float] | None], asked: SeriesImages) -> Matrix:
    spacing, orientation = slices[0].instance.spacing, slices[0].instance.orientation
    if measures(asked) and spacing is None:
        raise UnfitImageError("it does not tell its spacing")
    if not isinstance(asked.form, Volume):
        return in_plane(spacing or (1.0, 1.0))
    if orientation is None:
        if turns(asked) or measures(asked):
            raise UnfitImageError("it does not tell where its slices lie")
        orientation = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    return in_body(orientation, spacing or (1.0, 1.0), _step(slices, told, orientation))


def _step(slices: list[_Slice], told: list[list[float] | None], orientation: Sequence[float]) -> Matrix:
    """From one slice to the next, on average; with a tilted gantry it is not along the normal."""
    if len(slices) == 1:
        return normal_of(orientation)
    if told[0] is not None and told[-1] is not None:
        return np.subtract(told[-1], told[0]).astype(np.float64) / (len(slices) - 1)
    return normal_of(orientation) * (slices[-1].position - slices[0].position) / (len(slices) - 1)
