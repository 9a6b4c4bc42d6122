"""Messages on the disk before they are acknowledged: files that are only appended to, each record with its checksum.

A record is its length, the CRC-32 of its content and when it came (seconds since 1970), then the content. What a crash
leaves half-written at the end was never acknowledged, and is cut off when the journal is opened for writing again.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from flip_trust.durable import sync_folder
from flip_trust.errors import IngestError


class Position(NamedTuple):
    """Where in a journal: which file, and how far into it."""

    file: int
    offset: int


MOST_BYTES = 64 * 2**20
"""Of a file; the next one is begun when a file has as many."""
START = Position(0, 0)
ALLOCATED_BYTES = 4 * 2**20
"""Set aside ahead of the records, so that the file system has less to write with each of them."""
_HEAD = struct.Struct(">IId")


class Journal:
    """The one writer of a folder of journal files."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder, self._lock = folder, lock
        self._number = max(_numbers(folder), default=1)
        self._descriptor = -1
        self._size = self._allocated = 0
        self._begin(self._number)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a folder for writing, and cut off what a crash left half-written.

        Raises:
            IngestError: another process writes there.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise IngestError("Another listener writes to this Trust's journal.", "Stop it first.") from None
        return cls(folder, lock)

    def append(self, contents: Sequence[bytes]) -> None:
        """Make records durable, together: they are all on the disk when this returns.

        Raises:
            OSError: they are not, and none of them stays.
        """
        if self._size >= MOST_BYTES:
            self._begin(self._number + 1)
        now = time.time()
        records = b"".join(_HEAD.pack(len(c), zlib.crc32(c), now) + c for c in contents)
        try:
            if self._size + len(records) > self._allocated:
                os.posix_fallocate(self._descriptor, self._size, len(records) + ALLOCATED_BYTES)
                self._allocated = self._size + len(records) + ALLOCATED_BYTES
            _write_all(self._descriptor, records, self._size)
            os.fdatasync(self._descriptor)
        except OSError:
            self._trim()
            raise
        self._size += len(records)

    def close(self) -> None:
        """Let another writer in."""
        self._trim()
        os.close(self._descriptor)
        os.close(self._lock)

    def _begin(self, number: int) -> None:
        path = _path(self._folder, number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        size = 0
        for position, _ in _records(path, number, 0):
            size = position.offset
        if os.fstat(descriptor).st_size > size:
            os.ftruncate(descriptor, size)
        os.fsync(descriptor)
        sync_folder(self._folder)
        if self._descriptor >= 0:
            self._trim()
            os.close(self._descriptor)
        self._number, self._descriptor, self._size, self._allocated = number, descriptor, size, size

    def _trim(self) -> None:
        """Give back what was set aside for records to come."""
        os.ftruncate(self._descriptor, self._size)
        self._allocated = self._size


def read(folder: Path, after: Position = START) -> Iterator[tuple[Position, bytes]]:
    """Whole records after a position, each with the position behind it; a writer may be at work meanwhile."""
    for number in sorted(_numbers(folder)):
        if number >= after.file:
            yield from _records(_path(folder, number), number, after.offset if number == after.file else 0)


def size(folder: Path, after: Position = START) -> int:
    """How many bytes there are after a position, or were set aside for messages to come."""
    found = {number: _path(folder, number).stat().st_size for number in _numbers(folder) if number >= after.file}
    return sum(found.values()) - min(after.offset, found.get(after.file, 0))


def _records(path: Path, number: int, offset: int) -> Iterator[tuple[Position, bytes]]:
    with path.open("rb") as stream:
        stream.seek(offset)
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            length, checksum, _ = _HEAD.unpack(head)
            content = stream.read(length)
            # nothing is as long as nothing: what was only set aside is zeros
            if not length or len(content) < length or zlib.crc32(content) != checksum:
                return
            offset += _HEAD.size + length
            yield Position(number, offset), content


def _numbers(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.journal") if path.stem.isdigit()]


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:08}.journal"


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
