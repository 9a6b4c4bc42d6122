"""Which images of a person a model is shown, and what is done to them first: an allow-list, declared in the job.

Transforms carry the names and arguments of MONAI's (https://docs.monai.io), on arrays with the channel first, so that
what a researcher tried in a notebook is what a Trust does. Each works on one image alone and with constants of the job.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from flip_sdk.contract.features import Window
from flip_sdk.contract.records import Finite, Record

MOST_VALUES = 4_000_000
"""Numbers of one image as a model takes it."""
MOST_BETWEEN = 64_000_000
"""Numbers that a transform may make of one channel on the way there."""
Code = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_ ]{0,15}$")]
"""A code string of DICOM, such as ``CT`` or ``CHEST``."""
Size = Annotated[int, Field(ge=1, le=4096)]
Sizes = Annotated[tuple[Size, ...], Field(min_length=2, max_length=3)]
Millimetres = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Axis = Annotated[int, Field(ge=0, le=2)]
Interpolation = Literal["bilinear", "nearest"]


class Orientation(Record):
    """Axes turned so that they point to these sides of the body (volumes only); ``size`` follows them.

    ``SPL``: slices to the head, rows to the back, columns to the left, as axial images are looked at.
    """

    name: Literal["Orientation"] = "Orientation"
    axcodes: Annotated[str, Field(pattern=r"^[LR][AP][SI]$|^[SI][AP][LR]$|^[LR][SI][AP]$|^[AP][LR][SI]$")] = "SPL"


class Spacing(Record):
    """Resampled to so many millimetres between neighbours: rows and columns; in a volume slices, rows, columns."""

    name: Literal["Spacing"] = "Spacing"
    pixdim: Annotated[tuple[Millimetres, ...], Field(min_length=2, max_length=3)]
    mode: Interpolation = "bilinear"


class ScaleIntensityRange(Record):
    """``[a_min, a_max]`` becomes ``[b_min, b_max]``; CT windows are given so, in Hounsfield units."""

    name: Literal["ScaleIntensityRange"] = "ScaleIntensityRange"
    a_min: Finite
    a_max: Finite
    b_min: Finite = 0.0
    b_max: Finite = 1.0
    clip: bool = True

    @model_validator(mode="after")
    def _has_a_width(self) -> Self:
        if not self.a_min < self.a_max:
            raise ValueError("a_min is below a_max")
        return self


class ScaleIntensityRangePercentiles(Record):
    """Percentiles of the image itself become ``[b_min, b_max]``: for MR, whose numbers have no unit."""

    name: Literal["ScaleIntensityRangePercentiles"] = "ScaleIntensityRangePercentiles"
    lower: Annotated[float, Field(ge=0, lt=100)] = 1.0
    upper: Annotated[float, Field(gt=0, le=100)] = 99.0
    b_min: Finite = 0.0
    b_max: Finite = 1.0
    clip: bool = True

    @model_validator(mode="after")
    def _has_a_width(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError("lower is below upper")
        return self


class ScaleIntensity(Record):
    """The image's own least and greatest value become ``[minv, maxv]``."""

    name: Literal["ScaleIntensity"] = "ScaleIntensity"
    minv: Finite = 0.0
    maxv: Finite = 1.0


class NormalizeIntensity(Record):
    """``(x - subtrahend) / divisor``; without them the image's own mean and standard deviation."""

    name: Literal["NormalizeIntensity"] = "NormalizeIntensity"
    subtrahend: Finite | None = None
    divisor: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    nonzero: bool = False


class ThresholdIntensity(Record):
    """What is not above (or below) a threshold becomes ``cval``."""

    name: Literal["ThresholdIntensity"] = "ThresholdIntensity"
    threshold: Finite
    above: bool = True
    cval: Finite = 0.0


class GaussianSmooth(Record):
    """Smoothed by a Gaussian of so many elements."""

    name: Literal["GaussianSmooth"] = "GaussianSmooth"
    sigma: Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)] = 1.0


class MedianSmooth(Record):
    """Smoothed by the median of the neighbourhood."""

    name: Literal["MedianSmooth"] = "MedianSmooth"
    radius: Annotated[int, Field(ge=1, le=5)] = 1


class Resize(Record):
    """Resampled to so many elements, whatever they measure."""

    name: Literal["Resize"] = "Resize"
    spatial_size: Sizes
    mode: Literal["area", "bilinear", "nearest"] = "area"


class CenterSpatialCrop(Record):
    """The middle of the image."""

    name: Literal["CenterSpatialCrop"] = "CenterSpatialCrop"
    roi_size: Sizes


class SpatialPad(Record):
    """Zeros around the image where it is smaller than this."""

    name: Literal["SpatialPad"] = "SpatialPad"
    spatial_size: Sizes


class ResizeWithPadOrCrop(Record):
    """The middle of the image, with zeros around it where it is smaller."""

    name: Literal["ResizeWithPadOrCrop"] = "ResizeWithPadOrCrop"
    spatial_size: Sizes


class CropForeground(Record):
    """The smallest box around everything above a threshold, and so many elements more on every side."""

    name: Literal["CropForeground"] = "CropForeground"
    threshold: Finite = 0.0
    margin: Annotated[int, Field(ge=0, le=1000)] = 0


class Flip(Record):
    """Mirrored along an axis."""

    name: Literal["Flip"] = "Flip"
    spatial_axis: Axis


class Rotate90(Record):
    """Turned by quarters in the plane of two axes."""

    name: Literal["Rotate90"] = "Rotate90"
    k: Annotated[int, Field(ge=1, le=3)] = 1
    spatial_axes: tuple[Axis, Axis] = (0, 1)

    @model_validator(mode="after")
    def _has_a_plane(self) -> Self:
        if self.spatial_axes[0] == self.spatial_axes[1]:
            raise ValueError("a plane has two axes")
        return self


AnyTransform = (
    Orientation
    | Spacing
    | ScaleIntensityRange
    | ScaleIntensityRangePercentiles
    | ScaleIntensity
    | NormalizeIntensity
    | ThresholdIntensity
    | GaussianSmooth
    | MedianSmooth
    | Resize
    | CenterSpatialCrop
    | SpatialPad
    | ResizeWithPadOrCrop
    | CropForeground
    | Flip
    | Rotate90
)
Transform = Annotated[AnyTransform, Field(discriminator="name")]


class Slices(Record):
    """Single slices, each of them a record of its own.

    Attributes:
        take: ``middle``: the one in the middle; ``spread``: ``count`` of them at equal distances, the ends left out.
    """

    kind: Literal["2d"] = "2d"
    take: Literal["middle", "spread"] = "middle"
    count: Annotated[int, Field(ge=1, le=64)] = 1


class Stack(Record):
    """Neighbouring slices as channels ("2.5D"), around the middle or around ``count`` slices at equal distances.

    Attributes:
        slices: channels; odd.
        apart: millimetres between them; None takes the neighbours as they are.
    """

    kind: Literal["2.5d"] = "2.5d"
    slices: Annotated[int, Field(ge=3, le=15)] = 3
    apart: Millimetres | None = None
    count: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.slices % 2 == 0:
            raise ValueError("a stack has an odd number of slices")
        return self


class Volume(Record):
    """The whole series as one array: slices, rows, columns."""

    kind: Literal["3d"] = "3d"


class SeriesImages(Record):
    """Images out of DICOM series, as rows of what a model takes.

    A person without a series that fits is not in the cohort. Intensities are those after the modality's rescale
    (Hounsfield units in CT). After the transforms an image is padded or cropped to ``size`` around its middle and
    clamped to ``[low, high]``, which becomes [-1, 1]; what is added around it, and what is no number, becomes -1.

    Attributes:
        modality: DICOM's code.
        body_part: DICOM's code; None: any.
        plane: of the images; None: any.
        least_instances: a series has so many images or more, frames counted one by one.
        uniform: only series whose images agree in size, spacing and orientation, without a gap.
        which: of several series of a person; ``nearest`` to the index date. ``all``: each is a record, by date, so many
            at most as the job allows for a person.
        window: days around the index date (not with the index ``image``).
        form: slices, stacks or the volume.
        transforms: in their order.
        size: rows and columns; in a volume slices, rows and columns.
        low: public bound of the intensities after the transforms.
        high: the other.
    """

    kind: Literal["series"] = "series"
    modality: Code
    body_part: Code | None = None
    plane: Literal["axial", "coronal", "sagittal"] | None = None
    least_instances: Annotated[int, Field(ge=1, le=10_000)] = 1
    uniform: bool = True
    which: Literal["latest", "first", "nearest", "largest", "all"] = "latest"
    window: Window | None = None
    form: Annotated[Slices | Stack | Volume, Field(discriminator="kind")] = Slices()
    transforms: Annotated[tuple[Transform, ...], Field(max_length=20)] = ()
    size: Sizes
    low: Finite = 0.0
    high: Finite = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: channels, then ``size``."""
        return (self.form.slices if isinstance(self.form, Stack) else 1, *self.size)

    @property
    def values(self) -> int:
        """Numbers of one image."""
        return math.prod(self.shape)


class TileImages(Record):
    """Tiles out of whole-slide images, each of them a record of its own; tiles of background are left out.

    Attributes:
        mpp: micrometres an element; the level next to it is resampled.
        tile: rows and columns of a tile, in elements.
        tiles: so many tiles of a slide at most, drawn by chance.
        least_tissue: share of a tile that is tissue, by a mask from the slide's lowest level.
        which: of several slides of a person.
        window: days around the index date (not with the index ``image``).
        colour: three channels, or one of brightness.
    """

    kind: Literal["tiles"] = "tiles"
    mpp: Annotated[float, Field(ge=0.1, le=64, allow_inf_nan=False)] = 1.0
    tile: Annotated[int, Field(ge=16, le=1024)] = 224
    tiles: Annotated[int, Field(ge=1, le=1000)] = 16
    least_tissue: Annotated[float, Field(ge=0, le=1)] = 0.5
    which: Literal["latest", "first", "nearest", "all"] = "latest"
    window: Window | None = None
    colour: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one tile: channels, rows, columns."""
        return (3 if self.colour else 1, self.tile, self.tile)

    @property
    def values(self) -> int:
        """Numbers of one tile."""
        return math.prod(self.shape)


AnyImages = Annotated[SeriesImages | TileImages, Field(discriminator="kind")]
