"""Pixels: masks for what a device prints into its pictures, and overlays that hide in unused bits."""

from __future__ import annotations

import logging
import warnings
from io import BytesIO

import numpy as np
import pydicom
from numpy.typing import NDArray

from flip_trust.deidentification.part10 import Opened
from flip_trust.deidentification.profile import Mask, Profile
from flip_trust.deidentification.refusals import Reason, RefusedFileError

MOST_PIXEL_BYTES = 1 << 30
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
_MASKABLE = frozenset({"MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR"})


def hush() -> None:
    """Keep pydicom from writing what it reads into warnings and logs: its complaints quote values."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")


def check_overlays(source: Opened) -> None:
    """Overlays are dropped; one without data of its own lies in the pixels, where it would stay.

    Raises:
        RefusedFileError: there is such an overlay.
    """
    for tag in source.top:
        if tag >> 24 == 0x60 and tag & 0xFFFF == 0x0102 and source.number(tag):
            raise RefusedFileError(Reason.HIDDEN_OVERLAY)


def native_length(source: Opened) -> int:
    """Bytes that the picture needs where it is not compressed; 0 where that cannot be told. More is no picture."""
    if source.transfer_syntax not in _NATIVE:
        return 0
    frames = source.text(0x00280008) or "1"
    rows, columns, samples, bits = (source.number(tag) for tag in (0x00280010, 0x00280011, 0x00280002, 0x00280100))
    if not frames.isdigit():
        return 0
    length = -(-rows * columns * samples * bits * int(frames) // 8)
    return length + length % 2


def mask_for(profile: Profile, source: Opened) -> Mask | None:
    """The profile's first mask that is meant for the device that made this file."""
    for mask in profile.masks:
        wanted = (
            (mask.manufacturer, source.text(0x00080070)),
            (mask.model, source.text(0x00081090)),
            (mask.modality, source.text(0x00080060)),
        )
        sizes = ((mask.rows, source.number(0x00280010)), (mask.columns, source.number(0x00280011)))
        same = all(not want or want.casefold() == given.casefold() for want, given in wanted)
        if same and all(not size or size == given for size, given in sizes):
            return mask
    return None


def masked(data: bytes, mask: Mask) -> bytes:
    """The file with its boxes black on every frame, uncompressed.

    Raises:
        RefusedFileError: the pixels cannot be decoded, or are of a kind that cannot be masked.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        check_size(dataset)
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            dataset.decompress()
        if str(dataset.PhotometricInterpretation) not in _MASKABLE or int(dataset.get("PlanarConfiguration", 0) or 0):
            raise RefusedFileError(Reason.PIXELS)
        pixels: NDArray[np.generic] = np.frombuffer(dataset.PixelData, dtype=np.uint8).copy()
        _blacken(pixels, dataset, mask)
        dataset.PixelData = pixels.tobytes()
        written = BytesIO()
        dataset.save_as(written, enforce_file_format=True)
    except RefusedFileError:
        raise
    except Exception as error:
        raise RefusedFileError(Reason.PIXELS) from error
    return written.getvalue()


def check_size(dataset: pydicom.Dataset) -> None:
    """Refuse pixels that would need more memory than any true picture.

    Raises:
        RefusedFileError: they would.
    """
    samples = int(dataset.get("SamplesPerPixel", 1)) * int(dataset.get("NumberOfFrames", 1) or 1)
    if int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated) > 8 * MOST_PIXEL_BYTES:
        raise RefusedFileError(Reason.PIXELS)


def _blacken(pixels: NDArray[np.generic], dataset: pydicom.Dataset, mask: Mask) -> None:
    rows, columns, bits = int(dataset.Rows), int(dataset.Columns), int(dataset.BitsAllocated)
    if bits % 8:
        raise RefusedFileError(Reason.PIXELS)
    width = int(dataset.SamplesPerPixel) * bits // 8
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    picture = pixels[: frames * rows * columns * width].reshape(frames, rows, columns, width)
    value = _black(dataset, bits)
    for left, top, right, bottom in mask.boxes:
        picture[:, top:bottom, left:right, :] = np.resize(value, width)


def _black(dataset: pydicom.Dataset, bits: int) -> NDArray[np.uint8]:
    """One sample that shows black, as bytes in the file's order (little endian after decoding)."""
    high = dataset.PhotometricInterpretation == "MONOCHROME1"
    signed = int(dataset.PixelRepresentation) == 1
    stored = int(dataset.BitsStored)
    value = ((1 << (stored - signed)) - 1) if high else (-(1 << (stored - 1)) if signed else 0)
    order = "little" if dataset.file_meta.TransferSyntaxUID.is_little_endian else "big"
    return np.frombuffer((value % (1 << bits)).to_bytes(bits // 8, order), dtype=np.uint8)  # type: ignore[arg-type]
