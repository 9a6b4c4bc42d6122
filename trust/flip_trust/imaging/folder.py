"""``flip-trust ingest dicom FOLDER``: any files at any depth into the raw store, the images among them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flip_trust import scaleout
from flip_trust.errors import ImagingError
from flip_trust.imaging.files import NotDicomError, keep_file
from flip_trust.imaging.spool import Spool, SpoolFullError, SpoolRefusedError
from flip_trust.scaleout import HERE, Where

_BATCH = 64


def files_of(path: Path) -> Iterator[Path]:
    """The files under a folder, or the file itself; links are not followed out of it."""
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in sorted(names))


Refused = list[tuple[str, str]]
"""Files that were not taken, with the reason."""


@dataclass
class Taken:
    """What became of files: how many were new, the same as before or in conflict, and what was not taken."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: Refused = field(default_factory=list)

    def add(self, more: Taken) -> None:
        """Count some more."""
        self.counts += more.counts
        self.refused += more.refused


def take(
    imaging: Path,
    keep_free: int,
    files: list[Path],
    where: Where = HERE,
    done: Callable[[int], object] = lambda _: None,
) -> Taken:
    """Keep every DICOM file among these; what is none stays where it is, and is told.

    Args:
        imaging: the Trust's folder for images; a cluster's workers see it, and the files, under the same paths.
        keep_free: bytes of the disk that stay free.
        files: as :func:`files_of` finds them.
        where: on what.
        done: told how many more were looked at.

    Raises:
        ImagingError: the disk is nearly full. What was taken stays; the same again goes on from there.
        SetupError: the cluster cannot be used.
    """
    taken = Taken()
    names = scaleout.batched((str(path.absolute()) for path in files), _BATCH)
    for ended in scaleout.run(partial(take_some, str(imaging.absolute()), keep_free), names, where):
        if isinstance(ended, scaleout.Failed):
            taken.refused.append((ended.item, f"it cannot be read ({ended.why})"))
            done(1)
        else:
            taken.add(ended.result)
            done(len(ended.items))
    return taken


def take_some(imaging: str, keep_free: int, names: list[str]) -> Taken:
    """What a worker does with one batch.

    Raises:
        ImagingError: the disk is nearly full.
    """
    taken = Taken()
    try:
        with Spool(Path(imaging), keep_free) as spool:
            for name in names:
                _take(spool, name, taken)
    except SpoolFullError as error:
        raise ImagingError(
            "The disk is nearly full; what was taken so far stays.", "Make room, then run the same command again."
        ) from error
    return taken


def _take(spool: Spool, name: str, taken: Taken) -> None:
    try:
        taken.counts[keep_file(spool, Path(name)).stored.outcome] += 1
    except NotDicomError as error:
        taken.refused.append((name, error.reason))
    except SpoolRefusedError:
        taken.refused.append((name, "too many different instances claim its UID"))
    except OSError as error:
        taken.refused.append((name, f"it cannot be read ({error.strerror})"))
