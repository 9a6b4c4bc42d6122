"""A folder of files, spread over processes; taken up again where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from flip_trust import scaleout
from flip_trust.deidentification import files, profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.files import Outcome
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.refusals import Reason
from flip_trust.durable import tidied
from flip_trust.errors import SetupError
from flip_trust.scaleout import LOCAL, Where

MOST: Final = 48
"""Files in a batch of a large folder. A batch costs Dask's client and scheduler what three files cost a worker."""
_FEWEST: Final = 8
_BATCHES: Final = 32
"""At least so many of a smaller folder, so that files whose pixels are read for text do not wait behind each other."""
_TRIED_AGAIN: Final = frozenset({Reason.NO_TESSERACT.name, Reason.FAILED.name})
"""Refusals that are not the file's own fault."""


@dataclass(frozen=True)
class Order:
    """What is to be done; the key itself is read where the work is done and never sent.

    Attributes:
        key_file: the Trust's secret; every worker reads it from the same path.
    """

    source: Path
    target: Path
    quarantine: Path
    profile: Profile
    key_file: Path

    def check(self) -> None:
        """Refuse folders that lie in one another, which would read what was written.

        Raises:
            SetupError: they do, or the source is not a folder.
        """
        places = [each.resolve() for each in (self.source, self.target, self.quarantine)]
        if not places[0].is_dir():
            raise SetupError(f"{self.source} is not a folder.", "Give the folder with the DICOM files.")
        inside = [(a, b) for a in places for b in places if a != b and a.is_relative_to(b)]
        if inside or len(set(places)) < len(places):
            raise SetupError("Source, target and quarantine lie in one another.", "Give three separate folders.")


def found(source: Path) -> list[Path]:
    """Every file below a folder; links to folders are not followed."""
    return sorted(Path(folder) / name for folder, _, names in os.walk(source) for name in names)


def run(order: Order, sources: list[Path], where: Where = LOCAL) -> Iterator[Outcome]:
    """De-identify files; what an earlier run has done under the same profile is not done again.

    Args:
        order: what is to be done.
        sources: the files, as :func:`found` lists them.
        where: on what.

    Yields:
        What became of each file, in no particular order.

    Raises:
        SetupError: folders, key or cluster cannot be used.
    """
    order.check()
    Keyed.from_file(order.key_file)
    earlier = _journal(order)
    with _appending(order) as note:
        todo = []
        for path in sources:
            known = earlier.get(files.digest_of(path)) if earlier else None
            if known and _stands(known, order):
                yield known
            else:
                todo.append(path)
        names = scaleout.batched((str(path.absolute()) for path in todo), batch_of(len(todo)))
        for ended in scaleout.run(partial(work, *_arguments(order)), names, where):
            for outcome in _outcomes(order, ended):
                note(outcome)
                yield outcome


def batch_of(files: int) -> int:
    """How many files make a batch, of so many."""
    return min(MOST, max(_FEWEST, files // _BATCHES))


def journal_path(order: Order) -> Path:
    """The list of what was done under a profile; beside the quarantine, because it names the sources."""
    return order.quarantine / f"journal-{order.profile.digest[-16:]}.jsonl"


def work(target: str, quarantine: str, profile_text: str, key_file: str, sources: list[str]) -> list[Outcome]:
    """What a worker does with one batch."""
    scaleout.sees(key_file)  # where it is not there, another one would be made
    found = Path(key_file).stat()
    engine = _engine(profile_text, key_file, (found.st_dev, found.st_ino, found.st_mtime_ns))
    return files.process(engine, [Path(source) for source in sources], Path(target), Path(quarantine))


def _stands(outcome: Outcome, order: Order) -> bool:
    if outcome.reason:
        return outcome.reason not in _TRIED_AGAIN
    return (order.target / outcome.path).is_file()


def _arguments(order: Order) -> tuple[str, str, str, str]:
    target, quarantine = str(order.target.absolute()), str(order.quarantine.absolute())
    return target, quarantine, order.profile.model_dump_json(), str(order.key_file.absolute())


@lru_cache(maxsize=4)
def _engine(profile_text: str, key_file: str, _file: tuple[int, int, int]) -> Engine:
    """Kept as long as the file of the key is the same: a worker of the hospital's cluster lives for long."""
    return Engine(profile.parsed(profile_text), Keyed.from_file(Path(key_file)))


def _outcomes(order: Order, ended: scaleout.Done[str, list[Outcome]] | scaleout.Failed[str]) -> list[Outcome]:
    if isinstance(ended, scaleout.Done):
        return ended.result
    path = Path(ended.item)
    return [files.refuse(path, files.digest_of(path), Reason.FAILED, order.quarantine)]


def _journal(order: Order) -> Mapping[str, Outcome]:
    path = journal_path(order)
    if not path.exists():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            outcome = Outcome(**json.loads(line))
        except (ValueError, TypeError):
            continue  # the line that was being written when the machine went down
        known[outcome.digest] = outcome
    return {digest: outcome for digest, outcome in known.items() if digest}


@contextmanager
def _appending(order: Order) -> Iterator[Callable[[Outcome], object]]:
    with ExitStack() as kept:
        try:
            for folder in (order.quarantine, order.target):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                kept.enter_context(tidied(folder))
            descriptor = os.open(journal_path(order), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise SetupError(f"{folder} cannot be written.", "Check the folder.") from error
        stream = kept.enter_context(os.fdopen(descriptor, "a", encoding="utf-8"))
        yield lambda outcome: stream.write(outcome.as_line())
        stream.flush()
        os.fsync(stream.fileno())
