"""Drawing a version once: run in a sandbox for nobody in particular, kept as a page and a thumbnail."""

from __future__ import annotations

import json
import logging
import os
import secrets
from dataclasses import asdict
from pathlib import Path

import nbformat
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from flip_hub.dashboards.kernels import DashboardKernels, Showing, started_for
from flip_hub.dashboards.layout import NOTEBOOK, path_of
from flip_hub.dashboards.snapshot import Facts, first_picture, is_live, page, preview
from flip_hub.dashboards.thumbnails import ABOUT, About, thumbnail

_log = logging.getLogger("DashboardsApp")
PAGE, PREVIEW = "page.html", "preview.html"
CELL_SECONDS = 60


async def draw(
    kernels: DashboardKernels, showing: Showing, folder: Path, content: Path, facts: Facts, kind: str
) -> About:
    """Run a version's notebook for nobody, and keep its page and thumbnail in its folder.

    Raises:
        HTTPError: as many kernels run as may.
    """
    notebook, whole = await _run(kernels, showing, content)
    name, picture = thumbnail(first_picture(notebook), facts.title, kind)
    found = About(facts.state, is_live(notebook), whole, name)
    _keep(folder / name, picture)
    _keep(folder / PAGE, page(notebook, facts).encode())
    _keep(folder / PREVIEW, preview(notebook, facts).encode())
    _keep(folder / ABOUT, json.dumps(asdict(found)).encode())
    return found


async def _run(kernels: DashboardKernels, showing: Showing, content: Path) -> tuple[nbformat.NotebookNode, bool]:
    notebook = nbformat.read(content / NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    path = path_of(showing.project, showing.name, showing.version)
    with started_for(showing):
        kernel_id = await kernels.start_kernel(kernel_name="python3", path=path, env={})
    client = NotebookClient(notebook, km=kernels.get_kernel(kernel_id), timeout=CELL_SECONDS, record_timing=False)
    try:
        client.kc = await client.async_start_new_kernel_client()
        client.reset_execution_trackers()
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                await client.async_execute_cell(cell, place)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        why = getattr(error, "ename", "") or type(error).__name__
        _log.warning("%s/%s %s: its cell %s ends with %s", showing.project, showing.name, showing.version, place, why)
        del notebook.cells[place + 1 :]
        cell.outputs = [one for one in cell.outputs if one.output_type != "error"]
        failed = nbformat.v4.new_output("error", ename="", evalue="", traceback=[])  # type: ignore[no-untyped-call]
        cell.outputs.append(failed)
        return notebook, False
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        if kernel_id in kernels:
            await ensure_async(kernels.shutdown_kernel(kernel_id, now=True))  # type: ignore[no-untyped-call]
    return notebook, True


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all: another process reads it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_bytes(content)
    os.replace(draft, path)
