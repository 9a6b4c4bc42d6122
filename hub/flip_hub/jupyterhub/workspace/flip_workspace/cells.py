"""Executed cells, told to the hub: a record, not a control, as a person's own code may go around it.

Nothing waits for the hub: what is run is written to a file first, and sent from there in batches.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.connection.base import deserialize_binary_message, deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from flip_workspace.spool import Spool

MOST_CHARACTERS = 4_000
"""Of a cell's text; its digest is over all of it."""

PLACE = Path(".local", "state", "flip", "cells")
_V1 = "v1.kernel.websocket.jupyter.org"
_CONTENT = 3
_log = logging.getLogger(__name__)


class RecordedConnection(ZMQChannelsWebsocketConnection):
    """The way from a browser to a kernel: requests to execute are written down before they go on."""

    spool = Spool(Path(os.path.expanduser("~")) / PLACE)

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """One message from the browser."""
        code = executed(incoming_msg, self.subprotocol)
        if code.strip():
            self.spool.keep(cell(code, self.kernel_id))
        super().handle_incoming_message(incoming_msg)


def executed(message: Any, protocol: str | None) -> str:
    """The code that a message asks a kernel to execute; '' where it asks for something else."""
    try:
        header, content = _parts(message, protocol)
        return str(content["code"]) if header["msg_type"] == "execute_request" else ""
    except (ValueError, KeyError, IndexError, TypeError, struct.error):
        # not a kernel's message: the connection itself says so
        _log.warning("a message could not be read")
        return ""


def cell(code: str, kernel: str) -> dict[str, Any]:
    """What is told of it (``flip_sdk.contract.cells.ExecutedCell``)."""
    content = code.encode("utf-8", "replace")
    return {
        "run": uuid.uuid4().hex,
        "at": datetime.now(UTC).isoformat(),
        "kernel": kernel,
        "code_digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        "characters": len(code),
        "code": content[: 4 * MOST_CHARACTERS].decode("utf-8", "ignore")[:MOST_CHARACTERS],
    }


def _parts(message: Any, protocol: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    if protocol == _V1:
        parts = deserialize_msg_from_ws_v1(message)[1]
        header = json.loads(parts[0])
        return header, json.loads(parts[_CONTENT]) if header["msg_type"] == "execute_request" else {}
    whole = deserialize_binary_message(message) if isinstance(message, bytes) else json.loads(message)
    return whole["header"], whole["content"]
