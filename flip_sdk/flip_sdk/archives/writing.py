"""Writing an archive: completely and durably, or not at all, and never over another file."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from flip_sdk.archives.errors import ArchiveError, disk_errors
from flip_sdk.archives.manifest import MANIFEST, Manifest, Member

PIECE = 1 << 20
_LEVEL = 1


class Draft:
    """An archive on its way.

    Attributes:
        members: what it holds so far.
        bytes: their size together.
        facts: completed by whoever writes it.
        finished: the manifest, once :meth:`manifest` was asked for.
    """

    def __init__(self, kind: str, version: str, file: ZipFile) -> None:
        self._kind, self._version, self._file = kind, version, file
        self.members: list[Member] = []
        self.bytes = 0
        self.facts: dict[str, Any] = {}
        self.finished: Manifest | None = None

    def add(self, name: str, pieces: Iterable[bytes], *, packed: bool = True, mode: int = 0o600) -> Member:
        """Take a member, piece by piece.

        Args:
            name: a relative path.
            pieces: its bytes.
            packed: whether to compress them.
            mode: the file's permissions.
        """
        info = ZipInfo(name)
        info.compress_type = ZIP_DEFLATED if packed else ZIP_STORED
        info.external_attr = mode << 16
        info._compresslevel = _LEVEL  # type: ignore[attr-defined]  # what ZipFile itself does
        hashed, size = hashlib.sha256(), 0
        with self._file.open(info, "w", force_zip64=True) as member:
            for piece in pieces:
                hashed.update(piece)
                size += len(piece)
                member.write(piece)
        self.members.append(Member(name=name, sha256=f"sha256:{hashed.hexdigest()}", size=size, mode=mode))
        self.bytes += size
        return self.members[-1]

    def manifest(self) -> Manifest:
        """End here: what the archive is, the same however often it is asked."""
        self.finished = self.finished or Manifest(
            kind=self._kind,
            version=self._version,
            made_at=datetime.now(UTC),
            facts=self.facts,
            members=tuple(self.members),
        )
        return self.finished


@contextmanager
def write_archive(path: Path, kind: str, version: str) -> Iterator[Draft]:
    """Make an archive; it has its name once the block ends well.

    Raises:
        ArchiveError: the file is there already, or the disk does not take it; nothing is left behind.
    """
    if path.exists():
        raise ArchiveError(f"{path} exists already.", "Choose another name: an archive is never written over.")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with disk_errors(path):
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                with ZipFile(file, "w", allowZip64=True) as zipped:
                    made = Draft(kind, version, zipped)
                    yield made
                    zipped.writestr(MANIFEST, made.manifest().canonical(), ZIP_DEFLATED)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
            sync_folder(path.parent)
        finally:
            draft.unlink(missing_ok=True)


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
