"""One file from a source folder to a target folder or to quarantine: whole, durable, and the same when done again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from flip_trust.deidentification import part10
from flip_trust.deidentification.engine import Cleaned, Engine
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from flip_trust.errors import SetupError


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        source: its path; identified, and never in a report.
        digest: SHA-256 of its bytes; empty where it could not be read.
        path: of the de-identified file, below the target folder; empty where it was refused.
        reason: the name of a :class:`Reason`; empty where it was not refused.
        counts: attributes by what was done to them.
    """

    source: str
    digest: str
    path: str = ""
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps(vars(self), sort_keys=True) + "\n"


def process(engine: Engine, source: Path, target: Path, quarantine: Path) -> Outcome:
    """De-identify one file.

    Args:
        engine: what is done.
        source: the file; it is never changed.
        target: gets ``<patient>/<study UID>/<series UID>/<instance UID>.dcm``, all of them pseudonymous.
        quarantine: gets a copy of what is refused, and why.

    Raises:
        SetupError: the target or the quarantine cannot be written; nothing more can be done.
    """
    digest = ""
    try:
        data = read(source)
        digest = hashlib.sha256(data).hexdigest()
        path = write(engine.clean(data), target)
    except RefusedFileError as refusal:
        return refuse(source, digest, refusal.reason, quarantine)
    except (SetupError, KeyboardInterrupt, SystemExit):
        raise
    except Exception:  # noqa: BLE001 (a file that the engine fails on must not stop the rest, and must not pass)
        return refuse(source, digest, Reason.FAILED, quarantine)
    return Outcome(str(source), digest, str(path[0].relative_to(target)), counts=path[1])


def refuse(source: Path, digest: str, reason: Reason, quarantine: Path) -> Outcome:
    """Keep a refused file and its reason where only the owner can read them.

    Raises:
        SetupError: the quarantine cannot be written.
    """
    if digest:
        try:
            quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not reason.dropped:
                _copy(source, quarantine / f"{digest}.dcm")
            about = {"reason": reason.name, "text": reason.value, "at": datetime.now(UTC).isoformat()}
            durable(quarantine / f"{digest}.json", json.dumps(about).encode())
        except OSError as error:
            raise SetupError(f"{quarantine} cannot be written.", "Is the disk full? Then run this again.") from error
    return Outcome(str(source), digest, reason=reason.name)


def digest_of(source: Path) -> str:
    """SHA-256 of a file's bytes; empty where it cannot be read."""
    try:
        with source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def read(source: Path) -> bytes:
    """A file's bytes.

    Raises:
        RefusedFileError: it cannot be read, or is too large.
    """
    try:
        if source.stat().st_size > part10.MOST_BYTES:
            raise RefusedFileError(Reason.TOO_LARGE)
        return source.read_bytes()
    except OSError as error:
        raise RefusedFileError(Reason.UNREADABLE) from error


def write(
    cleaned: Cleaned, target: Path, *, replace: bool = False, beside: Path | None = None
) -> tuple[Path, Counter[str]]:
    """Write a de-identified file below the target.

    Args:
        cleaned: the file.
        target: gets ``<patient>/<study UID>/<series UID>/<instance UID>.dcm``.
        replace: a file of that name with other content is replaced.
        beside: folder for what is not whole yet; the file's own unless given.

    Raises:
        RefusedFileError: there is a file of that name with other content.
        SetupError: the target cannot be written.
    """
    folder = target / cleaned.person / cleaned.study_uid / cleaned.series_uid
    path = folder / f"{cleaned.instance_uid}.dcm"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            if path.read_bytes() == cleaned.frame + cleaned.data_set:
                return path, cleaned.counts
            if not replace:
                raise RefusedFileError(Reason.DUPLICATE)
        durable(path, cleaned.frame, cleaned.data_set, beside=beside)
    except OSError as error:
        raise SetupError(f"{target} cannot be written.", "Is the disk full? Then run this again.") from error
    return path, cleaned.counts


def durable(path: Path, *parts: bytes, beside: Path | None = None) -> None:
    """Under another name first, on the disk, then under its own: never half a file."""
    with _beside(path, beside) as stream:
        stream.writelines(parts)


def _copy(source: Path, path: Path) -> None:
    if path.exists():
        return
    with source.open("rb") as given, _beside(path) as stream:
        shutil.copyfileobj(given, stream)


@contextmanager
def _beside(path: Path, folder: Path | None = None) -> Iterator[BinaryIO]:
    beside = (folder or path.parent) / f".{path.name}.{os.getpid()}.part"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(path)
