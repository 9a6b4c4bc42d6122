"""What a notebook's cell shows, built from its kernel's messages as JupyterLab builds it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from typing import Any, Literal

from nbformat import NotebookNode, v4

_WIDGETS = "application/vnd.jupyter.widget-state+json"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TAGS = re.compile(r"<(?:title|style)[^>]*>.*?</(?:title|style)>|<[^>]+>", re.DOTALL)

Kind = Literal["output", "live", "error"]
Shown = Iterator[tuple[Kind, str]]


class CellOutputs:
    """The outputs of one cell, and the states of the widgets in them."""

    def __init__(self, cell: NotebookNode, notebook: NotebookNode) -> None:
        self._cell = cell
        self._displays: dict[str, list[NotebookNode]] = {}
        self._clear_next = False
        self._states = _widget_states(notebook)
        cell.outputs = []

    def take(self, kind: str, content: dict[str, Any]) -> Shown:
        """A message about this cell's execution."""
        if kind == "clear_output":
            self._clear_next = bool(content["wait"])
            if not content["wait"]:
                self._cell.outputs = []
        elif kind == "update_display_data":
            yield from self._update(content)
        elif kind in {"stream", "display_data", "execute_result", "error"}:
            yield from self._add(kind, content)

    def take_widget(self, kind: str, content: dict[str, Any], buffers: list[bytes]) -> Shown:
        """A message from or about a widget. Its pictures as text are shown live."""
        data, model = content.get("data", {}), content["comm_id"]
        state = data.get("state", {})
        if kind == "comm_open" and content.get("target_name") == "jupyter.widget":
            self._states[model] = {
                "model_name": state.get("_model_name"),
                "model_module": state.get("_model_module"),
                "model_module_version": state.get("_model_module_version"),
                "state": dict(state),
            }
        elif model in self._states and data.get("method") in {"update", "echo_update"}:
            self._states[model]["state"].update(state)
        else:
            return
        if buffers and data.get("buffer_paths"):
            self._states[model]["buffers"] = [
                {"encoding": "base64", "path": path, "data": base64.b64encode(buffer).decode()}
                for path, buffer in zip(data["buffer_paths"], buffers, strict=True)
            ]
        if isinstance(state.get("value"), str) and (text := plain(state["value"])):
            yield "live", text

    def _add(self, kind: str, content: dict[str, Any]) -> Shown:
        if self._clear_next:
            self._cell.outputs, self._clear_next = [], False
        outputs = self._cell.outputs
        if kind == "stream" and outputs and outputs[-1].get("name") == content["name"]:
            outputs[-1]["text"] += content["text"]
        else:
            outputs.append(_output(kind, content))
        if name := content.get("transient", {}).get("display_id"):
            self._displays.setdefault(name, []).append(outputs[-1])
        if kind == "error":
            yield "error", _ESCAPES.sub("", "\n".join(content["traceback"]))
        elif kind == "stream":
            yield "output", _ESCAPES.sub("", content["text"])
        else:
            yield "output", text_of(content["data"])

    def _update(self, content: dict[str, Any]) -> Shown:
        for output in self._displays.get(content["transient"]["display_id"], []):
            output["data"], output["metadata"] = content["data"], content["metadata"]
        yield "live", text_of(content["data"])


def text_of(data: dict[str, Any]) -> str:
    """A display's text, preferring its HTML: what a person sees."""
    if page := data.get("text/html"):
        return plain("".join(page))
    return "".join(data.get("text/plain", ""))


def plain(page: str) -> str:
    """HTML as lines of text."""
    lines = (
        " ".join(html.unescape(_TAGS.sub(" ", line)).split()) for line in re.split(r"</(?:p|tr|div|li)>|<br>|\n", page)
    )
    return "\n".join(line for line in lines if line)


def _output(kind: str, content: dict[str, Any]) -> NotebookNode:
    fields = {
        "stream": ("name", "text"),
        "display_data": ("data", "metadata"),
        "execute_result": ("data", "metadata", "execution_count"),
        "error": ("ename", "evalue", "traceback"),
    }[kind]
    return v4.new_output(kind, **{field: content[field] for field in fields})


def _widget_states(notebook: NotebookNode) -> dict[str, Any]:
    """Where a notebook keeps its widgets' states, so that they are seen without their kernel."""
    widgets = notebook.metadata.setdefault("widgets", NotebookNode())
    kept = widgets.setdefault(_WIDGETS, NotebookNode(version_major=2, version_minor=0, state=NotebookNode()))
    states: dict[str, Any] = kept["state"]
    return states
