"""What a viewer's page may say to its kernel: to the controls that the notebook made, and nothing else.

``comm_msg`` reaches comms that are there: the notebook made them (ipykernel drops what is for others), or the one that
asks for the controls' state. ``comm_open`` would make a control that the notebook did not, and is for that one alone.
Nothing is executed, completed, inspected, debugged, answered or interrupted; only the shell channel is spoken to.
"""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.services.kernels.connection.base import deserialize_binary_message, deserialize_msg_from_ws_v1

V1 = "v1.kernel.websocket.jupyter.org"
_CONTROL = "jupyter.widget.control"
_ALWAYS = frozenset({"kernel_info_request", "comm_info_request", "comm_msg"})


def is_allowed(message: str | bytes, subprotocol: str | None) -> bool:
    """Whether a message from a viewer goes on to the kernel; what cannot be read does not."""
    try:
        channel, header, content = _parts(message, subprotocol)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return False
    if channel != "shell" or not isinstance(header, dict) or not isinstance(content, dict):
        return False
    kind = header.get("msg_type")
    return kind in _ALWAYS or (kind == "comm_open" and content.get("target_name") == _CONTROL)


def _parts(message: str | bytes, subprotocol: str | None) -> tuple[str, Any, Any]:
    if subprotocol == V1:
        channel, parts = deserialize_msg_from_ws_v1(message)  # type: ignore[no-untyped-call]
        return channel, json.loads(parts[0]), json.loads(parts[3])
    is_bytes = isinstance(message, bytes)
    read = deserialize_binary_message(message) if is_bytes else json.loads(message)  # type: ignore[no-untyped-call]
    # what names no channel is taken for the shell's
    return read.get("channel") or "shell", read["header"], read.get("content", {})
