"""Content-addressed bytes on disk: graphs, weights, updates, checkpoints and notebooks."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from flip_sdk.contract.records import digest as digest_of

from flip_hub.errors import BlobCorruptError, InvalidError, MissingError, TooLargeError

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")


class BlobStore:
    """Blobs in a folder, by digest. A blob is there completely and durably, or not at all.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep some bytes; the same bytes twice are kept once.

        Returns:
            Their digest.
        """
        digest = digest_of(content)
        if not self.has(digest):
            with self.writer(len(content)) as writer:
                writer.add(content)
                writer.commit(digest)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of a digest.

        Raises:
            MissingError: they are not here.
            BlobCorruptError: the disk gave back other bytes.
        """
        try:
            content = self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise MissingError("There is no such blob.", "Upload it first.") from error
        if digest_of(content) != digest:
            raise BlobCorruptError(f"{digest} no longer has its digest")
        return content

    def has(self, digest: str) -> bool:
        """Whether the bytes are here."""
        return self.path(digest).exists()

    def path(self, digest: str) -> Path:
        """Where the bytes are (or would be).

        Raises:
            InvalidError: not a digest.
        """
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise InvalidError("This is not a digest.", "Write sha256: and 64 hexadecimal digits.")
        return self._folder / match[1] / match[2]

    @contextmanager
    def writer(self, max_bytes: int) -> Iterator[BlobWriter]:
        """Take bytes piece by piece; what is not committed leaves nothing behind."""
        drafts = self._folder / "drafts"
        drafts.mkdir(parents=True, exist_ok=True)
        draft = drafts / secrets.token_hex(16)
        try:
            with draft.open("xb") as file:
                yield BlobWriter(self, file, draft, max_bytes)
        finally:
            draft.unlink(missing_ok=True)


class BlobWriter:
    """A blob on its way in.

    Attributes:
        size: bytes taken so far.
    """

    def __init__(self, store: BlobStore, file: BinaryIO, draft: Path, max_bytes: int) -> None:
        self._store, self._file, self._draft, self._max = store, file, draft, max_bytes
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            TooLargeError: it is too much now.
        """
        self.size += len(piece)
        if self.size > self._max:
            raise TooLargeError(f"More than {self._max:,} bytes.", "Send less: a smaller model or notebook.")
        self._hash.update(piece)
        self._file.write(piece)

    def commit(self, digest: str) -> None:
        """Keep what was taken.

        Raises:
            InvalidError: its digest is another one.
        """
        if "sha256:" + self._hash.hexdigest() != digest:
            raise InvalidError("The bytes do not have the digest they are sent under.", "Upload them again.")
        target = self._store.path(digest)
        self._file.flush()
        os.fsync(self._file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        self._draft.replace(target)
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
