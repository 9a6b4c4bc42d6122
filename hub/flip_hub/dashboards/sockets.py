"""The sockets between viewers' pages and their kernels: watched, so that they can be closed at once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from flip_hub.dashboards.messages import is_allowed

_CLOSED = 4403
_open: defaultdict[str, set[KernelSocket]] = defaultdict(set)


class KernelSocket(VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """One page's socket."""

    async def open(self, kernel_id: str) -> None:
        """Begin."""
        _open[kernel_id].add(self)
        await super().open(kernel_id)

    def on_message(self, ws_message: str | bytes) -> None:
        """Pass on what a viewer may say, and drop everything else."""
        if is_allowed(ws_message, self.selected_subprotocol):
            super().on_message(ws_message)
        else:
            self.log.warning("A message that a viewer may not send was dropped.")

    def on_close(self) -> None:
        """End."""
        kernel_id = str(self.path_kwargs.get("kernel_id") or self.path_args[0])
        _open[kernel_id].discard(self)
        if not _open[kernel_id]:
            del _open[kernel_id]
        if self.connection is not None:
            super().on_close()

    connection: Any = None


def close_sockets(kernel_id: str, reason: str) -> int:
    """Close every socket to a kernel.

    Returns:
        How many there were.
    """
    found = list(_open.get(kernel_id, ()))
    for socket in found:
        socket.close(_CLOSED, reason)
    return len(found)
