"""Fetching studies from a PACS by their accession numbers, politely and so that it can be taken up again.

What is complete is on a list, ``imaging/pulled.jsonl``, which names studies by their keyed UIDs: a later run asks the
PACS how many instances a study has, and leaves it where it is if there are no more than came.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import ImagingError, TrustError
from flip_trust.imaging.spool import Spool, SpoolFullError

JOURNAL = "pulled.jsonl"
PAUSES = (1.0, 5.0, 25.0)
"""Seconds before each further try."""
_ACCESSION = re.compile(r"[\x20-\x29\x2b-\x3e\x40-\x5b\x5d-\x7e]{1,16}")
Value = TypeVar("Value")


class PacsAwayError(TrustError):
    """The PACS cannot be reached, is overloaded or broke off: worth another try."""


class PacsRefusesError(TrustError):
    """The PACS says no to this study.

    Attributes:
        why: its status, in figures.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Outcome(StrEnum):
    """What became of an accession number; each value is what a person reads. The worst of its studies counts."""

    PULLED = "found and fetched"
    HELD = "held already"
    NOT_FOUND = "not found at the PACS"
    INCOMPLETE = "incomplete: run it again"
    REFUSED = "refused by the PACS"
    NO_NUMBER = "not an accession number"


_WORST = (Outcome.REFUSED, Outcome.INCOMPLETE, Outcome.PULLED, Outcome.HELD)


@dataclass(frozen=True)
class Study:
    """A study at a PACS.

    Attributes:
        uid: its Study Instance UID.
        instances: how many it has; None where the PACS does not tell.
    """

    uid: str
    instances: int | None


@dataclass(frozen=True)
class Fetched:
    """What came of one study: instances that are on the disk here, those that are not, and the PACS's last status."""

    completed: int
    failed: int = 0
    why: str = ""


class Source(Protocol):
    """A PACS. Both raise ``PacsAwayError``, ``PacsRefusesError``, or an ``ImagingError`` where nothing can go on."""

    def find(self, accession: str) -> list[Study]:
        """The studies with exactly this accession number."""

    def fetch(self, study: Study) -> Fetched:
        """Fetch a study into the raw store; it is there when this returns."""


@dataclass(frozen=True)
class Pulled:
    """What became of one accession number: of its studies together, the instances expected and come."""

    accession: str
    outcome: Outcome
    expected: int = 0
    came: int = 0
    why: str = ""


class Pace:
    """No more than so many instances a second, on the average; 0: no limit."""

    def __init__(self, rate: float) -> None:
        self._rate, self._free, self._turn = rate, 0.0, threading.Lock()

    def take(self, instances: int = 1) -> None:
        """Wait for as long as so many may take."""
        if not self._rate:
            return
        with self._turn:
            self._free = max(self._free, time.monotonic()) + instances / self._rate
            left = self._free - time.monotonic()
        threading.Event().wait(left)


class Journal:
    """Which studies are complete, and with how many instances."""

    def __init__(self, home: Path) -> None:
        self._path, self._keyed, self._turn = home / "imaging" / JOURNAL, Keyed.load(home), threading.Lock()
        self._known: dict[str, int] = {}
        lines = self._path.read_text("ascii").splitlines() if self._path.exists() else []
        for line in lines:
            try:
                row = json.loads(line)
                self._known[row["study"]] = row["instances"]
            except (ValueError, KeyError, TypeError):
                continue  # the line that was being written when the machine went down

    def holds(self, study: Study) -> bool:
        """Whether the study came, and has no more instances since."""
        came = self._known.get(self._keyed.uid(study.uid))
        return came is not None and came >= (study.instances or 0)

    def add(self, study: Study, instances: int) -> None:
        """Note that a study is complete."""
        row = json.dumps({"study": self._keyed.uid(study.uid), "instances": instances})
        line = f"\n{row}\n"  # begun anew, whatever a crash left of the one before
        with self._turn:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line.encode("ascii"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._known[self._keyed.uid(study.uid)] = instances


@dataclass(frozen=True)
class Puller:
    """Fetches from one PACS into one raw store.

    Attributes:
        again: studies too that are complete.
    """

    source: Source
    spool: Spool
    journal: Journal
    again: bool = False

    def pull(self, accessions: Iterable[str], associations: int = 1) -> Iterator[Pulled]:
        """Fetch the studies of accession numbers, so many at a time.

        Yields:
            What became of each, in no particular order.

        Raises:
            ImagingError: the PACS is away or does not know us, or the disk is nearly full. What came stays.
        """
        with ThreadPoolExecutor(associations, "pull") as pool:
            going = [pool.submit(self._one, accession) for accession in dict.fromkeys(accessions)]
            try:
                for future in as_completed(going):
                    yield future.result()
            finally:
                for future in going:
                    future.cancel()

    def _one(self, accession: str) -> Pulled:
        if not _ACCESSION.fullmatch(accession):
            return Pulled(accession, Outcome.NO_NUMBER)
        try:
            studies = _patiently(lambda: self.source.find(accession))
        except PacsRefusesError as refusal:
            return Pulled(accession, Outcome.REFUSED, why=refusal.why)
        except PacsAwayError as error:
            raise ImagingError("The PACS does not answer; what came so far stays.", "Run this again later.") from error
        if not studies:
            return Pulled(accession, Outcome.NOT_FOUND)
        done = [self._study(accession, study) for study in studies]
        worst = min(done, key=lambda one: _WORST.index(one.outcome))
        return Pulled(
            accession, worst.outcome, sum(one.expected for one in done), sum(one.came for one in done), worst.why
        )

    def _study(self, accession: str, study: Study) -> Pulled:
        expected = study.instances or 0
        if not self.again and self.journal.holds(study):
            return Pulled(accession, Outcome.HELD, expected, expected)
        self._check_room()
        try:
            fetched = _patiently(lambda: self.source.fetch(study))
        except PacsRefusesError as refusal:
            return Pulled(accession, Outcome.REFUSED, expected, 0, refusal.why)
        except SpoolFullError as error:
            raise _full() from error
        except PacsAwayError:
            self._check_room()
            return Pulled(accession, Outcome.INCOMPLETE, expected, 0, "the connection broke")
        if fetched.failed or not fetched.completed or fetched.completed < expected:
            self._check_room()
            return Pulled(accession, Outcome.INCOMPLETE, expected, fetched.completed, fetched.why)
        self.journal.add(study, fetched.completed)
        return Pulled(accession, Outcome.PULLED, expected, fetched.completed)

    def _check_room(self) -> None:
        if not self.spool.has_room():
            raise _full()


def _full() -> ImagingError:
    return ImagingError("The disk is nearly full; what came so far stays.", "Make room, then run this again.")


def _patiently(work: Callable[[], Value]) -> Value:
    for pause in PAUSES:
        try:
            return work()
        except PacsAwayError:
            threading.Event().wait(pause)
    return work()
