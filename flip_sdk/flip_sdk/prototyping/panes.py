"""The scheduler's dashboard, on a Unix socket in a private folder: no port that others of the computer reach."""

from __future__ import annotations

from dataclasses import replace
from typing import IO, Any

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.http.routing import RoutingApplication
from distributed.http.utils import get_handlers
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from flip_sdk.prototyping import meeting
from flip_sdk.prototyping.meeting import Meeting

_ROUTES = ("distributed.http.scheduler.info", "distributed.http.statics")
"""Not ``distributed.http.proxy``, which fetches from any address."""


class Panes(SchedulerPlugin):
    """Begins and ends with the scheduler, and tells the workspace that the cluster runs.

    Args:
        told: what others need to find it, but the address.
        lock: the workspace's one place for a cluster.
    """

    name = "flip-panes"

    def __init__(self, told: Meeting, lock: IO[str]) -> None:
        self._told, self._lock = told, lock
        self._server: HTTPServer | None = None

    async def start(self, scheduler: Any) -> None:
        """Listen, and be found."""
        path = str(meeting.dashboard_socket())
        if len(path.encode()) <= meeting.LONGEST_PATH:
            self._server = _serve(scheduler, path)
        meeting.tell(replace(self._told, address=scheduler.address))

    async def close(self) -> None:
        """Be found no more."""
        meeting.gone(self._lock)
        if self._server is not None:
            self._server.stop()


def _serve(scheduler: Any, path: str) -> HTTPServer:
    from distributed.dashboard.scheduler import connect

    untyped: Any = (get_handlers, RoutingApplication, connect)
    handlers, application, dashboard = untyped
    app = application(handlers(scheduler, list(_ROUTES)))
    server = HTTPServer(app)
    server.add_socket(bind_unix_socket(path, mode=0o600))
    dashboard(app, server, scheduler)
    # where the list of panes looks for them
    scheduler.http_application = app
    return server
