"""A file in which every attribute of Annex E holds a marker: on top, two unlisted sequences deep, in private blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from flip_trust.deidentification import table
from flip_trust.deidentification.rules import vrs_of
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
UNLISTED = (0x00409096, 0x00082218)
"""Real World Value Mapping Sequence, and Anatomic Region Sequence in it: Annex E lists neither."""
_MASKS = {"50xxxxxx": (0x50000030, 0x50023000), "60xx3000": (0x60003000, 0x60023000), "60xx4000": (0x60004000,)}
_FIRST_DAY = date(1901, 1, 1)


def tags() -> Iterator[tuple[int, table.Line]]:
    """Every attribute that a data set may hold, with its line."""
    for line in table.table().values():
        if "x" in line.tag:
            yield from ((tag, line) for tag in _MASKS[line.tag])
        elif line.tag != table.PRIVATE and not line.tag.startswith(("0002", "0004", "0000")):
            yield int(line.tag, 16), line


def marker(tag: int, vr: str) -> Any:
    """A value that no other attribute has."""
    day = _FIRST_DAY + timedelta(days=hash(tag) % 25_000)
    figures = {
        "DA": f"{day:%Y%m%d}",
        "DT": f"{day:%Y%m%d}101112.{tag % 1_000_000:06d}",
        "TM": f"101112.{tag % 1_000_000:06d}",
        "AS": "077Y",
        "DS": f"{tag % 1_000_000}.125",
        "IS": str(tag % 1_000_000_000),
        "UI": f"1.2.826.0.1.99.{tag}",
        "UR": f"urn:CANARY{tag:08X}",
        "PN": f"CANARY{tag:08X}^SMITH",
    }
    if vr in figures:
        return figures[vr]
    if vr in {"OB", "OW", "UN", "OF", "OD", "OL", "OV"}:
        return f"CANARY{tag:08X}\0\0".encode()
    if vr in {"US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "AT"}:
        return 23_456
    return f"CANARY{tag:08X}"


def filled(target: Dataset) -> Dataset:
    """Put every attribute's marker into a data set."""
    for tag, _ in tags():
        vrs = vrs_of(tag)
        vr = vrs[0].decode() if vrs else "UN"
        if vr != "SQ":
            target.add_new(tag, vr, marker(tag, vr))
            continue
        item = Dataset()
        item.add_new(0x00080104, "LO", marker(tag, "LO"))
        target.add_new(tag, vr, Sequence([item]))
    return target


def private(target: Dataset) -> Dataset:
    """Put private blocks with markers into a data set, one of them a sequence full of them."""
    block = target.private_block(0x0019, "CANARY CREATOR", create=True)
    for number, vr in enumerate(("LO", "PN", "UN", "OB", "UI", "DA", "DS")):
        block.add_new(number, vr, marker(0x00190000 + number, vr))
    block.add_new(0x80, "SQ", Sequence([filled(Dataset())]))
    return target


def canary() -> Dataset:
    """The whole data set."""
    inner, outer = Dataset(), Dataset()
    inner.add_new(UNLISTED[1], "SQ", Sequence([private(filled(Dataset()))]))
    outer = private(filled(Dataset()))
    outer.add_new(UNLISTED[0], "SQ", Sequence([inner]))
    outer.SOPClassUID, outer.Modality = CT, "CT"
    return image(outer)


def image(dataset: Dataset, size: int = 8) -> Dataset:
    """Put a small picture into a data set."""
    dataset.Rows = dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.add_new(0x7FE00010, "OW", np.arange(size * size, dtype="<u2").tobytes())
    return dataset


def plain(**values: Any) -> Dataset:
    """A small CT image."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = CT, "CT"
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.3.4", "1.2.3", "1.2"
    dataset.PatientID, dataset.PatientName = "NHS 943 476 5919", "SMITH^JOHN"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return image(dataset)


def as_bytes(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A data set as a file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid = pydicom.uid.UID(syntax)
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.SourceApplicationEntityTitle = "CANARY_META"
    written = BytesIO()
    dataset.file_meta, dataset.preamble = meta, b"CANARY PREAMBLE".ljust(128, b"\0")
    how = {"implicit_vr": uid.is_implicit_VR, "little_endian": uid.is_little_endian}
    pydicom.dcmwrite(written, dataset, enforce_file_format=True, **how)
    return written.getvalue()


def paths(dataset: Dataset, at: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Every element that is not a sequence: the tags that lead to it, and its value."""
    for element in dataset:
        here = (*at, int(element.tag))
        if element.VR != "SQ":
            yield here, element.value
            continue
        for item in element.value:
            yield from paths(item, here)
