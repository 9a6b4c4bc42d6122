"""What was refused on the way in: images and records, by reason. Nothing of their content is read to list them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from flip_trust.console.paging import ON_A_PAGE
from flip_trust.errors import MissingError
from flip_trust.ingest import quarantine

IMAGES = ("deidentification", "imaging")
RECORDS = ("fhir", "hl7", "omop")
_SHOWN = (
    "Modality", "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "SOPClassUID", "ImageType",
    "BodyPartExamined", "Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored",
    "PhotometricInterpretation", "BurnedInAnnotation", "RecognizableVisualFeatures",
)  # fmt: skip
"""What a mask or a profile is chosen by; nobody is named by any of it."""
_IMAGE = re.compile(r"[A-Za-z0-9._-]{1,120}")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,80}\.(jsonl|parquet)")


@dataclass(frozen=True)
class Image:
    """One refused instance.

    Attributes:
        kind: folder of the quarantine that it lies in.
        name: its file's name, which says nothing of whom it shows.
        reason: why, in words.
        at: when.
        is_there: whether the file itself was kept.
    """

    kind: str
    name: str
    reason: str
    at: str
    is_there: bool


@dataclass(frozen=True)
class Records:
    """What was refused from one source of records.

    Attributes:
        kind: ``fhir``, ``hl7`` or ``omop``.
        name: of its file.
        reasons: how many were refused for each.
    """

    kind: str
    name: str
    reasons: Counter[str]

    @property
    def total(self) -> int:
        """How many were refused."""
        return self.reasons.total()


def images(home: Path) -> Sequence[Image]:
    """Every refused instance, the latest first."""
    found = [image for kind in IMAGES for image in _images(_stamp(home / quarantine.FOLDER / kind))]
    return sorted(found, key=lambda image: image.at, reverse=True)


def image(home: Path, kind: str, name: str) -> Image:
    """One refused instance.

    Raises:
        MissingError: it is not in the quarantine, or not any more.
    """
    found = next((one for one in images(home) if (one.kind, one.name) == (kind, name)), None)
    if found is None or not _IMAGE.fullmatch(name):
        raise MissingError("This file is not in the quarantine.", "It may have been let through or deleted meanwhile.")
    return found


def header(home: Path, refused: Image) -> list[tuple[str, str]]:
    """What a mask or a profile is chosen by, from an instance's header; without its pixels and without any identity."""
    path = home / quarantine.FOLDER / refused.kind / refused.name
    try:
        size, syntax = path.stat().st_size, _syntax(path)
        rows = [("File size", f"{size:,} bytes"), ("Transfer syntax", syntax.name if syntax else "not told")]
        if syntax == DeflatedExplicitVRLittleEndian:
            # what it inflates to is nobody's guess: the engine has a limit, a look at a header needs none of it
            return [*rows, ("Header", "compressed, and not looked into")]
        data = dcmread(path, stop_before_pixels=True, specific_tags=list(_SHOWN), force=True)
        return rows + [(_spaced(name), _text(data[name].value)) for name in _SHOWN if name in data]
    except (OSError, InvalidDicomError, ValueError, KeyError, AttributeError, NotImplementedError, EOFError, TypeError):
        return [("Header", "cannot be read")]


def records(home: Path) -> Sequence[Records]:
    """What was refused of each source of records."""
    found = []
    for kind in RECORDS:
        folder = home / quarantine.FOLDER / kind
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in files:
            if _FILE.fullmatch(path.name):
                found.append(Records(kind, path.name, Counter(dict(_reasons(_stamp(path))))))
    return found


def path_of(home: Path, kind: str, name: str) -> Path:
    """The file of refused records.

    Raises:
        MissingError: there is none.
    """
    path = home / quarantine.FOLDER / kind / name
    if kind not in RECORDS or not _FILE.fullmatch(name) or not path.is_file():
        raise MissingError("There are no such refused records.", "They may have been loaded or deleted meanwhile.")
    return path


def places(path: Path, offset: int) -> Sequence[tuple[str, str]]:
    """A page of refused records: their place in their source, and why; never what they say."""
    if path.suffix == ".parquet":
        rows = pl.scan_parquet(path).select(pl.col("line").cast(pl.String), "reason").slice(offset, ON_A_PAGE)
        return [(f"line {line}", reason) for line, reason in rows.collect().iter_rows()]
    found = []
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream):
            if number >= offset + ON_A_PAGE:
                break
            if number >= offset:
                item = json.loads(line)
                found.append((str(item.get("where", "")), str(item.get("reason", ""))))
    return found


def total(home: Path) -> int:
    """How many things lie in the quarantine."""
    folders = [home / quarantine.FOLDER / kind for kind in IMAGES]
    waiting = sum(entry.name.endswith(".json") for one in folders if one.is_dir() for entry in os.scandir(one))
    return waiting + sum(one.total for one in records(home))


def _stamp(path: Path) -> tuple[Path, int]:
    """A file or folder, and when it last changed: what was read of it before holds until then."""
    return path, path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=64)
def _images(stamp: tuple[Path, int]) -> Sequence[Image]:
    folder, changed = stamp
    if not changed:
        return ()
    entries = [entry for entry in os.scandir(folder) if entry.name.endswith(".json")]
    return tuple(_image(folder, entry.name, entry.stat().st_mtime_ns) for entry in entries)


@lru_cache(maxsize=100_000)
def _image(folder: Path, told_in: str, _changed: int) -> Image:
    """What is told of one refused instance; each is read once, however many others come."""
    try:
        told = json.loads((folder / told_in).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {}
    name = told_in.removesuffix(".json")
    reason = str(told.get("text") or told.get("reason") or "not told")
    return Image(folder.name, name, reason, str(told.get("at", "")), (folder / name).exists())


@lru_cache(maxsize=256)
def _reasons(stamp: tuple[Path, int]) -> tuple[tuple[str, int], ...]:
    path, _ = stamp
    try:
        if path.suffix == ".parquet":
            counted = pl.scan_parquet(path).group_by("reason").len().sort("len", descending=True).collect()
            return tuple(counted.iter_rows())
        with path.open(encoding="utf-8") as stream:
            return tuple(Counter(str(json.loads(line).get("reason", "")) for line in stream).most_common())
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return (("the file cannot be read", 1),)


def _syntax(path: Path) -> UID | None:
    meta = read_file_meta_info(str(path))
    return UID(str(meta.TransferSyntaxUID)) if "TransferSyntaxUID" in meta else None


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("SOP", "SOP ").replace("UID", "").strip()


def _text(value: Any) -> str:
    if isinstance(value, UID):
        return value.name[:200]
    return ("\\".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value))[
        :200
    ]
