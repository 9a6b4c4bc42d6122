"""Files from a source folder to a target folder or to quarantine: whole, durable, and the same when done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flip_trust.deidentification import part10
from flip_trust.deidentification.engine import Cleaned, Engine
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from flip_trust.durable import Together
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


def process(engine: Engine, sources: list[Path], target: Path, quarantine: Path) -> list[Outcome]:
    """De-identify some files. When this returns, what became of them is on the disk.

    Args:
        engine: what is done.
        sources: the files; they are never changed.
        target: gets ``<patient>/<study UID>/<series UID>/<instance UID>.dcm``, all of them pseudonymous.
        quarantine: gets a copy of what is refused, and why.

    Raises:
        SetupError: the target or the quarantine cannot be written; nothing more can be done.
    """
    with together(target) as batch:
        outcomes = [_begun(engine, source, target, quarantine, batch) for source in sources]
        taken = {str(path.relative_to(target)) for path in batch.name() if path.is_relative_to(target)}
    return [_unless_taken(outcome, taken, quarantine) for outcome in outcomes]


def refuse(source: Path, digest: str, reason: Reason, quarantine: Path) -> Outcome:
    """Keep a refused file and its reason where only the owner can read them.

    Raises:
        SetupError: the quarantine cannot be written.
    """
    with together(quarantine) as batch:
        outcome = _refused(source, digest, reason, quarantine, batch)
        batch.name()
    return outcome


@contextmanager
def together(target: Path) -> Iterator[Together]:
    """Files that get their names together.

    Raises:
        SetupError: they cannot be written or flushed.
    """
    try:
        with Together() as batch:
            yield batch
    except OSError as error:
        raise SetupError(f"{target} cannot be written.", "Is the disk full? Then run this again.") from error


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
    cleaned: Cleaned, target: Path, batch: Together, *, replace: bool = False, beside: Path | None = None
) -> Path:
    """Write a de-identified file below the target; it has its name once the batch has.

    Args:
        cleaned: the file.
        target: gets ``<patient>/<study UID>/<series UID>/<instance UID>.dcm``.
        batch: the files that it gets its name with.
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
        known = batch.content(path)
        if known is not None:
            if known == cleaned.frame + cleaned.data_set:
                return path
            if not replace:
                raise RefusedFileError(Reason.DUPLICATE)
        batch.write(path, (cleaned.frame, cleaned.data_set), beside=beside, replace=replace)
    except OSError as error:
        raise SetupError(f"{target} cannot be written.", "Is the disk full? Then run this again.") from error
    return path


def _begun(engine: Engine, source: Path, target: Path, quarantine: Path, batch: Together) -> Outcome:
    digest = ""
    try:
        data = read(source)
        digest = hashlib.sha256(data).hexdigest()
        cleaned = engine.clean(data)
        path = write(cleaned, target, batch)
    except RefusedFileError as refusal:
        return _refused(source, digest, refusal.reason, quarantine, batch)
    except (SetupError, KeyboardInterrupt, SystemExit):
        raise
    except Exception:  # noqa: BLE001 (a file that the engine fails on must not stop the rest, and must not pass)
        return _refused(source, digest, Reason.FAILED, quarantine, batch)
    return Outcome(str(source), digest, str(path.relative_to(target)), counts=cleaned.counts)


def _unless_taken(outcome: Outcome, taken: set[str], quarantine: Path) -> Outcome:
    """Another worker may have given the name to a file with other content, while this one was not flushed yet."""
    if outcome.path not in taken:
        return outcome
    return refuse(Path(outcome.source), outcome.digest, Reason.DUPLICATE, quarantine)


def _refused(source: Path, digest: str, reason: Reason, quarantine: Path, batch: Together) -> Outcome:
    if digest:
        try:
            quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not reason.dropped:
                _copy(source, quarantine / f"{digest}.dcm", batch)
            about = {"reason": reason.name, "text": reason.value, "at": datetime.now(UTC).isoformat()}
            batch.write(quarantine / f"{digest}.json", [json.dumps(about).encode()], replace=True)
        except OSError as error:
            raise SetupError(f"{quarantine} cannot be written.", "Is the disk full? Then run this again.") from error
    return Outcome(str(source), digest, reason=reason.name)


def _copy(source: Path, path: Path, batch: Together) -> None:
    if not path.exists():
        with source.open("rb") as given:
            batch.write(path, iter(lambda: given.read(1 << 20), b""), replace=True)
