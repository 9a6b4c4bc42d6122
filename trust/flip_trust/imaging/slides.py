"""Slides that come as tiled TIFF (SVS and its like), brought in by ``flip-trust ingest slides``.

Whose they are is told by a manifest. What is kept of a file is its levels alone, as tiles with the few tags that they
are read by (:mod:`flip_trust.imaging.tiff`): no label, no macro, no thumbnail, no description.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from flip_trust.deidentification.keyed import Keyed
from flip_trust.durable import sync_folder
from flip_trust.errors import ImagingError, UnfitImageError
from flip_trust.imaging import tiff
from flip_trust.imaging.parted import Parted
from flip_trust.ingest import links, store
from flip_trust.ingest.cdm import definition

FOLDER = "slides"
SCHEMA: dict[str, pl.DataType] = {
    "item": pl.Int64(), "person_id": pl.Int64(), "day": pl.Date(), "stain": pl.String(), "content": pl.String(),
    "slices": pl.Int64(), "path": pl.String(),
}  # fmt: skip
"""``item``: ``image_occurrence_id``; ``content``: digest of the file that was brought in; ``slices``: its tiles."""
_COLUMNS = ("file", "patient_id", "date")


@dataclass
class Taken:
    """What became of a manifest's rows.

    Attributes:
        slides: brought in, or there already.
        refused: the row's number, from 1 on, and the reason.
    """

    slides: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def table(home: Path) -> Parted:
    """One row a slide; ``path`` is below the folder of slides."""
    return Parted(home / "imaging" / FOLDER / "index", SCHEMA, "item")


def slides(home: Path) -> pl.LazyFrame:
    """Every slide, its ``path`` absolute."""
    folder = (home / "imaging" / FOLDER).absolute()
    return table(home).frame().with_columns(pl.lit(f"{folder}/").add(pl.col("path")).alias("path"))


def take(home: Path, manifest: Path, done: Callable[[], object] = lambda: None) -> Taken:
    """Bring in every slide of a manifest; one that cannot be is refused, and the rest goes on. Again changes nothing.

    Args:
        home: of the Trust.
        manifest: CSV with ``file`` (relative to it), ``patient_id``, ``date`` (YYYY-MM-DD) and, if known, ``stain``
            and ``mpp``, micrometres an element, for files that do not tell.
        done: told after each row.

    Raises:
        ImagingError: the manifest cannot be read.
    """
    keyed, known, taken = Keyed.load(home), links.known_numbers(home), Taken()
    folder = home / "imaging" / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, row in enumerate(_rows(manifest), 1):
        try:
            _remember(home, _taken(folder, manifest.parent, row, keyed, known))
            taken.slides += 1
        except UnfitImageError as error:
            taken.refused.append((number, error.reason))
        done()
    return taken


def _rows(manifest: Path) -> Iterator[dict[str, str]]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImagingError(f"{manifest} cannot be read.", "Give a CSV file in UTF-8.") from error
    if missing := [name for name in _COLUMNS if any(row.get(name) is None for row in rows)]:
        raise ImagingError(f"{manifest} lacks: {', '.join(missing)}.", f"Its columns are {', '.join(_COLUMNS)}.")
    yield from rows


def _taken(
    folder: Path, beside: Path, row: Mapping[str, str], keyed: Keyed, known: dict[int, int]
) -> dict[str, object]:
    if not row["patient_id"].strip():
        raise UnfitImageError("it is nobody's")
    day, mpp = _day(row["date"]), _number(row.get("mpp") or "")
    try:
        with (beside / row["file"]).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        item = keyed.number("image", digest)
        tiles = _copied(beside / row["file"], folder / f"{item}.tiff", mpp)
    except OSError as error:
        raise UnfitImageError("it cannot be read") from error
    return {
        "item": item, "person_id": links.person_of(keyed, row["patient_id"], known), "day": day,
        "stain": (row.get("stain") or "").strip()[:40], "content": digest, "slices": tiles, "path": f"{item}.tiff",
        "uid": keyed.uid(digest),
    }  # fmt: skip


def _copied(source: Path, target: Path, mpp: float | None) -> int:
    """Whole and on the disk, or not there; how many tiles it has."""
    temporary = target.with_name(f".{target.name}.new")
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        tiles = tiff.copy_levels(source, temporary, mpp)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)
    return tiles


def _remember(home: Path, row: dict[str, object]) -> None:
    uid = row.pop("uid")
    slide = table(home)
    with store.writing(slide.folder):
        slide.add(pl.DataFrame([row], schema=SCHEMA))
    occurrence = {
        "image_occurrence_id": row["item"], "person_id": row["person_id"], "image_occurrence_date": row["day"],
        "image_study_uid": uid, "image_series_uid": uid, "modality_source_value": "SM",
    }  # fmt: skip
    with store.writing(home / "omop"):
        told = definition("image_occurrence")
        store.merge(home / "omop", told, store.typed([occurrence], told), amend=True)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise UnfitImageError("its date is none: YYYY-MM-DD") from error


def _number(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError as error:
        raise UnfitImageError("its mpp is no number") from error
