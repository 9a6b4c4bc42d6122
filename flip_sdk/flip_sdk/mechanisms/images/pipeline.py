"""From the slices of a series to images as a model is fed: transforms, size, bounds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.images import AnyTransform, MedianSmooth, Orientation, SeriesImages, Spacing, Volume
from flip_sdk.mechanisms.images.geometry import Matrix
from flip_sdk.mechanisms.images.transforms import made

Pixels = npt.NDArray[np.float32]
Shown = npt.NDArray[np.float16]
MOST_BETWEEN = 512 * 1024 * 1024
"""Numbers that an image may have while it is worked on."""


class ImageTooLargeError(ValueError):
    """A transform would need more memory than there is."""


class Pipeline:
    """The transforms of a job, made once and used on every image.

    Args:
        asked: the job's images.
    """

    def __init__(self, asked: SeriesImages) -> None:
        from monai.transforms.croppad.array import ResizeWithPadOrCrop

        self._asked, self._dimensions = asked, 3 if isinstance(asked.form, Volume) else 2
        self._steps = list(zip(asked.transforms, made(asked.transforms, self._dimensions), strict=True))
        self._last = ResizeWithPadOrCrop(asked.size, value=asked.low)

    def run(self, image: Pixels, affine: Matrix) -> Shown:
        """One image as a model is fed.

        Args:
            image: ``[channels, rows, columns]``, or ``[1, slices, rows, columns]``; intensities after the rescale.
            affine: ``[4, 4]``: where its elements lie.

        Returns:
            ``[channels, *size]`` float16 in [-1, 1]; what is not a number is as the background is, -1.

        Raises:
            ImageTooLargeError: see there.
        """
        import torch
        from monai.data.meta_tensor import MetaTensor

        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            shown = MetaTensor(torch.from_numpy(np.nan_to_num(image, copy=True)), affine=torch.from_numpy(affine))
            for record, step in self._steps:
                _check_size(shown, record)
                shown = step(shown)
            values = self._last(shown).numpy()
        return self._bounded(np.asarray(values, np.float32))

    def _bounded(self, values: Pixels) -> Shown:
        low, high = self._asked.low, self._asked.high
        known = np.nan_to_num(values, nan=low, posinf=high, neginf=low).clip(low, high)
        scaled: Shown = ((known - low) * (2.0 / (high - low)) - 1.0).clip(-1.0, 1.0).astype(np.float16)
        return scaled

    def each(self, volume: Pixels, positions: list[list[int]], affine: Matrix) -> Iterator[Shown]:
        """Every image of a series.

        Args:
            volume: ``[slices, rows, columns]``.
            positions: for each image the slices that it is made of.
            affine: of the volume, or of a slice.
        """
        for places in positions:
            image = volume[None] if self._dimensions == 3 else volume[places]
            yield self.run(image, affine)


def turns(asked: SeriesImages) -> bool:
    """Whether an image is turned by where it lies in the body, which must then be known."""
    return any(isinstance(transform, Orientation) for transform in asked.transforms)


def measures(asked: SeriesImages) -> bool:
    """Whether an image is resampled to millimetres, which must then be known."""
    return any(isinstance(transform, Spacing) for transform in asked.transforms)


def _check_size(image: Any, step: AnyTransform) -> None:
    sizes = image.shape[1:]
    needed = float(image.numel())
    if isinstance(step, Spacing):
        pixdim = np.linalg.norm(np.asarray(image.affine, np.float64)[:3, : len(sizes)], axis=0)
        needed *= math.prod(old / new for old, new in zip(pixdim, step.pixdim, strict=True))
    elif isinstance(step, MedianSmooth):
        needed *= (2 * step.radius + 1) ** len(sizes)
    if not needed <= MOST_BETWEEN:
        raise ImageTooLargeError
