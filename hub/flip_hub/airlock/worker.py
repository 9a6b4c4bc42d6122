"""The worker of the governance service that runs checks as they come."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from flip_hub.airlock import checking
from flip_hub.airlock.checking import Examine
from flip_hub.governance.office import Office

IDLE_SECONDS = 1.0
"""What another process put into the queue is found so soon."""
_END_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Worker:
    """Runs the checks that wait, in one thread; it starts with what an earlier process left.

    Args:
        office: governance.
        examine: runs the checks; without it, in a sandbox of their own.
    """

    def __init__(self, office: Office, examine: Examine | None = None) -> None:
        self._office, self._examine = office, examine
        self._news, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="airlock", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something new to check."""
        self._news.set()

    async def stop(self) -> None:
        """End after what is being checked now; what is not done is taken up again at the next start."""
        self._ended.set()
        self._news.set()
        await asyncio.to_thread(self._thread.join, _END_SECONDS)

    def _run(self) -> None:
        self._safely(lambda: checking.begin(self._office))
        while not self._ended.is_set():
            self._safely(lambda: checking.work_off(self._office, self._examine))
            self._news.wait(IDLE_SECONDS)
            self._news.clear()

    def _safely(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception:  # noqa: BLE001 - one request must not end the checks of all others
            _log.exception("the airlock's checks could not go on; they are tried again")
