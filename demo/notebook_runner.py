"""Runs a notebook as a person does: signed in at the hub, in their project's workspace, cell by cell in its kernel.

    run_notebook(hub_url, Login("ada", password), "breast-cytology", "tutorials/01_first_federated_model.ipynb", print)

Everything goes over the hub's own address. The outputs are saved into the notebook in the workspace, as JupyterLab
saves them.
"""

from __future__ import annotations

import html
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx
import nbformat
import websocket
from nbformat import NotebookNode

from demo.cells import CellOutputs, Shown
from demo.people import Visitor
from demo.processes import PlatformError, wait_until


@dataclass(frozen=True)
class Login:
    """A demo person."""

    name: str
    password: str


@dataclass(frozen=True)
class Moment:
    """Something that happened while a notebook ran.

    Attributes:
        cell: which of the code cells, from 1.
        cells: how many code cells there are.
        title: the heading above the cell.
        kind: ``start``, ``output``, ``live`` (a progress view that was drawn anew), ``end`` or ``error``.
        text: the output's text.
    """

    cell: int
    cells: int
    title: str
    kind: Literal["start", "output", "live", "end", "error"]
    text: str = ""


Progress = Callable[[Moment], None]


class NotebookError(PlatformError):
    """A cell of the notebook failed; the message holds its traceback."""


class Workspace:
    """A person who is signed in at the hub, and their workspace in one project.

    Attributes:
        visitor: the person's session.
    """

    def __init__(self, hub_url: str, login: Login, project: str) -> None:
        self.hub_url = hub_url.rstrip("/")
        self.login = login
        self.project = project
        self.visitor = Visitor(self.hub_url, login.name, login.password)

    @property
    def path(self) -> str:
        """The workspace's path at the hub's address."""
        return f"/user/{self.login.name}/{self.project}"

    def close(self) -> None:
        """End the session here; the workspace stays up."""
        self.visitor.close()

    def open(self, seconds: float = 90) -> Self:
        """Start the workspace where it does not run yet, and wait until it answers.

        Raises:
            PlatformError: the hub refuses, or it does not start.
        """
        answer = self.visitor.open_workspace(self.project)
        if answer.is_error:
            raise PlatformError(f"The hub refuses the workspace {self.project}: {_reason_on(answer.text)}")
        wait_until(self.is_ready, seconds, f"the workspace {self.project} starts", every=0.2)
        # its first page signs in to the workspace itself
        self.request("GET", "lab").raise_for_status()
        return self

    def is_ready(self) -> bool:
        """Whether the workspace runs."""
        return self.visitor.workspace_is_ready(self.project)

    def stop(self) -> None:
        """Stop the workspace."""
        self.visitor.hub_api("DELETE", f"users/{self.login.name}/servers/{self.project}").raise_for_status()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the workspace's Jupyter Server, ``path`` below the workspace's own."""
        return self.visitor.request(method, f"{self.path}/{path}", **options)

    def read(self, notebook: str) -> NotebookNode:
        """A notebook of the workspace."""
        answer = self.request("GET", f"api/contents/{quote(notebook)}", params={"type": "notebook"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise PlatformError(f"The workspace has no {notebook}.")
        answer.raise_for_status()
        return nbformat.from_dict(answer.json()["content"])

    def save(self, notebook: str, content: NotebookNode) -> None:
        """Save a notebook in the workspace."""
        body = {"type": "notebook", "format": "json", "content": content}
        self.request("PUT", f"api/contents/{quote(notebook)}", json=body).raise_for_status()

    @contextmanager
    def kernel(self, notebook: str) -> Iterator[Kernel]:
        """A fresh kernel for a notebook, started in its folder and shut down at the end."""
        body = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
        session = self.request("POST", "api/sessions", json=body)
        session.raise_for_status()
        try:
            channels = f"{self.path}/api/kernels/{session.json()['kernel']['id']}/channels"
            with closing(open_socket(self.visitor, channels)) as socket:
                yield Kernel(socket)
        finally:
            self.request("DELETE", f"api/sessions/{session.json()['id']}").raise_for_status()


def open_socket(visitor: Visitor, path: str) -> websocket.WebSocket:
    """A websocket at the hub, with the session of a person who is signed in."""
    request = httpx.Request("GET", f"{visitor.hub_url}{path}")
    visitor.cookies.set_cookie_header(request)
    url = request.url.copy_with(scheme=request.url.scheme.replace("http", "ws"))
    return websocket.create_connection(str(url), cookie=request.headers["Cookie"], origin=visitor.hub_url, timeout=30)


def request_message(kind: str, content: dict[str, Any], session: str) -> dict[str, Any]:
    """A message to a kernel's shell, with an id of its own."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "", "session": session, "version": "5.3"}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "buffers": [],
        "channel": "shell",
    }


class Kernel:
    """A workspace's kernel, over its websocket."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._session = uuid.uuid4().hex

    def run(self, code: str, outputs: CellOutputs, seconds: float) -> Shown:
        """Execute code, collecting its outputs.

        Yields:
            what appeared: ``("output", text)``, ``("live", text)`` or ``("error", traceback)``.
        """
        asked = self._send(
            {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        )
        deadline = time.monotonic() + seconds
        for message in self._messages(deadline):
            kind, content = message["msg_type"], message["content"]
            if kind in {"comm_open", "comm_msg"}:
                # widgets speak for themselves, also from the kernel's other threads
                yield from outputs.take_widget(kind, content, message.get("buffers", []))
            if message["parent_header"].get("msg_id") != asked:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return
            yield from outputs.take(kind, content)

    def _send(self, content: dict[str, Any]) -> str:
        message = request_message("execute_request", content, self._session)
        self._socket.send(json.dumps(message))
        asked: str = message["header"]["msg_id"]
        return asked

    def _messages(self, deadline: float) -> Iterator[dict[str, Any]]:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotebookError("The cell did not end in time.")
            self._socket.settimeout(left)
            try:
                frame = self._socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            message = _message(frame)
            if message.get("channel") == "iopub":
                yield message


def run_notebook(
    hub_url: str, login: Login, project: str, notebook: str, progress: Progress, *, cell_seconds: float = 600
) -> NotebookNode:
    """Sign in, open the workspace, run every cell of a notebook that lies in it, and save it with its outputs.

    Returns:
        the notebook with its outputs.

    Raises:
        NotebookError: a cell failed; the notebook was saved with what had run.
        PlatformError: the hub refused, or the workspace did not start.
    """
    with closing(Workspace(hub_url, login, project)) as workspace:
        workspace.open()
        content = workspace.read(notebook)
        try:
            with workspace.kernel(notebook) as kernel:
                run_cells(kernel, content, progress, cell_seconds)
        finally:
            workspace.save(notebook, content)
        return content


def run_cells(kernel: Kernel, notebook: NotebookNode, progress: Progress, cell_seconds: float) -> None:
    """Run the code cells in order, until one fails.

    Raises:
        NotebookError: one did.
    """
    titled = list(_titled(notebook))
    for number, (title, cell) in enumerate(titled, 1):
        progress(Moment(number, len(titled), title, "start"))
        outputs = CellOutputs(cell, notebook)
        failure = ""
        for kind, text in kernel.run(cell.source, outputs, cell_seconds):
            progress(Moment(number, len(titled), title, kind, text))
            failure = text if kind == "error" else failure
        cell.execution_count = number
        if failure:
            raise NotebookError(f"“{title}” failed:\n{failure}")
        progress(Moment(number, len(titled), title, "end"))


def _titled(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Code cells, each under the last heading above it."""
    title = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            title = headings[-1] if headings else title
        elif cell.cell_type == "code" and cell.source.strip():
            yield title, cell


def _message(frame: str | bytes) -> dict[str, Any]:
    """A kernel's message: JSON, or JSON followed by buffers, each at its offset."""
    if isinstance(frame, str):
        text: dict[str, Any] = json.loads(frame)
        return text
    count = int.from_bytes(frame[:4], "big")
    starts = [int.from_bytes(frame[4 * (i + 1) : 4 * (i + 2)], "big") for i in range(count)]
    parts = [frame[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    message: dict[str, Any] = json.loads(parts[0])
    return {**message, "buffers": parts[1:]}


def _reason_on(page: str) -> str:
    """The reason on one of JupyterHub's error pages."""
    _, _, rest = page.partition('<p id="reason">')
    return html.unescape(rest.partition("</p>")[0].strip()) or "no reason given"
