"""A project's jobs as they go on: each one's steps are asked for once, and kept."""

from __future__ import annotations

from flip_sdk.connection import Connection
from flip_sdk.contract.api import JobEvents, JobView
from flip_sdk.watching.progress import Progress

from flip_lab import shown

MOST_JOBS = 20
"""The newest ones; a notebook lists all of them."""


class Watched:
    """The newest jobs of a project, with what happened in them."""

    def __init__(self) -> None:
        self._known: dict[str, Progress] = {}

    def look(self, connection: Connection, project_id: str) -> list[shown.Shown]:
        """The jobs as they are now. Blocks."""
        views = connection.get_all(f"projects/{project_id}/jobs", JobView)
        newest = sorted(views, key=lambda view: view.submitted_at, reverse=True)[:MOST_JOBS]
        self._known = {view.job_id: self._progress(connection, view) for view in newest}
        return [shown.job(progress) for progress in self._known.values()]

    def _progress(self, connection: Connection, view: JobView) -> Progress:
        progress = self._known.get(view.job_id)
        if progress is not None and progress.ended:
            return progress
        progress = progress or Progress(view)
        while True:
            page = connection.get(f"jobs/{view.job_id}/events?after={progress.sequence}", JobEvents)
            progress.take(page)
            if not _is_full(page):
                return progress


def _is_full(page: JobEvents) -> bool:
    """Whether the hub has more of them."""
    return len(page.events) >= 1000
