"""Once a second: what may not be seen any more ends, what takes too much ends, and what is shown is made ready."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from flip_sdk.errors import PublicError
from tornado.web import HTTPError

from flip_hub.dashboards.access import viewable
from flip_hub.dashboards.kernels import Showing
from flip_hub.dashboards.layout import clear
from flip_hub.dashboards.pages import Pages
from flip_hub.dashboards.sockets import close_sockets
from flip_hub.dashboards.versions import CLOSED, all_shown
from flip_hub.database import DashboardVersion
from flip_hub.governance.office import Office, identify

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

EVERY_MS = 1000
MOST_MEMORY = 1536 * 2**20
"""Bytes in memory, of a kernel and its children together."""
LEFT_SECONDS = 60
"""So long a kernel waits for its viewer's page to come, or to come back."""
MOST_SOCKET_BYTES = 4 * 2**20
"""In a kernel's folder of sockets."""
_log = logging.getLogger("DashboardsApp")


class Upkeep:
    """The service's round.

    Args:
        office: governance.
        pages: what is ready.
    """

    def __init__(self, office: Office, pages: Pages) -> None:
        self._office, self._pages = office, pages
        self._preparing: asyncio.Task[None] | None = None

    async def round(self) -> None:
        """One round."""
        kernels = self._pages.kernels
        gone, rows = await asyncio.to_thread(self._look, kernels.all_showing())
        for kernel_id in gone:
            await self._end(kernel_id, "This dashboard is not open to you any more.")
        for kernel_id in await asyncio.to_thread(self._too_large):
            await self._end(kernel_id, "This dashboard took more than it may.")
        for kernel_id in kernels.left(LEFT_SECONDS):
            await self._end(kernel_id, "Nobody looks at this dashboard any more.")
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._prepare(rows))

    async def _prepare(self, rows: list[DashboardVersion]) -> None:
        try:
            await self._pages.prepare(rows)
        except (HTTPError, PublicError, OSError, RuntimeError, TimeoutError) as error:
            _log.warning("A dashboard could not be made ready: %s", error)

    async def _end(self, kernel_id: str, reason: str) -> None:
        close_sockets(kernel_id, reason)
        _log.info("Kernel %s ends: %s", kernel_id, reason)
        await self._pages.end(kernel_id)

    def _look(self, running: dict[str, Showing]) -> tuple[list[str], list[DashboardVersion]]:
        """Kernels of what may not be seen any more, whose files are cleared; and what is shown."""
        with self._office.database.read() as session:
            gone = [kernel_id for kernel_id, showing in running.items() if not self._may_go_on(session, showing)]
            for folder, row in self._laid_out(session):
                if row is None or row.state in CLOSED:
                    clear(folder)
            return gone, all_shown(session)

    def _may_go_on(self, session: Session, showing: Showing) -> bool:
        if not showing.viewer:
            row = session.get(DashboardVersion, (showing.project, showing.name, showing.version))
            return row is not None and row.state not in CLOSED
        try:
            person = identify(session, showing.viewer)
            viewable(self._office, session, person, showing.project, showing.name, showing.version)
        except PublicError:
            return False
        return True

    def _laid_out(self, session: Session) -> list[tuple[Path, DashboardVersion | None]]:
        found: list[tuple[Path, DashboardVersion | None]] = []
        for folder in self._office.config.dashboards.glob("*/*/*"):
            project, name, version = folder.parts[-3:]
            row = session.get(DashboardVersion, (project, name, int(version))) if version.isdecimal() else None
            found.append((folder, row))
        return found

    def _too_large(self) -> list[str]:
        kernels = self._pages.kernels
        return [one for one in kernels.all_showing() if one in kernels and _takes_too_much(kernels.get_kernel(one))]


def _takes_too_much(manager: object) -> bool:
    provisioner = getattr(manager, "provisioner", None)
    pid = getattr(provisioner, "pid", None)
    folder: Path | None = getattr(manager, "own", None)
    if pid is None or folder is None:
        return False
    written = sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
    return written > MOST_SOCKET_BYTES or memory_of(pid) > MOST_MEMORY


def memory_of(pid: int) -> int:
    """Bytes in memory, of a process and all below it; what they share counts once (Linux: PSS)."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_own_part, family))


def _own_part(process: psutil.Process) -> int:
    try:
        try:
            return int(process.memory_full_info().pss)
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
