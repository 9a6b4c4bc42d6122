"""A dashboard's kernel: in a sandbox without network that sees Python and its own folder; few, and not for long."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from tornado.web import HTTPError
from traitlets import Bool, Integer, default

from flip_hub.sandbox import Sandbox

_KEPT = ("LANG", "LC_ALL", "TZ", "PATH")
_GIVEN = ("VOILA_", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_")
_viewer: ContextVar[str] = ContextVar("viewer")


@contextmanager
def viewed_by(person: str) -> Iterator[None]:
    """Kernels that are started meanwhile are this person's."""
    token = _viewer.set(person)
    try:
        yield
    finally:
        _viewer.reset(token)


class SandboxedKernelManager(ServerKernelManager):
    """Starts one kernel, speaking over sockets in a folder of its own instead of over the network.

    Attributes:
        sandboxed: whether bubblewrap is used.
    """

    sandboxed = Bool(True).tag(config=True)

    @default("transport")
    def _transport(self) -> str:
        return "ipc"

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        own = Path(self.connection_file).parent / kw["kernel_id"]
        if Path(self.connection_file).parent.name != kw["kernel_id"]:
            own.mkdir(mode=0o700)
            self.connection_file = str(own / "kernel.json")
        return await super()._async_pre_start_kernel(**kw)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        kw["env"] = _environment(kw.get("env") or {})
        if self.sandboxed:
            own = Path(self.connection_file).parent
            kernel_cmd = Sandbox(Path(kw["cwd"]), readable=_caches(), writable=(own,)).command(kernel_cmd)
        await super()._async_launch_kernel(kernel_cmd, **kw)


class DashboardKernels(AsyncMappingKernelManager):
    """All kernels of the service.

    Attributes:
        most: how many may run at once.
    """

    most = Integer(12).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._viewers: dict[str, str] = {}

    def viewer_of(self, kernel_id: str) -> str | None:
        """The person for whose page a kernel was started."""
        return self._viewers.get(kernel_id)

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]
        """Start a kernel for the person who asked for the page.

        Raises:
            HTTPError: 503 where as many run as may.
        """
        viewer = _viewer.get()
        if len(self) >= self.most:
            raise HTTPError(503, "Too many dashboards are open at the moment. Try again in a few minutes.")
        kernel_id = str(await super().start_kernel(**kwargs))
        self._viewers[kernel_id] = viewer
        return kernel_id

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel that ended."""
        self._viewers.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)


def _environment(given: dict[str, str]) -> dict[str, str]:
    """Nothing of the service's own environment, which holds its token."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept |= {name: value for name, value in given.items() if name.startswith(_GIVEN)}
    return {**kept, "HOME": "/tmp", "IPYTHONDIR": "/tmp/.ipython", "PYTHONNOUSERSITE": "1", "VIRTUAL_ENV": sys.prefix}  # noqa: S108 - the sandbox's own


def _caches() -> tuple[Path, ...]:
    return ()
