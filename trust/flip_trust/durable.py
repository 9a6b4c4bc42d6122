"""Files that are on the disk once they have their name."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Self

_PART: Final = re.compile(r"\..+\.[0-9a-f]{1,16}\.part")
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def sync_folder(folder: Path) -> None:
    """Make a rename or a new file in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Together:
    """Files that get their names together, once all of them are on the disk: never half a file under its own name.

    The disk writes each beside the work on the next, so that who writes many hardly waits, and one commit of the file
    system's journal serves all of them. Use it in a ``with`` block; what has no name at its end is removed, and what a
    killed process leaves is removed by :func:`tidied`.
    """

    def __init__(self) -> None:
        self._open: list[BinaryIO] = []
        self._begun: list[tuple[Path, Path, bool]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._open:
            stream.close()
        for _path, part, _replace in self._begun:
            with suppress(OSError):  # a broken disk is being told of already; the next run tries again
                part.unlink(missing_ok=True)

    def write(self, path: Path, parts: Iterable[bytes], *, beside: Path | None = None, replace: bool = False) -> None:
        """Write a file; the disk begins with it.

        Args:
            path: its name to be.
            parts: its content.
            beside: folder for it until then, of the same file system; the file's own unless given.
            replace: it replaces a file of that name.

        Raises:
            OSError: it cannot be written.
        """
        part = (beside or path.parent) / f".{path.name}.{secrets.token_hex(8)}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._begun.append((path, part, replace))
        with ExitStack() as opened:
            stream = opened.enter_context(os.fdopen(descriptor, "wb"))
            stream.writelines(parts)
            stream.flush()
            # its pages are not needed again: Linux begins to write them at once, and nobody waits
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            opened.pop_all()
        self._open.append(stream)

    def content(self, path: Path) -> bytes | None:
        """What lies under a name, or will; ``None`` where nothing does.

        Raises:
            OSError: it cannot be read.
        """
        lies = next((part for begun, part, _ in reversed(self._begun) if begun == path), path)
        try:
            return lies.read_bytes()
        except FileNotFoundError:
            return None

    def name(self) -> set[Path]:
        """Wait for the disk, then give every file its name.

        Returns:
            Names that another process gave to a file with other content meanwhile; that one stays, and ours is gone.

        Raises:
            OSError: not all of them could be flushed and named. Those without a name are removed.
        """
        for stream in self._open:
            with stream:
                os.fsync(stream.fileno())
        taken = {path for path, part, replace in self._begun if not _named(part, path, replace)}
        self._open, self._begun = [], []
        return taken


def write(path: Path, *parts: bytes) -> None:
    """One file, on the disk and then under its name; it replaces another.

    Raises:
        OSError: it cannot be written.
    """
    with Together() as alone:
        alone.write(path, parts, replace=True)
        alone.name()


@contextmanager
def tidied(folder: Path) -> Iterator[None]:
    """A folder without the files that killed processes left nameless; not beside another process that is here too.

    Raises:
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # somebody is at work, or this file system has no locks: left alone
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_parts(folder)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _remove_parts(folder: Path) -> None:
    for where, _, names in os.walk(folder):
        for name in names:
            if _PART.fullmatch(name):
                (Path(where) / name).unlink(missing_ok=True)


def _named(part: Path, path: Path, replace: bool) -> bool:
    """Whether the name is this file's now, or its like's. A link never replaces what another process named just now."""
    if not replace:
        try:
            os.link(part, path)
        except FileExistsError:
            same = part.read_bytes() == path.read_bytes()
            part.unlink()
            return same
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            part.unlink()
            return True
    part.rename(path)
    return True
