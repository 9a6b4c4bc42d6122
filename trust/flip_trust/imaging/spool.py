"""The raw store: what was received, exactly as it came, under ``<home>/imaging/raw``.

An instance is written to a temporary name, linked to its own name, and the file and then the folder are synchronised;
only then does :meth:`Incoming.commit` return, and only then may its sender be told. Linking first lets the file system
write both in one commit of its journal. The temporary name stays until both are safe, and says the file's length and
checksum: where the machine died in between, the next start keeps what is whole and removes what is not, which nobody
was told of. What several associations ask for at a time is joined by the journal too, so batching here gains nothing.

Each new instance has a second link in ``todo``, which the index worker removes once it has read it: the queue is on the
disk too, and no folder is ever searched for what is new.

A file's name is a hash of its SOP Instance UID, so a re-send finds the instance there. A link never replaces a file:
another instance under the same UID is kept beside the first, and its name says so (``<hash>-1.dcm``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from flip_trust.durable import sync_folder
from flip_trust.errors import ImagingError, TrustError
from flip_trust.imaging.part10 import same_instance

RAW, INCOMING, TODO = "raw", "incoming", "todo"
GIGABYTE = 1 << 30
MOST_CONFLICTS = 99
_CHECK_EVERY = 64 << 20
_SHARDS = 256
_SYNCING = 16
_MARK = re.compile(r"([0-9a-f]{40}(?:-[0-9]+)?\.dcm)\.([0-9]+)\.([0-9a-f]{8})")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
Outcome = Literal["new", "same", "conflict"]
Bytes = bytes | bytearray | memoryview


class SpoolFullError(TrustError):
    """There is too little room on the disk; nothing was kept of the instance."""


class SpoolRefusedError(TrustError):
    """An instance that is not kept: too many different ones claim its SOP Instance UID."""


@dataclass(frozen=True)
class Stored:
    """An instance that is on the disk.

    Attributes:
        name: relative to the raw store, ``ab/abcd….dcm``.
        outcome: ``new``; ``same`` where it was there already; ``conflict`` where a different one has its UID.
    """

    name: str
    outcome: Outcome


class Spool:
    """The raw store of one process. Close it at the end; what it had begun is then gone.

    Args:
        folder: ``<home>/imaging``.
        floor: bytes that stay free on the disk.

    Raises:
        ImagingError: the folder cannot be made or used.
    """

    def __init__(self, folder: Path, floor: int = 5 * GIGABYTE) -> None:
        self.raw, self.todo, self._floor = folder / RAW, folder / TODO, floor
        self.syncing = ThreadPoolExecutor(_SYNCING, "sync")
        try:
            for shard in range(_SHARDS):
                (self.raw / f"{shard:02x}").mkdir(mode=0o700, parents=True, exist_ok=True)
            self.todo.mkdir(mode=0o700, exist_ok=True)
            for kept in (folder, self.raw):
                kept.chmod(0o700)
            self._mine, self._lock = _own_folder(folder / INCOMING, self.raw, self.todo)
            sync_folder(self.raw)
        except OSError as error:
            raise ImagingError(
                f"{folder} cannot be used ({error.strerror}).", "Check its owner and the disk."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was begun and not committed."""
        self.syncing.shutdown()
        _settle(self._mine, self.raw, self.todo)
        os.close(self._lock)

    def has_room(self, more: int = 0) -> bool:
        """Whether the floor is kept after so many bytes more."""
        state = os.statvfs(self.raw)
        return state.f_bavail * state.f_frsize - more >= self._floor

    def begin(self) -> Incoming:
        """A place to write an instance to.

        Raises:
            SpoolFullError: less is free than has to stay free.
        """
        if not self.has_room():
            raise SpoolFullError
        return Incoming(self, self._mine / f"{secrets.token_hex(12)}.part")

    def names(self) -> Iterator[str]:
        """Every instance that is kept, in no order."""
        return names_in(self.raw)


def names_in(raw: Path) -> Iterator[str]:
    """Every instance in a raw store, in no order."""
    for shard in range(_SHARDS):
        folder = raw / f"{shard:02x}"
        if folder.is_dir():
            yield from (f"{folder.name}/{name}" for name in os.listdir(folder))


def name_of(sop_instance: str) -> str:
    """What an instance's file is called, but for its folder, its ending and what marks a conflict."""
    return hashlib.sha256(sop_instance.encode("utf-8")).hexdigest()[:40]


def is_conflict(name: str) -> bool:
    """Whether a kept instance's UID belonged to a different one before it."""
    return "-" in name.rpartition("/")[2]


class Incoming:
    """An instance on its way in. Write its bytes in order, then commit or discard it."""

    def __init__(self, spool: Spool, path: Path) -> None:
        self._spool, self.path = spool, path
        self._written, self._checked, self._checksum, self._kept = 0, 0, 0, False
        with _room():
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, content: Bytes) -> None:
        """Append bytes.

        Raises:
            SpoolFullError: the disk is full or nearly so; nothing is kept.
        """
        left = memoryview(content)
        self._written += len(left)
        if self._written - self._checked >= _CHECK_EVERY:
            self._checked = self._written
            if not self._spool.has_room():
                self.discard()
                raise SpoolFullError
        try:
            self._checksum = zlib.crc32(left, self._checksum)
            with _room():
                while left:
                    left = left[os.write(self._descriptor, left) :]
        except BaseException:
            self.discard()
            raise

    def start(self, length: int) -> bytes:
        """The first bytes of what was written."""
        return os.pread(self._descriptor, length, 0)

    def commit(self, sop_instance: str) -> Stored:
        """Make it durable under its name. When this returns, it survives a crash of the machine.

        Raises:
            SpoolFullError: the disk is full; nothing is kept.
            SpoolRefusedError: too many different instances claim this UID.
        """
        try:
            with _room():
                return self._keep(name_of(sop_instance))
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget it. Does nothing the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if not self._kept:
                self.path.unlink(missing_ok=True)

    def _keep(self, name: str) -> Stored:
        for number in range(MOST_CONFLICTS + 1):
            file = f"{name}-{number}.dcm" if number else f"{name}.dcm"
            kept = self._spool.raw / name[:2] / file
            mark = f"{file}.{self._written}.{self._checksum:08x}"
            self.path = self.path.rename(self.path.with_name(mark))
            try:
                os.link(self.path, kept)
            except FileExistsError:
                if self._is_in(kept):
                    return Stored(f"{name[:2]}/{file}", "same")
            else:
                self._make_durable(kept)
                return Stored(f"{name[:2]}/{file}", "conflict" if number else "new")
        raise SpoolRefusedError

    def _make_durable(self, kept: Path) -> None:
        # both at a time, so that one commit of the journal and one flush of the disk serve both
        folder = self._spool.syncing.submit(sync_folder, kept.parent)
        try:
            os.fsync(self._descriptor)
            folder.result()
        except OSError:
            kept.unlink()
            raise
        self.path.rename(self._spool.todo / kept.name)
        self._kept = True

    def _is_in(self, kept: Path) -> bool:
        """Whether it is there already, and durable: another association may have linked it only just now."""
        other = os.open(kept, os.O_RDONLY | os.O_CLOEXEC)
        try:
            same = same_instance(self._descriptor, other)
            if same:
                os.fsync(other)
                sync_folder(kept.parent)
            return same
        finally:
            os.close(other)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """A full disk, said in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise SpoolFullError from error
        raise


def _own_folder(incoming: Path, raw: Path, todo: Path) -> tuple[Path, int]:
    """A folder for this process's temporary files, locked while it lives; those of dead processes are settled."""
    incoming.mkdir(mode=0o700, exist_ok=True)
    gate = os.open(incoming, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for folder in incoming.iterdir():
            _settle_if_dead(folder, raw, todo)
        mine = incoming / secrets.token_hex(8)
        mine.mkdir(mode=0o700)
        return mine, _locked(mine)
    finally:
        os.close(gate)


def _settle_if_dead(folder: Path, raw: Path, todo: Path) -> None:
    try:
        lock = _locked(folder)
    except BlockingIOError:
        return
    _settle(folder, raw, todo)
    os.close(lock)


def _settle(folder: Path, raw: Path, todo: Path) -> None:
    """Keep what was linked and is whole, and remove the rest."""
    for left in folder.iterdir():
        if found := _MARK.fullmatch(left.name):
            name, length, checksum = found.groups()
            kept = raw / name[:2] / name
            if kept.exists() and kept.samefile(left):
                if _is_whole(left, int(length), int(checksum, 16)):
                    sync_folder(left)
                    sync_folder(kept.parent)
                    left.rename(todo / name)
                    continue
                kept.unlink()
        left.unlink()
    folder.rmdir()


def _is_whole(path: Path, length: int, checksum: int) -> bool:
    if path.stat().st_size != length:
        return False
    found = 0
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found == checksum


def _locked(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
