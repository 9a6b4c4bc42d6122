"""The raw store: what was received, exactly as it came, under ``<home>/imaging/raw``.

An instance is written to a temporary name, synchronised, linked to its own name and the folder synchronised; only then
does :meth:`Incoming.commit` return, and only then may its sender be told. A kill at any moment leaves either the whole
instance under its name or a temporary file that the next start removes. Folders are synchronised one by one: the file
system joins what several associations ask for at a time into one commit of its journal, so batching here gains nothing.

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
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from flip_trust.errors import ImagingError, TrustError
from flip_trust.imaging.part10 import same_instance

RAW, INCOMING, TODO = "raw", "incoming", "todo"
GIGABYTE = 1 << 30
MOST_CONFLICTS = 99
_CHECK_EVERY = 64 << 20
_SHARDS = 256
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
        try:
            for shard in range(_SHARDS):
                (self.raw / f"{shard:02x}").mkdir(mode=0o700, parents=True, exist_ok=True)
            self.todo.mkdir(mode=0o700, exist_ok=True)
            for kept in (folder, self.raw):
                kept.chmod(0o700)
            self._mine, self._lock = _own_folder(folder / INCOMING, self.todo)
            _sync(self.raw)
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
        _clear(self._mine, self.todo)
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
        self._written, self._checked, self._kept = 0, 0, False
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
                os.fsync(self._descriptor)
                stored = self._link(name_of(sop_instance))
                _sync((self._spool.raw / stored.name).parent)
                if stored.outcome != "same":
                    self.path = self.path.rename(self._spool.todo / self.path.name)
                    self._kept = True
        finally:
            self.discard()
        return stored

    def discard(self) -> None:
        """Forget it. Does nothing the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            if not self._kept:
                self.path.unlink(missing_ok=True)

    def _link(self, name: str) -> Stored:
        for number in range(MOST_CONFLICTS + 1):
            ending = f"-{number}" if number else ""
            kept = f"{name[:2]}/{name}{ending}.dcm"
            try:
                os.link(self.path, self._spool.raw / kept)
                # a start after a kill finds under this name what was linked and not yet put on the list
                self.path = self.path.rename(self.path.with_name(kept[3:]))
                return Stored(kept, "conflict" if number else "new")
            except FileExistsError:
                if self._is_in(self._spool.raw / kept):
                    return Stored(kept, "same")
        raise SpoolRefusedError

    def _is_in(self, path: Path) -> bool:
        other = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return same_instance(self._descriptor, other)
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


def _own_folder(incoming: Path, todo: Path) -> tuple[Path, int]:
    """A folder for this process's temporary files, locked while it lives; those of dead processes are removed."""
    incoming.mkdir(mode=0o700, exist_ok=True)
    gate = os.open(incoming, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for folder in incoming.iterdir():
            _remove_if_dead(folder, todo)
        mine = incoming / secrets.token_hex(8)
        mine.mkdir(mode=0o700)
        return mine, _locked(mine)
    finally:
        os.close(gate)


def _remove_if_dead(folder: Path, todo: Path) -> None:
    try:
        lock = _locked(folder)
    except BlockingIOError:
        return
    _clear(folder, todo)
    os.close(lock)


def _clear(folder: Path, todo: Path) -> None:
    """Remove what was begun; what has its name in the raw store already is put on the list."""
    for left in folder.glob("*.dcm"):
        left.rename(todo / left.name)
    shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
