"""What was refused, kept whole and with its reason, in files that only their owner can read.

A file is named after what it was refused from, so that loading the same source again writes the same file, and none
once nothing is refused any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from flip_trust.durable import sync_folder
from flip_trust.ingest import store
from flip_trust.keys import write_private

FOLDER = "quarantine"


@dataclass(frozen=True)
class Refused:
    """One thing that was refused.

    Attributes:
        where: its place in its source, such as ``line 12``.
        reason: why, in words that hold no value of it.
        content: the thing itself.
    """

    where: str
    reason: str
    content: str


def keep(home: Path, kind: str, source: bytes, refused: Sequence[Refused]) -> Path | None:
    """Keep what was refused from one source; the file, or None where nothing was.

    Args:
        home: the Trust's home.
        kind: a folder of the quarantine: ``fhir``, ``hl7``.
        source: what tells this source from others, such as a digest of it.
        refused: all that was refused from it, in order.
    """
    path = _path(home, kind, hashlib.sha256(source).hexdigest()[:16] + ".jsonl")
    if not refused:
        path.unlink(missing_ok=True)
        return None
    lines = (json.dumps(asdict(item)) for item in refused)
    write_private(path, ("\n".join(lines) + "\n").encode())
    sync_folder(path.parent)
    return path


def keep_rows(home: Path, table: str, source: bytes, rows: pl.DataFrame) -> Path | None:
    """The same for rows of a table: as they were read, with ``line`` and ``reason``."""
    path = _path(home, "omop", f"{table}-{hashlib.sha256(source).hexdigest()[:16]}.parquet")
    if rows.is_empty():
        path.unlink(missing_ok=True)
        return None
    store.write(path, rows)
    return path


def digest_of(path: Path) -> bytes:
    """What tells a file's content from others."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def folder_of(home: Path, kind: str) -> Path:
    """A folder of the quarantine."""
    folder = home / FOLDER / kind
    for made in (home / FOLDER, folder):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _path(home: Path, kind: str, name: str) -> Path:
    return folder_of(home, kind) / name
