"""The processes beside a receiver: one indexes what came, one de-identifies what is indexed.

Both may be killed at any moment: what they were at is taken up by the next ones. A file that takes a process down takes
a child of the second one, never the receiver.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flip_trust import scaleout
from flip_trust.agent import log
from flip_trust.scaleout import Where

_LOOK_EVERY = 1.0
_AFTER_A_FAILURE = 30.0
_NICE = 10
_MOST = 1024
"""Instances in one go; a command that waits for its turn gets it then."""
_log = logging.getLogger(__name__)


@contextmanager
def at_work(work: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """A process that does this until the block ends."""
    worker = multiprocessing.get_context("spawn").Process(target=work, args=arguments, name=work.__name__)
    worker.start()
    try:
        yield
    finally:
        worker.terminate()
        worker.join()


def keep_indexed(home: Path) -> None:
    """Index what comes."""
    from flip_trust.imaging.index import BATCH, Index

    _begin()
    wake, index = threading.Event(), Index(home)
    while True:
        try:
            tally = index.run(most=BATCH)
        except Exception as error:  # noqa: BLE001 - whatever it was, the list is kept and tried again
            log.failure(_log, "index.failed", error)
            tally = None
        if tally and (tally.indexed or tally.quarantined):
            log.event(_log, "index.written", indexed=tally.indexed, quarantined=tally.quarantined)
        else:
            wake.wait(_LOOK_EVERY)


def keep_cleaned(home: Path, keep_free: int, where: Where) -> None:
    """De-identify what is indexed; it stands back behind the receiver."""
    _begin()
    os.nice(_NICE)
    wake, turn = threading.Event(), _Turn(home, keep_free, where)
    while True:
        try:
            turn.take()
        except Exception as error:  # noqa: BLE001 - whatever it was, what waits is tried again
            log.failure(_log, "deidentification.failed", error)
            wake.wait(_AFTER_A_FAILURE)
        wake.wait(_LOOK_EVERY)


class _Turn:
    """Looks into the tables only where the index has grown."""

    def __init__(self, home: Path, keep_free: int, where: Where) -> None:
        self._home, self._keep_free, self._where = home, keep_free, where
        self._seen: list[str] | None = None
        self._first = True

    def take(self) -> None:
        from flip_trust.imaging.cleaning import Cleaning

        cleaning = Cleaning(self._home, self._keep_free)
        seen = cleaning.index.parts()
        if seen == self._seen:
            return
        first, self._first = self._first, False
        tally = cleaning.run(self._where, most=_MOST, again=first)
        if tally.done + tally.refused.total() < _MOST:
            self._seen = seen
        if tally.done or tally.refused:
            log.event(_log, "deidentification.written", done=tally.done, refused=tally.refused.total())


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    scaleout.end_with_parent()
    log.set_up()
