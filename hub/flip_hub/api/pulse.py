"""Waiting for a job's next step: one query a tick for all who wait, and no thread held meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

from flip_sdk.contract.states import JOB
from starlette.concurrency import run_in_threadpool

from flip_hub.database import Database
from flip_hub.governance.jobs import progress

TICK_SECONDS = 0.1
_ENDS = frozenset(str(state) for state in JOB.ends())


class Pulse:
    """Looks at the watched jobs, while there are any.

    Args:
        database: the hub's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: Counter[str] = Counter()
        self._seen: dict[str, tuple[int, str]] = {}
        self._ticked = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def wait(self, job_id: str, after: int, seconds: float) -> None:
        """Return when the job has an event later than ``after``, has ended, or the time is over."""
        self._watched[job_id] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(seconds), self._ticked:
                await self._ticked.wait_for(lambda: self._is_news(job_id, after))
        except TimeoutError:
            return
        finally:
            self._watched[job_id] -= 1
            if not self._watched[job_id]:
                del self._watched[job_id]
                self._seen.pop(job_id, None)

    def _is_news(self, job_id: str, after: int) -> bool:
        last, state = self._seen.get(job_id, (0, ""))
        return last > after or state in _ENDS

    async def _run(self) -> None:
        while self._watched:
            seen = await run_in_threadpool(self._look, list(self._watched))
            async with self._ticked:
                self._seen.update(seen)
                self._ticked.notify_all()
            await asyncio.sleep(TICK_SECONDS)

    def _look(self, job_ids: list[str]) -> dict[str, tuple[int, str]]:
        with self._database.read() as session:
            return progress(session, job_ids)
