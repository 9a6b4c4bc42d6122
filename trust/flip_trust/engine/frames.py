"""Messages between the agent and a worker: a JSON header and a payload of bytes, both with their length in front.

No pickle: either side takes the other for hostile, reads no more than it allows and waits no longer than its deadline.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

_LENGTHS = struct.Struct(">IQ")
MAX_HEADER = 1024 * 1024
MAX_PAYLOAD = 512 * 1024 * 1024
_PIECE = 1024 * 1024


class FrameError(Exception):
    """The other side is gone, too slow, or does not keep to the form."""


def send(channel: socket.socket, header: dict[str, Any], payload: bytes = b"", deadline: float | None = None) -> None:
    """Write one message; ``deadline`` is on ``time.monotonic``.

    Raises:
        FrameError: the other side is gone or does not read.
    """
    content = json.dumps(header).encode()
    try:
        channel.settimeout(_left(deadline))
        channel.sendall(_LENGTHS.pack(len(content), len(payload)) + content)
        channel.settimeout(_left(deadline))
        channel.sendall(payload)
    except OSError as error:
        raise FrameError(f"cannot write: {type(error).__name__}") from error


def receive(
    channel: socket.socket, deadline: float | None = None, limit: int = MAX_PAYLOAD
) -> tuple[dict[str, Any], bytes]:
    """Read one message.

    Raises:
        FrameError: the other side is gone, silent until the deadline, or sends more than ``limit`` or no JSON object.
    """
    header_size, payload_size = _LENGTHS.unpack(_read(channel, _LENGTHS.size, deadline))
    if header_size > MAX_HEADER or payload_size > limit:
        raise FrameError("the message is too long")
    try:
        header = json.loads(_read(channel, header_size, deadline))
    except (ValueError, RecursionError) as error:
        raise FrameError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("the header is not an object")
    return header, _read(channel, payload_size, deadline)


def _read(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    content = bytearray()
    while len(content) < size:
        try:
            channel.settimeout(_left(deadline))
            piece = channel.recv(min(_PIECE, size - len(content)))
        except OSError as error:
            raise FrameError(f"cannot read: {type(error).__name__}") from error
        if not piece:
            raise FrameError("the other side has ended")
        content += piece
    return bytes(content)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.001, deadline - time.monotonic())
