"""Ellipsoids painted into a volume with soft edges, and the coordinates that they are painted by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Volume = npt.NDArray[np.float32]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Ellipsoid:
    """A part of a body.

    Attributes:
        centre: (z, y, x) in mm from the middle of the body; z to the head, y to the back, x to the person's left.
        axes: half its length along each, in mm.
        hounsfield: what it is filled with.
        turn: about z, in radians.
    """

    centre: Point
    axes: Point
    hounsfield: float
    turn: float = 0.0

    def turned(self, angle: float) -> Ellipsoid:
        """The part of a body that turned about the z axis."""
        (z, y, x), cos, sin = self.centre, math.cos(angle), math.sin(angle)
        return replace(self, centre=(z, cos * y + sin * x, cos * x - sin * y), turn=self.turn + angle)


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume are.

    Attributes:
        shape: (slices, rows, columns).
        steps: (z, y, x), from one voxel to the next, in mm.
        middle: (z, y, x), where the middle of the volume is, in mm.
    """

    shape: tuple[int, int, int]
    steps: Point
    middle: Point

    def axis(self, which: int) -> npt.NDArray[np.float32]:
        """Coordinates in mm along one axis."""
        places = np.arange(self.shape[which]) - (self.shape[which] - 1) / 2
        return (places * self.steps[which] + self.middle[which]).astype(np.float32)


def paint(volume: Volume, grid: Grid, parts: Iterable[Ellipsoid]) -> None:
    """Paint parts over each other, the last one on top; only the box around each is touched."""
    axes = [grid.axis(which) for which in range(3)]
    blur = grid.steps[1]
    for part in parts:
        reach = (part.axes[0], *(2 * [max(part.axes[1:])] if part.turn else part.axes[1:]))
        box = tuple(
            _within(axis, middle, length + blur) for axis, middle, length in zip(axes, part.centre, reach, strict=True)
        )
        here = volume[box]
        if here.size:
            share = _share(part, [axis[own] for axis, own in zip(axes, box, strict=True)], blur)
            here += share * (np.float32(part.hounsfield) - here)


def _within(axis: npt.NDArray[np.float32], middle: float, length: float) -> slice:
    first, last = np.searchsorted(axis, (middle - length, middle + length))
    return slice(int(first), int(last))


def _share(part: Ellipsoid, axes: list[npt.NDArray[np.float32]], blur: float) -> Volume:
    """How much of each voxel the part fills: the edge is one pixel wide."""
    z, y, x = (
        values - np.float32(middle)
        for values, middle in zip(np.meshgrid(*axes, indexing="ij", sparse=True), part.centre, strict=True)
    )
    if part.turn:
        cos, sin = np.float32(np.cos(part.turn)), np.float32(np.sin(part.turn))
        y, x = cos * y - sin * x, sin * y + cos * x
    squared = sum(np.square(values / np.float32(length)) for values, length in zip((z, y, x), part.axes, strict=True))
    radius = np.sqrt(squared, dtype=np.float32)
    filled: Volume = np.clip(0.5 + (1 - radius) * np.float32(min(part.axes[1:]) / blur), 0, 1)
    return filled
