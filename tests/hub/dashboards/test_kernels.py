"""Kernels of dashboards: whose they are, and which nobody looks at."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from flip_hub.dashboards.clients import PatientClient
from flip_hub.dashboards.kernels import (
    OPEN_FOLDER,
    SHUT_FOLDER,
    SOCKETS,
    DashboardKernels,
    SandboxedKernelManager,
    Showing,
    started_for,
)
from flip_hub.dashboards.layout import CONTENT, NOTEBOOK
from jupyter_core.utils import ensure_async
from traitlets.config import Config

pytestmark = pytest.mark.processes
PATIENCE = 60.0


def folder_of(root: Path) -> str:
    content = root / "p" / "report" / "1" / CONTENT
    content.mkdir(parents=True)
    (content / NOTEBOOK).write_text(nbformat.writes(nbformat.v4.new_notebook()))  # type: ignore[no-untyped-call]
    return str(content.relative_to(root))


async def wait_until(what: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    async with asyncio.timeout(PATIENCE):
        while not what():
            meanwhile()
            await asyncio.sleep(0.02)


def test_a_kernel_that_nobody_looks_at_is_found(tmp_path: Path) -> None:
    c = Config()
    c.DashboardKernels.kernel_manager_class = f"{SandboxedKernelManager.__module__}.SandboxedKernelManager"
    c.SandboxedKernelManager.sandboxed = False
    path = folder_of(tmp_path)

    async def looked_at(kernels: Any) -> None:
        with started_for(Showing("p", "report", 1)):
            one = await kernels.start_kernel(kernel_name="python3", path=path, env={})
        kernel = kernels.get_kernel(one)
        assert isinstance(kernel.client(), PatientClient)
        client = kernel.client()
        client.start_channels()
        await client.wait_for_ready(PATIENCE)
        # what counts activity may have begun to listen after all this was said
        await wait_until(lambda: kernel.execution_state == "idle", meanwhile=client.kernel_info)
        assert kernels.left(0) == []  # it waits for its first viewer

        kernels.hand_over(one, "ada")
        assert kernels.left(PATIENCE) == []
        assert kernels.left(0) == [one]
        kernels.notify_connect(one)
        assert kernels.left(0) == []
        kernels.notify_disconnect(one)
        assert kernels.left(0) == [one]

        client.execute("while True: pass")
        await wait_until(lambda: kernel.execution_state == "busy")
        assert kernels.left(0) == []  # its page is being made
        client.stop_channels()
        await ensure_async(kernels.shutdown_kernel(one, now=True))
        assert kernels.left(0) == []

    # the name of a socket may have 107 characters
    with tempfile.TemporaryDirectory(prefix="flip-") as sockets:
        asyncio.run(looked_at(DashboardKernels(config=c, root_dir=str(tmp_path), connection_dir=sockets)))


def test_its_folder_is_shut_to_nobody_who_reads_while_it_changes_hands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel reads its connection file once it listens, which may be just then."""
    own = tmp_path / "own"
    own.mkdir(mode=OPEN_FOLDER)
    for number in range(SOCKETS):
        (own / f"kernel.json-ipc-{number}").touch()
    manager = SandboxedKernelManager(connection_file=str(own / "kernel.json"))
    manager.account = 1
    modes = []
    monkeypatch.setattr(os, "chown", lambda path, *ids: modes.append(Path(path).stat().st_mode & 0o777))
    asyncio.run(manager.shut_folder())
    assert modes == [SHUT_FOLDER]
    assert own.stat().st_mode & 0o777 == SHUT_FOLDER
