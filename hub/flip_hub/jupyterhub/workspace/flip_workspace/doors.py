"""The inner side of a workspace's doors: opened before anything else runs, so before anybody's code does."""

from __future__ import annotations

import os
import socket
from typing import Any
from urllib.parse import urlsplit

HANDED = "FLIP_DOORS"
ASKED = ("JUPYTERHUB_API_URL", "FLIP_HUB_API")
_BACKLOG = 128
_handed: list[socket.socket] = []


def open_doors() -> None:
    """Listen where the hub is expected, and hand the sockets out; nothing where this workspace has no doors."""
    numbers = os.environ.pop(HANDED, "")
    if not numbers:
        return
    answering, out = (socket.socket(fileno=int(number)) for number in numbers.split(","))
    answering.set_inheritable(False)
    _handed.append(answering)
    ports = list(dict.fromkeys(urlsplit(os.environ[name]).port or 80 for name in ASKED))
    with out:
        opened = [socket.create_server(("127.0.0.1", port), backlog=_BACKLOG) for port in ports]
        socket.send_fds(out, [b"."], [one.fileno() for one in opened])
        for one in opened:
            one.close()


def answer_there(app: Any) -> None:
    """Let a Jupyter Server answer on the socket that it was handed, too."""
    for answering in _handed:
        answering.setblocking(False)
        app.http_server.add_socket(answering)
