"""Frames of a DICOM file as numbers: after the modality's rescale, bright where the picture is bright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from flip_sdk.mechanisms.images.pipeline import Pixels
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_rescale
from pydicom.pixels.utils import iter_pixels
from pydicom.sequence import Sequence as Items

from flip_trust.deidentification.pixels import check_size

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Brightness of red, green and blue (ITU-R BT.601, as DICOM's own YBR has it)."""


@dataclass(frozen=True)
class Frames:
    """Some frames of a file.

    Attributes:
        pixels: ``[frames, rows, columns]`` float32.
        places: ImagePositionPatient of each; None where it is not told.
    """

    pixels: Pixels
    places: list[list[float] | None]


def read(path: str, wanted: Sequence[int]) -> Frames:
    """Frames of a file, by their numbers from 0 on.

    Raises:
        Exception: whatever a damaged file leads to.
    """
    dataset = dcmread(path)
    check_size(dataset)
    decoded = iter_pixels(dataset, indices=list(wanted))
    frames = [_intensities(dataset, frame, at) for frame, at in zip(decoded, wanted, strict=True)]
    return Frames(np.stack(frames), [_place(dataset, at) for at in wanted])


def _intensities(dataset: Dataset, frame: npt.NDArray[Any], at: int) -> Pixels:
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        frame = apply_color_lut(frame, dataset)
    if frame.ndim == 3:
        return np.asarray(frame[..., :3].astype(np.float32) @ _GREY, np.float32)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        frame = _inverted(dataset, frame)
    rescale = _of_frame(dataset, at, "PixelValueTransformationSequence")
    values = apply_rescale(frame, rescale) if "RescaleSlope" in rescale else apply_modality_lut(frame, dataset)
    return np.asarray(values, np.float32)


def _inverted(dataset: Dataset, frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Least and greatest value that can be stored change their places."""
    both = -1 if int(dataset.PixelRepresentation) else (1 << int(dataset.BitsStored)) - 1
    return both - frame.astype(np.int64)


def _place(dataset: Dataset, at: int) -> list[float] | None:
    place = _of_frame(dataset, at, "PlanePositionSequence")
    told = (place if "ImagePositionPatient" in place else dataset).get("ImagePositionPatient")
    return [float(one) for one in told] if told else None


def _of_frame(dataset: Dataset, at: int, name: str) -> Dataset:
    """An item of the frame's own functional groups, else of the shared ones (PS3.3 C.7.6.16)."""
    own: Any = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared: Any = dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (*own[at : at + 1], *shared[:1]):
        items = groups.get(name)
        if isinstance(items, Items) and items:
            found: Dataset = items[0]
            return found
    return Dataset()


def number_of(path: str) -> int:
    """InstanceNumber, by which those who made a series count its instances."""
    return int(dcmread(path, stop_before_pixels=True, specific_tags=["InstanceNumber"]).get("InstanceNumber") or 0)
