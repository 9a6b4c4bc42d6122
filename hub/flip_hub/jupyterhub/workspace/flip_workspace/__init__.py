"""What a workspace's Jupyter Server is held to; it imports nothing of the hub's, as a workspace carries none of it."""

from __future__ import annotations

import asyncio
from typing import Any

_running: set[asyncio.Task[None]] = set()


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(_app: Any) -> None:
    """Nothing yet: the server does not listen yet."""


async def _start_jupyter_server_extension(app: Any) -> None:
    from flip_workspace.cells import RecordedConnection
    from flip_workspace.doors import answer_there
    from flip_workspace.sending import send_for_ever

    answer_there(app)
    _running.add(asyncio.create_task(send_for_ever(RecordedConnection.spool)))
