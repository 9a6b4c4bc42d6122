"""The dispatcher's side of the carrier: push bytes to Trusts by name, pull what they answer.

``connect`` gives the real one; ``flip_hub.flower.testing.FakeCarrier`` is the same without processes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from flip_hub.config import HubConfig
from flip_hub.errors import CarrierUnavailableError, HubError

__all__ = ["Carrier", "CarrierUnavailableError", "Incoming", "IncomingError", "TrustOfflineError", "connect"]

IncomingError = Literal["", "offline", "lost", "unreadable"]


class TrustOfflineError(HubError):
    """The Trust is not connected, so nothing was sent. Wait until it is in ``online()``."""


@dataclass(frozen=True)
class Incoming:
    """What became of one message that was pushed.

    Attributes:
        message_id: as returned by ``push``.
        parts: what the Trust answered; None where ``error`` says why there will be no answer.
        error: ``offline`` (the Trust went away), ``lost`` (the Trust or the gateway restarted, so that the message or
            its answer is gone: send it again), ``unreadable`` (the answer is not one record of bytes, or too large),
            or empty.
    """

    message_id: str
    parts: Mapping[str, bytes] | None
    error: IncomingError = ""


class Carrier(Protocol):
    """Carries bytes to Trusts and back. Not safe for use by several threads at once."""

    @property
    def epoch(self) -> str:
        """Changes whenever the gateway lost its messages: everything outstanding from another epoch is gone."""

    def push(self, trust: str, parts: Mapping[str, bytes]) -> str:
        """Send to one Trust and return the message's id.

        Raises:
            TrustOfflineError: it is not connected; nothing was sent.
            CarrierUnavailableError: the gateway cannot be reached; it may or may not have been sent.
        """

    def pull(self, ids: Collection[str], wait: float = 0.0) -> list[Incoming]:
        """What has come for these messages, each at most once; waits up to ``wait`` seconds for the first.

        Messages of an earlier epoch come back as ``lost``. An empty ``ids`` returns at once.

        Raises:
            CarrierUnavailableError: the gateway cannot be reached.
        """

    def online(self) -> frozenset[str]:
        """Names of the Trusts that are connected now (a few seconds behind at most).

        Raises:
            CarrierUnavailableError: the gateway cannot be reached.
        """

    def close(self) -> None:
        """Let go of the connection. Messages stay with the gateway."""


def connect(config: HubConfig, patience: float = 30.0) -> Carrier:
    """A carrier to the gateway on this machine; it reconnects by itself when the gateway restarts.

    Args:
        config: where the gateway's loopback listener and its secret are.
        patience: seconds to wait for a gateway that is starting.

    Raises:
        CarrierUnavailableError: the gateway did not come up.
    """
    from flip_hub.flower.client import FlowerCarrier

    return FlowerCarrier(config, patience)
