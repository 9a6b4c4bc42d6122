"""What a workspace's Jupyter Server is held to; it imports nothing of the hub's, as a workspace carries none of it."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(_app: Any) -> None:
    """Nothing yet: the server does not listen yet."""


async def _start_jupyter_server_extension(app: Any) -> None:
    from flip_workspace.doors import answer_there

    answer_there(app)
