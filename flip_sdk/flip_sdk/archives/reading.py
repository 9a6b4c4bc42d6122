"""Reading an archive: nothing of it counts before its digest was seen to be the manifest's."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from flip_sdk.archives.errors import BrokenArchiveError, disk_errors
from flip_sdk.archives.manifest import MANIFEST, MOST_MANIFEST_BYTES, Manifest, Member
from flip_sdk.archives.writing import PIECE, sync_folder
from flip_sdk.errors import RecordError

_MEND = "Take another backup, or fetch this file again."


class Archive:
    """An archive whose manifest was read.

    Attributes:
        manifest: what it says of itself.
        digest: the manifest's: what was printed when it was made.
    """

    def __init__(self, file: ZipFile) -> None:
        self._file = file
        self.manifest = _manifest(file)
        self.digest = self.manifest.digest()
        self._members = {member.name: member for member in self.manifest.members}
        if set(file.namelist()) != {*self._members, MANIFEST} or len(file.namelist()) != len(self._members) + 1:
            raise BrokenArchiveError("The archive holds other files than its manifest names.", _MEND)

    def members(self, prefix: str) -> list[Member]:
        """Members in a folder, in order."""
        return [member for member in self.manifest.members if member.name.startswith(prefix)]

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._members

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's bytes. Whoever keeps them before the last one came keeps what is not verified.

        Raises:
            BrokenArchiveError: they are not those of the manifest; told after the last piece.
        """
        member, hashed, size = self._member(name), hashlib.sha256(), 0
        with _in_words(), self._file.open(name) as file:
            while size <= member.size and (piece := file.read(PIECE)):
                hashed.update(piece)
                size += len(piece)
                yield piece
        if (size, f"sha256:{hashed.hexdigest()}") != (member.size, member.sha256):
            raise BrokenArchiveError(f"{name} in the archive was changed after it was made.", _MEND)

    def read(self, name: str) -> bytes:
        """A small member's bytes, verified.

        Raises:
            BrokenArchiveError: they are not those of the manifest.
        """
        return b"".join(self.pieces(name))

    def verify(self, name: str) -> None:
        """See that a member is what the manifest says.

        Raises:
            BrokenArchiveError: it is not.
        """
        for _ in self.pieces(name):
            pass

    def lay_out(self, name: str, target: Path) -> None:
        """Write a member to a new file, durably.

        Raises:
            BrokenArchiveError: it is not what the manifest says.
            ArchiveError: the disk does not take it.
        """
        member = self._member(name)
        with disk_errors(target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode)
            with os.fdopen(descriptor, "wb") as file:
                for piece in self.pieces(name):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(target.parent)

    def _member(self, name: str) -> Member:
        if name not in self._members:
            raise BrokenArchiveError(f"The archive lacks {name}.", _MEND)
        return self._members[name]


@contextmanager
def open_archive(path: Path, kind: str) -> Iterator[Archive]:
    """Open an archive of one kind of program.

    Raises:
        BrokenArchiveError: not an archive, not whole, or another program's.
        ArchiveError: it cannot be read.
    """
    with disk_errors(path), path.open("rb") as file:
        with _in_words():
            zipped = ZipFile(file)
        with zipped:
            archive = Archive(zipped)
            if archive.manifest.kind != kind:
                found = archive.manifest.kind
                raise BrokenArchiveError(f"This is the backup of a {found}.", f"Give one of a {kind}.")
            yield archive


def _manifest(file: ZipFile) -> Manifest:
    with _in_words():
        try:
            info = file.getinfo(MANIFEST)
            if info.file_size > MOST_MANIFEST_BYTES:
                raise BrokenArchiveError("The archive's manifest is too large.", _MEND)
            return Manifest.parse(file.read(info))
        except (KeyError, RecordError) as error:
            raise BrokenArchiveError("This file has no manifest that can be read.", _MEND) from error


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (BadZipFile, EOFError, zlib.error, NotImplementedError, ValueError) as error:
        raise BrokenArchiveError("The file is no archive, or is not whole.", _MEND) from error
