"""``flip-trust ingest dicom FOLDER``: any files at any depth into the raw store, the images among them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from flip_trust.imaging.files import NotDicomError, keep_file
from flip_trust.imaging.spool import Spool, SpoolRefusedError


def files_of(path: Path) -> Iterator[Path]:
    """The files under a folder, or the file itself; links are not followed out of it."""
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in sorted(names))


Refused = list[tuple[Path, str]]


def take(spool: Spool, path: Path, done: Callable[[], object] = lambda: None) -> tuple[Counter[str], Refused]:
    """Keep every DICOM file; what is none stays where it is, and is told.

    Args:
        spool: where instances go.
        path: a file or a folder.
        done: told after each file.

    Returns:
        How many were new, the same as before, or in conflict; and each file that was not taken, with the reason.

    Raises:
        SpoolFullError: the disk is nearly full. What was taken stays; the same command goes on from there.
    """
    counts: Counter[str] = Counter()
    refused: Refused = []
    for file in files_of(path):
        try:
            counts[keep_file(spool, file).stored.outcome] += 1
        except NotDicomError as error:
            refused.append((file, error.reason))
        except SpoolRefusedError:
            refused.append((file, "too many different instances claim its UID"))
        except OSError as error:
            refused.append((file, f"it cannot be read ({error.strerror})"))
        done()
    return counts, refused
