"""Errors of archives.

PublicError
└── ArchiveError            an archive cannot be made or read
    ├── BrokenArchiveError  it is not whole, or not what it was
    └── PassphraseError     what it holds under a passphrase cannot be read
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flip_sdk.errors import PublicError


class ArchiveError(PublicError):
    """An archive cannot be made or read."""

    code = "bad_archive"


class BrokenArchiveError(ArchiveError):
    """It is not whole, or not what it was."""

    code = "broken_archive"


class PassphraseError(ArchiveError):
    """What is under a passphrase cannot be read."""

    code = "bad_passphrase"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """A disk that is full or cannot be written, in words.

    Raises:
        ArchiveError: it was.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ArchiveError(f"The disk of {path.parent} is full.", "Make room; nothing was changed.") from error
        place, reason = error.filename or path, error.strerror or type(error).__name__
        raise ArchiveError(f"{place} cannot be used: {reason}.", "Check the folder and who owns it.") from error
