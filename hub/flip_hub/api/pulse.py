"""Waiting for news: one look a tick for all who wait, and no thread held meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from flip_sdk.contract.states import JOB
from starlette.concurrency import run_in_threadpool

from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.governance import changes, jobs

TICK_SECONDS = 0.1
SLOW_TICK_SECONDS = 0.5
"""How often projects are looked at: more is read for one of them than for a job."""
_ENDS = frozenset(str(state) for state in JOB.ends())

Seen = TypeVar("Seen")


class Pulse(Generic[Seen]):
    """Looks at what is watched, while there is any.

    Args:
        look: what there is to see of some of them, by name.
        tick: seconds between two looks.
    """

    def __init__(self, look: Callable[[list[str]], dict[str, Seen]], tick: float = TICK_SECONDS) -> None:
        self._look = look
        self._tick = tick
        self._watched: Counter[str] = Counter()
        self._seen: dict[str, Seen] = {}
        self._ticked = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def wait(self, name: str, is_news: Callable[[Seen], bool], seconds: float) -> None:
        """Return when what is seen of it is news, or the time is over."""
        self._watched[name] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(seconds), self._ticked:
                await self._ticked.wait_for(lambda: name in self._seen and is_news(self._seen[name]))
        except TimeoutError:
            return
        finally:
            self._watched[name] -= 1
            if not self._watched[name]:
                del self._watched[name]
                self._seen.pop(name, None)

    async def _run(self) -> None:
        while self._watched:
            seen = await run_in_threadpool(self._look, list(self._watched))
            async with self._ticked:
                self._seen.update(seen)
                self._ticked.notify_all()
            await asyncio.sleep(self._tick)


def of_jobs(database: Database) -> Pulse[tuple[int, str]]:
    """Sees the last event and the state of jobs."""

    def look(job_ids: list[str]) -> dict[str, tuple[int, str]]:
        with database.read() as session:
            return jobs.progress(session, job_ids)

    return Pulse(look)


def has_gone_on(after: int) -> Callable[[tuple[int, str]], bool]:
    """Whether a job has an event later than this one, or has ended."""
    return lambda seen: seen[0] > after or seen[1] in _ENDS


def of_projects(config: HubConfig, database: Database) -> Pulse[str]:
    """Sees the marks of projects."""

    def look(project_ids: list[str]) -> dict[str, str]:
        with database.read() as session:
            return changes.marks(config, session, project_ids)

    return Pulse(look, SLOW_TICK_SECONDS)
