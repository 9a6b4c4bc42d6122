"""A dashboard's kernel: in a sandbox without network that sees Python and its own folder; few, small, not for long."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from tornado.web import HTTPError
from traitlets import Bool, Integer, default

from flip_hub import sandbox
from flip_hub.dashboards.clients import PatientClient
from flip_hub.dashboards.layout import CONTENT, NOTEBOOK
from flip_hub.sandbox import Caps, Sandbox

_KEPT = ("LANG", "LC_ALL", "TZ", "PATH")
_GIVEN = ("VOILA_", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_")
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
FIRST_ACCOUNT = 1_900_000_000
"""No system gives this number, or those above it, to anybody (systemd's UIDS-GIDS: unused)."""
SCRATCH_BYTES = 64 * 2**20
"""What a kernel may write, all of it in memory and gone with it."""
CPU_SECONDS = 900
MOST_PROCESSES = 64
SOCKETS, SOCKETS_SECONDS = 5, 60
OPEN_FOLDER, SHUT_FOLDER = 0o700, 0o555


@dataclass(frozen=True)
class Showing:
    """What a kernel was started for: a version of a dashboard, and who looks at it; nobody yet: empty."""

    project: str
    name: str
    version: int
    viewer: str = ""


_showing: ContextVar[Showing] = ContextVar("showing")


@contextmanager
def started_for(showing: Showing) -> Iterator[None]:
    """Kernels that are started meanwhile are for this."""
    token = _showing.set(showing)
    try:
        yield
    finally:
        _showing.reset(token)


class SandboxedKernelManager(ServerKernelManager):
    """Starts one kernel, speaking over sockets in a folder of its own instead of over the network.

    Attributes:
        sandboxed: whether bubblewrap is used.
        memory: bytes of address space that each of its processes may have.
    """

    sandboxed = Bool(True).tag(config=True)
    memory = Integer(4 * 2**30).tag(config=True)
    account: int | None = None

    @default("transport")
    def _transport(self) -> str:
        return "ipc"

    @default("client_factory")
    def _speaks_by(self) -> type[PatientClient]:
        return PatientClient

    @property
    def own(self) -> Path:
        """The folder of its sockets."""
        return Path(self.connection_file).parent

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        own = Path(self.connection_file).parent / kw["kernel_id"]
        if Path(self.connection_file).parent.name != kw["kernel_id"]:
            own.mkdir(mode=OPEN_FOLDER)
            self.connection_file = str(own / "kernel.json")
        return await super()._async_pre_start_kernel(**kw)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        folder = Path(kw["cwd"])
        if folder.name != CONTENT or not (folder / NOTEBOOK).is_file():
            # Jupyter starts a kernel further up where its folder is not there: it would read all dashboards
            raise RuntimeError("a dashboard's kernel has no folder of its own")
        kw["env"] = _environment(kw.get("env") or {})
        if self.sandboxed:
            caps = Caps(self.memory, MOST_PROCESSES, SCRATCH_BYTES, CPU_SECONDS)
            box = Sandbox(folder, writable=(self.own,), caps=caps, account=self.account)
            if self.account is not None:
                for path in (self.own, Path(self.connection_file)):
                    os.chown(path, self.account, self.account)
            kernel_cmd = box.command(kernel_cmd)
        await super()._async_launch_kernel(kernel_cmd, **kw)

    async def shut_folder(self) -> None:
        """Once its sockets are there, and before it runs anything, a kernel with an account writes there no more.

        It still has to read its own connection file: at no moment may the folder be shut to it.
        """
        if self.account is None:
            return
        for _ in range(SOCKETS_SECONDS * 50):
            if len(list(self.own.glob("*-ipc-*"))) >= SOCKETS or not await self.is_alive():
                break
            await asyncio.sleep(0.02)
        self.own.chmod(SHUT_FOLDER)
        os.chown(self.own, os.geteuid(), os.getegid())
        # whoever owned it until now could have opened it again
        self.own.chmod(SHUT_FOLDER)


class DashboardKernels(AsyncMappingKernelManager):
    """All kernels of the service.

    Attributes:
        most: how many may run at once, warm ones included.
    """

    most = Integer(12).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._showing: dict[str, Showing] = {}
        self._accounts: dict[str, int] = {}

    def showing(self, kernel_id: str) -> Showing | None:
        """What a kernel was started for."""
        return self._showing.get(kernel_id)

    def all_showing(self) -> dict[str, Showing]:
        """What each kernel was started for."""
        return dict(self._showing)

    def viewer_of(self, kernel_id: str) -> str | None:
        """The person whose page a kernel serves; None while it is nobody's."""
        showing = self._showing.get(kernel_id)
        return showing.viewer or None if showing else None

    def hand_over(self, kernel_id: str, person: str) -> None:
        """A kernel that was started for nobody is this person's from now on."""
        before = self._showing[kernel_id]
        self._showing[kernel_id] = Showing(before.project, before.name, before.version, person)
        # it waited until now; its viewer has their own time to connect
        self._kernel(kernel_id).last_activity = datetime.now(UTC)

    def left(self, seconds: float) -> list[str]:
        """Kernels of somebody's page which has not been connected, while they did nothing, for so long.

        Whoever leaves before the page is ready, or by losing the network, says nothing to their kernel.
        """
        since = datetime.now(UTC) - timedelta(seconds=seconds)
        return [one for one in self._showing if self._is_left(one, since)]

    def _is_left(self, kernel_id: str, since: datetime) -> bool:
        if self.viewer_of(kernel_id) is None or kernel_id not in self or self._kernel_connections.get(kernel_id):
            return False
        kernel = self._kernel(kernel_id)
        return kernel.execution_state == "idle" and kernel.last_activity < since

    def _kernel(self, kernel_id: str) -> ServerKernelManager:
        kernel = self.get_kernel(kernel_id)
        assert isinstance(kernel, ServerKernelManager)
        return kernel

    @property
    def free(self) -> int:
        """How many more may be started."""
        return self.most - len(self._showing)

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]
        """Start a kernel for what is to be shown.

        Raises:
            HTTPError: 503 where as many run as may.
        """
        showing = _showing.get()
        if self.free <= 0:
            raise HTTPError(503, "Too many dashboards are open at the moment. Try again in a few minutes.")
        # counted from now on: several are started at once
        kernel_id = str(kwargs.pop("kernel_id", None) or self.new_kernel_id(**kwargs))
        self._showing[kernel_id] = showing
        self._accounts[kernel_id] = next(n for n in range(self.most + 1) if n not in self._accounts.values())
        try:
            await super().start_kernel(kernel_id=kernel_id, **kwargs)
        except BaseException:
            self._forget(kernel_id)
            raise
        manager = self.get_kernel(kernel_id)
        if isinstance(manager, SandboxedKernelManager):
            await manager.shut_folder()
        return kernel_id

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """Leave kernels that wait for their first viewer."""
        if self.viewer_of(kernel_id) is not None:
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]

    def pre_start_kernel(self, kernel_name: str | None, kwargs: dict[str, Any]) -> Any:
        """A kernel gets an account of its own, where this process may give one."""
        manager, name, kernel_id = super().pre_start_kernel(kernel_name, kwargs)
        if sandbox.gives_accounts() and isinstance(manager, SandboxedKernelManager):
            manager.account = FIRST_ACCOUNT + self._accounts[kernel_id]
        return manager, name, kernel_id

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel that ended."""
        self._forget(kernel_id)
        return super().remove_kernel(kernel_id)

    def _forget(self, kernel_id: str) -> None:
        self._showing.pop(kernel_id, None)
        self._accounts.pop(kernel_id, None)


def _environment(given: dict[str, str]) -> dict[str, str]:
    """Nothing of the service's own environment, which holds its token."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept |= {name: value for name, value in given.items() if name.startswith(_GIVEN)}
    own = {"HOME": "/tmp", "USER": "dashboard", "IPYTHONDIR": "/tmp/.ipython", "MPLCONFIGDIR": "/tmp"}  # noqa: S108 - the sandbox's own
    own |= {"PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1", "VIRTUAL_ENV": sys.prefix}
    return {**kept, **own, **dict.fromkeys(_ONE_THREAD, "1")}
