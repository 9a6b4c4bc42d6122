"""Drawing a version once: run in a sandbox for nobody in particular, kept as a page and a thumbnail."""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import nbformat
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from flip_hub.dashboards.kernels import DashboardKernels, Showing, started_for
from flip_hub.dashboards.layout import NOTEBOOK, path_of
from flip_hub.dashboards.snapshot import Facts, first_picture, is_live, page, preview

_log = logging.getLogger("DashboardsApp")
PAGE, PREVIEW, ABOUT = "page.html", "preview.html", "about.json"
CELL_SECONDS = 60
_CARD = """<svg xmlns="http://www.w3.org/2000/svg" width="480" height="300" viewBox="0 0 480 300">
<rect width="480" height="300" fill="#e8edee"/><rect width="480" height="12" fill="#005eb8"/>
<text x="32" y="150" font-family="sans-serif" font-size="26" font-weight="600" fill="#212b32">{title}</text>
<text x="32" y="190" font-family="sans-serif" font-size="20" fill="#4c6272">{kind}</text></svg>"""


@dataclass(frozen=True)
class About:
    """What is known of a version once it was drawn.

    Attributes:
        state: what its page says of its release, in words: a draft is drawn anew when it is released.
        live: it has controls, so that each viewer needs a kernel.
        whole: every part of it could be computed.
        thumbnail: file beside the page.
    """

    state: str
    live: bool
    whole: bool
    thumbnail: str


def about(folder: Path) -> About | None:
    """What is known of a version; None while it was not drawn."""
    try:
        return About(**json.loads((folder / ABOUT).read_text("utf-8")))
    except FileNotFoundError:
        return None


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


def thumbnail(address: str, title: str, kind: str) -> tuple[str, bytes]:
    """Name and bytes of a thumbnail: the first picture, or a card with the title."""
    if not address:
        words = title if len(title) <= 32 else f"{title[:31]}…"
        return "thumbnail.svg", _CARD.format(title=escape(words), kind=escape("" if kind == "other" else kind)).encode()
    ending = {"svg+xml": "svg", "jpeg": "jpg"}.get(form := address.partition("/")[2].partition(";")[0], form)
    return f"thumbnail.{ending}", base64.b64decode(address.partition(",")[2])


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
