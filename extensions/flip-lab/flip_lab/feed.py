"""What open pages are told as it happens: one wait at the hub, however many pages look.

The hub holds its answer back until something of the project changes. Then what changed is fetched once and told to
every page. While nobody looks, nothing is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from flip_sdk.connection import Connection
from flip_sdk.contract.airlock import ReleaseView
from flip_sdk.contract.api import DashboardView, ProjectPart, ProjectView, TrustBudget
from flip_sdk.contract.workspaces import WorkspaceNotice
from flip_sdk.errors import ConnectionFailedError, NotAllowedError, PublicError

from flip_lab import shown
from flip_lab.hub import Hub
from flip_lab.watched import Watched

Told = tuple[str, Any]
"""A part of the project, or ``hub``; and what it is now."""
LEAST_SECONDS = 0.5
"""Between two questions to the hub, whatever happens there."""
NOTICE_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a hub that is away is asked again: doubled each time."""
_OVER: Told = ("over", None)
_HERE: dict[str, str | bool] = {"here": True, "message": "", "mend": ""}


class Feed:
    """The project as it is now, and as it changes, for every open page.

    Args:
        hub: is asked.
        least: seconds between two questions.
        pause: seconds before a hub that is away is asked again, at first.
        notices: seconds after which it is asked anew what people are told of their workspaces: only time changes that.
    """

    def __init__(
        self, hub: Hub, least: float = LEAST_SECONDS, pause: float = FIRST_PAUSE, notices: float = NOTICE_SECONDS
    ) -> None:
        self._hub, self._least, self._pause, self._notices = hub, least, pause, notices
        self._pages: set[asyncio.Queue[Told]] = set()
        self._now: dict[str, Any] = {}
        self._denied: dict[str, str] = {}
        self._watched = Watched()
        self._task: asyncio.Task[None] | None = None

    async def follow(self) -> AsyncIterator[Told]:
        """What is known now, and then each change, until the reader stops."""
        told: asyncio.Queue[Told] = asyncio.Queue()
        for part in self._now.items():
            told.put_nowait(part)
        self._pages.add(told)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            while (one := await told.get()) != _OVER:
                yield one
        finally:
            self._pages.discard(told)
            if not self._pages and self._task is not None:
                self._task.cancel()
                self._task = None
                self._now.clear()

    async def _run(self) -> None:
        try:
            await self._go_on()
        finally:
            # pages that it leaves behind come back, and a new task begins
            if self._task is asyncio.current_task():
                for page in self._pages:
                    page.put_nowait(_OVER)

    async def _go_on(self) -> None:
        mark, pause, noticed = "", self._pause, time.monotonic()
        while True:
            began = time.monotonic()
            try:
                found = await self._hub.changes(mark)
                parts = found.changed
                if began - noticed >= self._notices:
                    parts, noticed = tuple(dict.fromkeys((*parts, "project"))), began
                await self._refresh(parts)
            except PublicError as error:
                self._tell("hub", _away(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            mark, pause = found.mark, self._pause
            self._tell("hub", _HERE)
            await asyncio.sleep(max(self._least - (time.monotonic() - began), 0.0))

    async def _refresh(self, parts: tuple[ProjectPart, ...]) -> None:
        for part in parts:
            try:
                self._tell(part, await self._hub.ask(self._reader(part)))
                self._denied.pop(part, None)
            except NotAllowedError as error:
                self._denied[part] = f"{error.message} {error.mend}".strip()
        self._tell("denied", dict(self._denied))

    def _reader(self, part: ProjectPart) -> Callable[[Connection], Any]:
        path = f"projects/{self._hub.project_id}"
        readers: dict[ProjectPart, Callable[[Connection], Any]] = {
            "project": lambda hub: shown.project(
                hub.get(path, ProjectView), hub.get_all(f"{path}/notices", WorkspaceNotice)
            ),
            "budget": lambda hub: shown.budgets(hub.get_all(f"{path}/budget", TrustBudget)),
            "jobs": lambda hub: self._watched.look(hub, self._hub.project_id),
            "releases": lambda hub: [
                shown.release(view) for view in hub.get_all(f"{path}/airlock/requests", ReleaseView)
            ],
            "dashboards": lambda hub: [
                shown.dashboard(view) for view in hub.get_all(f"{path}/dashboards", DashboardView)
            ],
        }
        return readers[part]

    def _tell(self, part: str, what: Any) -> None:
        if self._now.get(part) == what:
            return
        self._now[part] = what
        for page in self._pages:
            page.put_nowait((part, what))


def _away(error: PublicError) -> dict[str, str | bool]:
    """What a page says meanwhile. An address says nothing to whoever reads it there; the log has it."""
    if error.code == ConnectionFailedError.code:
        mend = "What stands below is as it was; jobs go on meanwhile. It is asked again by itself."
        return {"here": False, "message": "The hub does not answer.", "mend": mend}
    return {"here": False, "message": error.message, "mend": error.mend}
