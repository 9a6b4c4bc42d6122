"""Slides made for tests: pale glass with one stained patch, as DICOM (VL WSI, TILED_FULL) and as tiled TIFF (SVS)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage, generate_uid

GLASS, STAIN = (240, 240, 240), (180, 60, 150)
TILE = 32


def picture(size: int, patch: tuple[int, int, int, int]) -> np.ndarray:
    """``[size, size, 3]``; patch: top, left, bottom, right."""
    made = np.full((size, size, 3), GLASS, np.uint8)
    top, left, bottom, right = patch
    made[top:bottom, left:right] = STAIN
    return made


def levels(finest: np.ndarray, count: int = 3) -> list[np.ndarray]:
    return [finest[:: 2**at, :: 2**at] for at in range(count)]


def whole_slide(finest: np.ndarray, mpp: float = 0.5) -> list[Dataset]:
    """Its levels as instances of one series, and its label."""
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    common = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "FrameOfReferenceUID": frame}
    made = [
        _instance(level, mpp * 2**at, ["ORIGINAL", "PRIMARY", "VOLUME", "NONE" if at == 0 else "RESAMPLED"], common)
        for at, level in enumerate(levels(finest))
    ]
    return [*made, _instance(finest[:64, :64], mpp, ["ORIGINAL", "PRIMARY", "LABEL", "NONE"], common)]


def _instance(pixels: np.ndarray, mpp: float, kind: list[str], common: dict[str, str]) -> Dataset:
    rows, columns = pixels.shape[:2]
    tile = TILE if kind[2] == "VOLUME" else rows
    frames = [pixels[y : y + tile, x : x + tile] for y in range(0, rows, tile) for x in range(0, columns, tile)]
    dataset = Dataset()
    dataset.update(common | {"SOPClassUID": VLWholeSlideMicroscopyImageStorage, "SOPInstanceUID": generate_uid()})
    dataset.PatientName, dataset.Modality, dataset.ImageType = "Doe^Jane", "SM", kind
    dataset.ContainerIdentifier, dataset.BarcodeValue = "S-2024-17", "S-2024-17"
    dataset.Rows = dataset.Columns = tile
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = rows, columns
    dataset.NumberOfFrames = len(frames)
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.BurnedInAnnotation, dataset.SpecimenLabelInImage = "NO", "NO"
    dataset.ImagedVolumeWidth, dataset.ImagedVolumeHeight = columns * mpp / 1000, rows * mpp / 1000
    dataset.ImagedVolumeDepth, dataset.LossyImageCompression = 1, "00"
    dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    measures, shared, path, origin = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [mpp / 1000, mpp / 1000], 0.001
    shared.PixelMeasuresSequence = Sequence([measures])
    path.OpticalPathIdentifier = "1"
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.OpticalPathSequence = Sequence([path])
    dataset.TotalPixelMatrixOriginSequence = Sequence([origin])
    dataset.PixelData = b"".join(frame.tobytes() for frame in frames)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def svs(path: Path, finest: np.ndarray, mpp: float = 0.5) -> Path:
    """As Aperio writes it: tiled levels, a thumbnail, a label and a macro, with identifiers in the description."""
    first, *others = levels(finest)
    told = f"Aperio Image Library v11\r\n{finest.shape[1]}x{finest.shape[0]}|AppMag = 20|MPP = {mpp}"
    jpeg = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 95}}
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            first, tile=(64, 64), description=f"{told}|Patient = Doe^Jane|Barcode = S-2024-17",
            datetime="2024:02:29 10:15:00", software="Scanner of Jane Doe", metadata=None, **jpeg,
        )  # fmt: skip
        writer.write(others[-1], description=f"{told} thumbnail", metadata=None, **jpeg)
        for level in others:
            writer.write(level, tile=(64, 64), description=told, metadata=None, **jpeg)
        writer.write(finest[:64, :64], description="label Jane Doe", metadata=None, subfiletype=1)
        writer.write(finest[:64, :64], description="macro Jane Doe", metadata=None, subfiletype=9)
    return path
