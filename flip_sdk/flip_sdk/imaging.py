"""Which images a model is shown and what is done to them, in words that become the contract's record.

    flip.images("CT", body_part="CHEST", plane="axial").window(-1000, 400).spacing(1.5, 1.5).resize(64, 64)
    flip.tiles(mpp=1.0, tile=224)

Each word returns a new description. Transforms are MONAI's and happen in the order in which they are said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flip_sdk.contract import images as contract
from flip_sdk.contract.check_inputs import check_images
from flip_sdk.contract.features import Window
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError
from flip_sdk.extras import needed
from flip_sdk.privacy import build

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Days = tuple[int | None, int | None]
Form = contract.Slices | contract.Stack | contract.Volume
Interpolation = Literal["bilinear", "nearest"]


def images(modality: str, *, body_part: str | None = None, plane: str | None = None) -> Images:
    """Images out of DICOM series.

    Args:
        modality: DICOM's code, such as ``CT``, ``MR``, ``DX``, ``US``.
        body_part: DICOM's code, such as ``CHEST``; any, unless given.
        plane: ``axial``, ``coronal`` or ``sagittal``; any, unless given.
    """
    return Images({"modality": modality, "body_part": body_part, "plane": plane})


def tiles(
    *,
    mpp: float = 1.0,
    tile: int = 224,
    count: int = 16,
    least_tissue: float = 0.5,
    colour: bool = True,
    which: Literal["latest", "first", "nearest", "all"] = "latest",
    days: Days | None = None,
) -> Tiles:
    """Tiles out of whole-slide images, each of them a record of its own.

    Args:
        mpp: micrometres an element.
        tile: rows and columns of a tile.
        count: so many tiles of a slide at most, drawn by chance.
        least_tissue: share of a tile that is tissue; background is left out.
        colour: three channels, or one of brightness.
        which: of several slides of a person.
        days: from and to, around the index date; negative is before it.
    """
    given = {"mpp": mpp, "tile": tile, "tiles": count, "least_tissue": least_tissue, "colour": colour, "which": which}
    return Tiles(build(contract.TileImages, **given, window=_window(days)))


@dataclass(frozen=True, repr=False)
class Images:
    """Images out of DICOM series, described word by word. Made by :func:`images`."""

    _chosen: Mapping[str, Any]
    _transforms: tuple[contract.AnyTransform, ...] = field(default=())

    def latest(self, *, days: Days | None = None) -> Images:
        """Of several series of a person the latest, and among ``days`` around the index date."""
        return self._with(which="latest", window=_window(days))

    def first(self, *, days: Days | None = None) -> Images:
        """The first."""
        return self._with(which="first", window=_window(days))

    def nearest(self, *, days: Days | None = None) -> Images:
        """The one nearest to the index date, before or after it."""
        return self._with(which="nearest", window=_window(days))

    def largest(self, *, days: Days | None = None) -> Images:
        """The one with the most images."""
        return self._with(which="largest", window=_window(days))

    def all(self, *, days: Days | None = None) -> Images:
        """Every one, as a record of its own: so many of a person as the job's ``max_records_per_person`` allows."""
        return self._with(which="all", window=_window(days))

    def at_least(self, instances: int) -> Images:
        """Only series with so many images or more."""
        return self._with(least_instances=instances)

    def uneven(self) -> Images:
        """Series with gaps or a scout among their images, too; else only those that are even in all."""
        return self._with(uniform=False)

    def slices(self, count: int = 1) -> Images:
        """Single slices: the one in the middle, or ``count`` of them at equal distances, each a record of its own."""
        return self._with(form=build(contract.Slices, take="spread" if count > 1 else "middle", count=count))

    def stack(self, slices: int = 3, *, apart: float | None = None, count: int = 1) -> Images:
        """Neighbouring slices as channels, ``apart`` millimetres or as they are, around ``count`` places."""
        return self._with(form=build(contract.Stack, slices=slices, apart=apart, count=count))

    def volume(self, *size: int) -> Images:
        """The whole series; with a size, its middle in so many slices, rows and columns."""
        return self._with(form=contract.Volume(), **({"size": size} if size else {}))

    def window(self, low: float, high: float) -> Images:
        """Intensities from ``low`` to ``high`` (Hounsfield units in CT) become 0 to 1."""
        return self._scaled(build(contract.ScaleIntensityRange, a_min=low, a_max=high))

    def percentiles(self, lower: float = 1.0, upper: float = 99.0) -> Images:
        """Percentiles of the image itself become 0 to 1: for MR, whose numbers have no unit."""
        return self._scaled(build(contract.ScaleIntensityRangePercentiles, lower=lower, upper=upper))

    def rescale(self) -> Images:
        """The image's own least and greatest value become 0 and 1."""
        return self._scaled(contract.ScaleIntensity())

    def normalise(self, mean: float | None = None, deviation: float | None = None, *, nonzero: bool = False) -> Images:
        """Mean and standard deviation, the image's own unless given, become 0 and 1; bounds are then -5 and 5."""
        step = build(contract.NormalizeIntensity, subtrahend=mean, divisor=deviation, nonzero=nonzero)
        return self.transform(step).bounds(-5.0, 5.0)

    def threshold(self, value: float, *, above: bool = True, fill: float = 0.0) -> Images:
        """What is not above (or below) a value becomes ``fill``."""
        return self.transform(build(contract.ThresholdIntensity, threshold=value, above=above, cval=fill))

    def smooth(self, sigma: float = 1.0) -> Images:
        """Smoothed by a Gaussian of so many elements."""
        return self.transform(build(contract.GaussianSmooth, sigma=sigma))

    def median(self, radius: int = 1) -> Images:
        """Smoothed by the median of the neighbourhood."""
        return self.transform(build(contract.MedianSmooth, radius=radius))

    def spacing(self, *millimetres: float, mode: Interpolation = "bilinear") -> Images:
        """Resampled to so many millimetres between rows and columns; in a volume slices, rows and columns."""
        return self.transform(build(contract.Spacing, pixdim=millimetres, mode=mode))

    def orientation(self, axcodes: str = "SPL") -> Images:
        """A volume turned so that its axes point there: by preset to the head, the back and the left."""
        return self.transform(build(contract.Orientation, axcodes=axcodes))

    def resize(self, *size: int, mode: Literal["area", "bilinear", "nearest"] = "area") -> Images:
        """Resampled to so many elements, whatever they measure."""
        return self.transform(build(contract.Resize, spatial_size=size, mode=mode))._with(size=size)

    def crop(self, *size: int) -> Images:
        """The middle of the image."""
        return self.transform(build(contract.CenterSpatialCrop, roi_size=size))._with(size=size)

    def pad(self, *size: int) -> Images:
        """Zeros around the image where it is smaller."""
        return self.transform(build(contract.SpatialPad, spatial_size=size))._with(size=size)

    def crop_foreground(self, threshold: float = 0.0, margin: int = 0) -> Images:
        """The smallest box around everything above a threshold, and so many elements more on every side."""
        return self.transform(build(contract.CropForeground, threshold=threshold, margin=margin))

    def flip(self, axis: int) -> Images:
        """Mirrored along an axis, counted from 0."""
        return self.transform(build(contract.Flip, spatial_axis=axis))

    def rotate(self, quarters: int = 1, axes: tuple[int, int] = (0, 1)) -> Images:
        """Turned by quarters in the plane of two axes."""
        return self.transform(build(contract.Rotate90, k=quarters, spatial_axes=axes))

    def transform(self, step: contract.AnyTransform) -> Images:
        """Any record of the allow-list, by MONAI's own names."""
        return Images(self._chosen, (*self._transforms, step))

    def size(self, *size: int) -> Images:
        """What the image is cropped or padded to in the end, around its middle."""
        return self._with(size=size)

    def bounds(self, low: float, high: float) -> Images:
        """Public bounds of the intensities after the transforms; what is beyond them is clamped."""
        return self._with(low=low, high=high)

    def record(self) -> contract.SeriesImages:
        """The contract's record.

        Raises:
            SpecError: it cannot be used as it is: everything that is wrong.
            RecordError: a value that does not fit.
        """
        if missing := list(self._missing()):
            raise SpecError(missing)
        made = build(contract.SeriesImages, **self._chosen, transforms=self._transforms)
        if wrong := list(check_images(made)):
            raise SpecError(wrong)
        return made

    def preview(self, array: npt.ArrayLike, spacing: tuple[float, ...] | None = None) -> npt.NDArray[np.float16]:
        """The images that a Trust would make of a series, by the same code; needs ``flip-sdk[imaging]``.

        Args:
            array: ``[slices, rows, columns]`` in the modality's units, axial from the feet up; or one slice.
            spacing: millimetres between slices, rows and columns; 1 unless given.

        Returns:
            ``[images, channels, *size]`` in [-1, 1].
        """
        with needed("imaging", "A preview of images"):
            from flip_sdk.previewing import preview_series

        return preview_series(self.record(), array, spacing)

    def __repr__(self) -> str:
        from flip_sdk.image_words import in_words

        return in_words(self._chosen, self._transforms)

    def _with(self, **changes: object) -> Images:
        return Images({**self._chosen, **changes}, self._transforms)

    def _scaled(self, step: contract.AnyTransform) -> Images:
        return self.transform(step).bounds(0.0, 1.0)

    def _missing(self) -> list[Violation]:
        found = []
        if "size" not in self._chosen:
            message, mend = "It is not said how large an image is.", "Say .resize(…), .size(…) or .volume(…)."
            found.append(Violation(rule="images_without_size", where="images.size", message=message, mend=mend))
        if "low" not in self._chosen:
            message = "It is not said what intensities are between."
            mend = "Say .window(…), .percentiles(), .normalise() or .bounds(low, high)."
            found.append(Violation(rule="images_without_bounds", where="images.low", message=message, mend=mend))
        return found


@dataclass(frozen=True, repr=False)
class Tiles:
    """Tiles out of whole-slide images. Made by :func:`tiles`."""

    _record: contract.TileImages

    def record(self) -> contract.TileImages:
        """The contract's record.

        Raises:
            SpecError: a tile is too large.
        """
        if wrong := list(check_images(self._record)):
            raise SpecError(wrong)
        return self._record

    def preview(self, picture: npt.ArrayLike, mpp: float) -> npt.NDArray[np.float16]:
        """Every tile with enough tissue that a Trust would cut out of a picture, by the same code.

        Args:
            picture: ``[rows, columns, 3]``, 0 to 255.
            mpp: micrometres an element.

        Returns:
            ``[tiles, channels, rows, columns]`` in [-1, 1].
        """
        with needed("imaging", "A preview of tiles"):
            from flip_sdk.previewing import preview_tiles

        return preview_tiles(self.record(), picture, mpp)

    def __repr__(self) -> str:
        from flip_sdk.image_words import tiles_in_words

        return tiles_in_words(self._record)


def _window(days: Days | None) -> Window | None:
    return None if days is None else build(Window, start=days[0], end=days[1])
