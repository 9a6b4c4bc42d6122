"""De-identifying what was received: every indexed instance, under the Trust's profile, in whatever order and how often.

An instance is dealt with once its row is in the table of :mod:`flip_trust.imaging.cleaned`; until then it waits, and a
run that was killed is simply gone on with. The raw instance stays as it is: a refused one is linked into the
quarantine, so that another profile can try it again. Instances in conflict are left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import polars as pl

from flip_trust import scaleout
from flip_trust.deidentification import files, profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from flip_trust.durable import Together, sync_folder
from flip_trust.errors import ImagingError, SetupError
from flip_trust.imaging.cleaned import Place, profile_of
from flip_trust.imaging.index import Index
from flip_trust.imaging.spool import RAW
from flip_trust.ingest import store
from flip_trust.keys import write_private
from flip_trust.scaleout import LOCAL, Where

BATCH: Final = 16
QUARANTINE: Final = "deidentification"
DELETED: Final = "deleted"
_WRITE_EVERY: Final = 5.0
_TRIED_AGAIN: Final = frozenset({Reason.NO_TESSERACT.name, Reason.FAILED.name, Reason.UNREADABLE.name})
"""Refusals that are not the instance's own fault."""

Row = tuple[str, str, str]
"""File, path below the profile's folder, reason; path or reason is empty."""


@dataclass
class Tally:
    """What one run did: instances de-identified, and refused ones by reason."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, rows: list[Row]) -> None:
        """Count some instances."""
        for _, _, reason in rows:
            if reason:
                self.refused[reason] += 1
            else:
                self.done += 1


class Cleaning:
    """De-identifies one Trust's images under its current profile. One process works at a time; others wait.

    Args:
        home: the Trust's home.
        keep_free: bytes of the disk that stay free.

    Raises:
        SetupError: the settings, the profile or the key cannot be read.
    """

    def __init__(self, home: Path, keep_free: int = 0) -> None:
        self._home, self._keep_free = home, keep_free
        self.place = Place(home, profile_of(home))
        self.index = Index(home)

    def waiting(self, *, again: bool = False) -> list[str]:
        """Instances that are indexed, not in conflict and not dealt with.

        Args:
            again: those too that were refused for a reason outside themselves.
        """
        known = self.place.records.frame().filter(~(pl.lit(again) & pl.col("reason").is_in(list(_TRIED_AGAIN))))
        indexed = self.index.instances().filter(~pl.col("conflict"))
        return indexed.join(known, on="file", how="anti", maintain_order="left").collect()["file"].to_list()

    def figures(self) -> Tally:
        """What was done so far under the current profile."""
        tally = Tally()
        tally.add(self.place.records.frame().select("file", "path", "reason").collect().rows())
        return tally

    def run(
        self,
        where: Where = LOCAL,
        done: Callable[[int], None] = lambda _: None,
        most: int | None = None,
        *,
        again: bool = False,
    ) -> Tally:
        """De-identify what waits, once no other process is at it.

        Args:
            where: on what; a cluster's workers see the home under the same path.
            done: told how many more were dealt with.
            most: stop after so many.
            again: those too that were refused for a reason outside themselves.

        Raises:
            SetupError: the folder cannot be written, or the cluster cannot be used.
            ImagingError: the disk is nearly full. What was done stays.
        """
        with store.writing(self.place.folder):
            # nobody else is at work: what lies there was left by a process that was killed
            shutil.rmtree(self.place.parts, ignore_errors=True)
            self.place.parts.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._run(self.waiting(again=again)[:most], where, done)

    def again(self, names: list[str]) -> Tally:
        """Try some instances again, at once: after tesseract was installed, say, or a file was put right.

        Raises:
            ImagingError: another process is at work; it is not waited for.
            SetupError: the folder cannot be written.
        """
        try:
            with store.writing(self.place.folder, wait=False):
                self.place.parts.mkdir(mode=0o700, parents=True, exist_ok=True)
                rows = clean(str(self._home.absolute()), self.place.profile.model_dump_json(), names)
                self._write(rows)
        except BlockingIOError as error:
            raise ImagingError("Images are being de-identified just now.", "Wait until that is done.") from error
        tally = Tally()
        tally.add(rows)
        return tally

    def _run(self, names: list[str], where: Where, done: Callable[[int], None]) -> Tally:
        tally, rows, wrote = Tally(), list[Row](), time.monotonic()
        work = partial(clean, str(self._home.absolute()), self.place.profile.model_dump_json())
        try:
            for ended in scaleout.run(work, self._batches(names), where):
                more = ended.result if isinstance(ended, scaleout.Done) else [self._failed(ended.item)]
                rows += more
                tally.add(more)
                done(len(more))
                if time.monotonic() - wrote > _WRITE_EVERY:
                    self._write(rows)
                    rows, wrote = [], time.monotonic()
        finally:
            self._write(rows)
        if tally.done + tally.refused.total() < len(names):
            raise ImagingError(
                "The disk is nearly full; what was done so far stays.", "Make room, then run this again."
            )
        return tally

    def former(self) -> list[Path]:
        """Folders of other profiles than the current one."""
        folders = self.place.folder.parent
        return [one for one in folders.iterdir() if one != self.place.folder] if folders.is_dir() else []

    def remove_former(self) -> int:
        """Remove what was de-identified under other profiles; how many there were.

        Raises:
            ImagingError: not everything is done under the current profile yet.
        """
        if self.waiting():
            raise ImagingError("Some instances still wait for the current profile.", "Run this again once none does.")
        former = self.former()
        for folder in former:
            shutil.rmtree(folder)
        return len(former)

    def _batches(self, names: list[str]) -> Iterator[list[str]]:
        for batch in scaleout.batched(names, BATCH):
            if not self._has_room():
                return
            yield batch

    def _has_room(self) -> bool:
        return shutil.disk_usage(self._home).free >= self._keep_free

    def _failed(self, name: str) -> Row:
        with files.together(self.place.folder) as batch:
            row = _refused(self.place, name, Reason.FAILED, batch)
            batch.name()
        return row

    def _write(self, rows: list[Row]) -> None:
        if not rows:
            return
        frame = pl.DataFrame(rows, schema=["file", "path", "reason"], orient="row")
        frame = frame.select("file", "path", pl.lit(self.place.profile.digest).alias("profile"), "reason")
        with store.writing(self.place.records.folder):
            self.place.records.add(frame)


def clean(home: str, profile_text: str, names: list[str]) -> list[Row]:
    """What a worker does with one batch; when it returns, the files are on the disk.

    Raises:
        SetupError: the key cannot be read, or the folders cannot be written.
    """
    place = Place(Path(home), profile.parsed(profile_text))
    engine = _engine(home, profile_text)
    with files.together(place.folder) as batch:
        rows = [_cleaned(place, engine, name, batch) for name in names]
        batch.name()
        for folder in {(place.folder / path).parent for _, path, _ in rows if path}:
            sync_folder(folder)
    for name, path, _ in rows:
        if path:
            _out_of_quarantine(place.home, name)
    return rows


@lru_cache(maxsize=4)
def _engine(home: str, profile_text: str) -> Engine:
    return Engine(profile.parsed(profile_text), Keyed.load(Path(home)))


def _cleaned(place: Place, engine: Engine, name: str, batch: Together) -> Row:
    if is_deleted(place.home, name):
        return name, "", Reason.DELETED.name
    try:
        cleaned = engine.clean(files.read(_raw(place.home, name)))
        path = files.write(cleaned, place.folder, batch, replace=True, beside=place.parts)
    except RefusedFileError as refusal:
        return _refused(place, name, refusal.reason, batch)
    except SetupError:
        raise
    except Exception:  # noqa: BLE001 (a file that the engine fails on must not stop the rest, and must not pass)
        return _refused(place, name, Reason.FAILED, batch)
    return name, str(path.relative_to(place.folder)), ""


def _refused(place: Place, name: str, reason: Reason, batch: Together) -> Row:
    folder = place.home / "quarantine" / QUARANTINE
    told = {"reason": reason.name, "text": reason.value, "profile": place.profile.digest}
    told["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        for made in (folder.parent, folder):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not reason.dropped:
            with suppress(FileExistsError, FileNotFoundError):
                os.link(_raw(place.home, name), folder / name)
        about = [json.dumps(told).encode()]
        batch.write(folder / f"{name}.json", about, beside=place.parts, replace=True)
    except OSError as error:
        raise SetupError(f"{folder} cannot be written.", "Is the disk full? Then run this again.") from error
    return name, "", reason.name


def delete(home: Path, name: str, why: dict[str, str]) -> None:
    """Delete a refused instance for good, the raw file too: it is never tried again.

    Args:
        home: the Trust's home.
        name: its file's name in the raw store.
        why: who deleted it and for what reason; kept beside the quarantine.

    Raises:
        SetupError: the quarantine cannot be written.
    """
    folder = home / "quarantine" / DELETED
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # first: an instance of which this is written is never read again, even where a kill leaves its file
        write_private(folder / f"{name}.json", json.dumps(why).encode())
        sync_folder(folder)
        _raw(home, name).unlink(missing_ok=True)
        _out_of_quarantine(home, name)
    except OSError as error:
        raise SetupError(f"{folder} cannot be written.", "Is the disk full? Then do this again.") from error


def is_deleted(home: Path, name: str) -> bool:
    """Whether an instance was deleted by a steward."""
    return (home / "quarantine" / DELETED / f"{name}.json").exists()


def _out_of_quarantine(home: Path, name: str) -> None:
    folder = home / "quarantine" / QUARANTINE
    for left in (folder / name, folder / f"{name}.json"):
        left.unlink(missing_ok=True)


def _raw(home: Path, name: str) -> Path:
    return home / "imaging" / RAW / name[:2] / name
