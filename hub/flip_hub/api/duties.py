"""What the service does of its own accord is done by one of its processes: the one that holds a lock on the hub's home.

The lock goes with the process, however it ends, and another one takes over within :data:`LOOKS_SECONDS`.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from flip_hub.airlock.worker import Worker
from flip_hub.api.sweep import HubStopper, sweep_for_ever
from flip_hub.governance.office import Office

LOCK = "duties.lock"
LOOKS_SECONDS = 1.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def duties(office: Office, airlock: Worker) -> AsyncIterator[None]:
    """Sweep, and run the airlock's checks, from when no other process does until the end of the block."""
    task = asyncio.create_task(_on_duty(office, airlock))
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _on_duty(office: Office, airlock: Worker) -> None:
    async with alone(office.config.home / LOCK):
        _log.info("process %d does what is due", os.getpid())
        airlock.start()
        try:
            await sweep_for_ever(office, HubStopper)
        finally:
            await airlock.stop()


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("process %d stopped doing what is due", os.getpid(), exc_info=error)


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Wait until no other process is in such a block, and run."""
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOOKS_SECONDS)
        yield
