"""Running the governance service, where JupyterHub wants it, in one process or several on one socket.

Nothing that a page needs is kept in a process's memory but what can be worked out anew: sessions and sign-ins are
JupyterHub's and the database's, waiting for a job looks into the database, and what is remembered of components, of
policies' answers and of the register never changes. What the service does of its own accord, one process does
(``api.duties``): beside several that answer, one more, so that nobody's page waits behind it.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from flip_hub.api import create_app
from flip_hub.config import HubConfig
from flip_hub.database import Entry
from flip_hub.governance.office import Office

SOON_SECONDS = 5.0
"""A process that fails this soon will fail again: the service ends, and JupyterHub says so in its log."""
_GRACE_SECONDS = 3
_AFTER_PAGES = 10
_BACKLOG = 1024
_PR_SET_PDEATHSIG = 1
_log = logging.getLogger(__name__)


def serve(config: HubConfig) -> None:
    """Serve until SIGTERM or SIGINT, at ``JUPYTERHUB_SERVICE_URL`` or the configured port."""
    address = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", f"http://127.0.0.1:{config.service_port}"))
    _record_start(config)
    host, port = address.hostname or "127.0.0.1", address.port or config.service_port
    run(lambda: create_app(config), host, port, config.service_processes)


def run(make: Callable[[], FastAPI], host: str, port: int, processes: int) -> None:
    """Serve an application until SIGTERM or SIGINT.

    Args:
        make: makes it, in each process.
        host: to listen on.
        port: to listen on.
        processes: how many answer; where there are several, one more does what is due. One that ends otherwise is
            replaced.

    Raises:
        SystemExit: it could not be served.
    """
    if processes <= 1:
        uvicorn.run(make(), host=host, port=port, **_options())
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listening:
        _Crew(make, listening, processes).run()


class _Crew:
    """The processes that answer on one socket, and the one that does what is due; this one only watches them."""

    def __init__(self, make: Callable[[], FastAPI], listening: socket.socket, count: int) -> None:
        self._make, self._listening, self._count = make, listening, count
        # what is imported here is in memory once; no thread runs here, and no connection is open
        self._fork = multiprocessing.get_context("fork")
        self._running: dict[BaseProcess, tuple[_Task, float]] = {}
        self._ending = False

    def run(self) -> None:
        """Until a signal ends it."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._end)
        for task in (*(_answer for _ in range(self._count)), _do_what_is_due):
            self._start(task)
        while self._running:
            wait([process.sentinel for process in self._running])
            for process in [one for one in self._running if one.exitcode is not None]:
                self._take_leave(process, *self._running.pop(process))

    def _start(self, task: _Task) -> None:
        process = self._fork.Process(target=_begin, args=(task, self._make, self._listening, os.getpid()))
        process.start()
        self._running[process] = task, time.monotonic()
        if self._ending:
            process.terminate()

    def _take_leave(self, process: BaseProcess, task: _Task, since: float) -> None:
        process.join()
        if self._ending:
            return
        _log.error("process %s of the service ended with %s", process.pid, process.exitcode)
        if (process.exitcode or 0) > 0 and time.monotonic() - since < SOON_SECONDS:
            self._end(signal.SIGTERM, None)
            raise SystemExit(process.exitcode)
        self._start(task)

    def _end(self, _signum: int, _frame: FrameType | None) -> None:
        self._ending = True
        for process in list(self._running):
            process.terminate()


_Task = Callable[[FastAPI, socket.socket], None]


def _begin(task: _Task, make: Callable[[], FastAPI], listening: socket.socket, watching: int) -> None:
    """One process of several."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    # nobody is left behind holding the port where the watching process is killed
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != watching:
        return
    task(make(), listening)


def _answer(app: FastAPI, listening: socket.socket) -> None:
    app.state.has_duties = False
    uvicorn.Server(uvicorn.Config(app, **_options())).run(sockets=[listening])


def _do_what_is_due(app: FastAPI, listening: socket.socket) -> None:
    """Without answering anybody, and after those who do."""
    listening.close()
    os.nice(_AFTER_PAGES)

    async def until_told() -> None:
        told = asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, told.set)
        async with app.router.lifespan_context(app):
            await told.wait()

    asyncio.run(until_told())


def _options() -> dict[str, Any]:
    return {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        # open long polls would hold a restart back
        "timeout_graceful_shutdown": _GRACE_SECONDS,
    }


def _record_start(config: HubConfig) -> None:
    office = Office.of(config)
    details = {"version": version("flip-hub"), "policies": office.policies.digest}
    with office.database.write(Entry("governance", "service.started", "hub", details)):
        pass
    # no connection is taken into another process
    office.database.close()
