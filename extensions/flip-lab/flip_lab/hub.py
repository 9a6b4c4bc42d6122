"""Asking the hub from the server's event loop: ``flip_sdk`` waits in threads, a long wait in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

from flip_sdk.connection import Connection
from flip_sdk.contract.api import ProjectChanges, ProjectView
from flip_sdk.project import Project
from flip_sdk.settings import Settings, load

import flip_sdk

Answer = TypeVar("Answer")
Notify = Callable[[str], None]
ASKING = 4
"""Questions under way at once; each waits in a thread."""
LONG_POLL = 15.0
"""Seconds for which the hub may hold an answer back until something changes."""


class Hub:
    """The hub, as this workspace may see it: its own project.

    Args:
        notify: is told when the hub does not answer.
    """

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._asking = ThreadPoolExecutor(ASKING, thread_name_prefix="flip-asking")
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="flip-waiting")

    async def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """The answer to a question.

        Raises:
            PublicError: the hub says no, or cannot be reached.
        """
        return await self._run(self._asking, lambda: question(self.connection))

    async def changes(self, mark: str) -> ProjectChanges:
        """What of the project changed since a mark; waits for it, and not longer than a hub that is away.

        Raises:
            PublicError: the hub says no, or cannot be reached.
        """
        return await self._run(self._waiting, lambda: self._changes(mark))

    @property
    def project_id(self) -> str:
        """The workspace's project.

        Raises:
            NotFoundError: this is not a project's workspace.
        """
        if self._settings.project is None:
            mend = "Open a workspace from the project's page at the hub, or set FLIP_PROJECT."
            raise flip_sdk.NotFoundError("This JupyterLab belongs to no project.", mend)
        return self._settings.project

    def project(self, connection: Connection) -> Project:
        """The workspace's project, as the SDK has it."""
        return Project(connection, connection.get(f"projects/{self.project_id}", ProjectView))

    @cached_property
    def connection(self) -> Connection:
        """One line to the hub, opened when it is first needed."""
        return Connection(self._settings, notify=self._notify)

    @cached_property
    def _settings(self) -> Settings:
        try:
            return load()
        except flip_sdk.ConnectionFailedError as error:
            # nobody is away: this JupyterLab was started without a hub
            raise flip_sdk.NotFoundError(error.message, error.mend) from error

    def _changes(self, mark: str) -> ProjectChanges:
        wait = LONG_POLL if mark else 0.0
        path = f"projects/{self.project_id}/changes?after={mark}&wait={wait:g}"
        return self.connection.wait(path, ProjectChanges, wait, patience=0.0)

    async def _run(self, pool: ThreadPoolExecutor, question: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(pool, question)
