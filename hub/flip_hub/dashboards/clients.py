"""How the service speaks to a kernel: it looks for an answer again and again, also where nothing wakes it.

While an answer is waited for, controls that a notebook makes send on the same ZeroMQ socket. Sending there takes the
socket's wake-up, so that an answer that came meanwhile lies unread, for ever where no time is set (nbclient's
``OutputWidget``; the same as ipykernel's issue 1554 on the other side).
"""

from __future__ import annotations

from queue import Empty
from time import monotonic
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from traitlets import Type

LOOK_SECONDS = 0.5


class PatientChannel(AsyncZMQSocketChannel):
    """One kind of messages."""

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """The next message.

        Args:
            timeout: seconds; for ever without.

        Raises:
            Empty: none came in time.
        """
        until = None if timeout is None else monotonic() + timeout
        while True:
            left = LOOK_SECONDS if until is None else min(LOOK_SECONDS, until - monotonic())
            try:
                return await super().get_msg(max(left, 0.0))
            except Empty:
                if until is not None and monotonic() >= until:
                    raise


class PatientClient(AsyncKernelClient):
    """A kernel's client."""

    shell_channel_class = Type(PatientChannel)
