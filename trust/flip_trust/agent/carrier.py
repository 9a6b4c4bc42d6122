"""The Trust's side of the carrier: dial the hub's gateway, receive tasks as bytes, send answers as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from flip_sdk.contract.notices import HubEnrolment

from flip_trust.agent.hub_client import HubUnreachableError

__all__ = ["FleetCarrier", "HubUnreachableError", "Received"]


@dataclass(frozen=True)
class Received:
    """One message from the hub. ``parts`` are bytes that nobody has verified yet."""

    parts: Mapping[str, bytes]
    message: Any = field(repr=False)


class FleetCarrier:
    """A connection to the hub's gateway that mends itself. ``receive`` in one thread, ``reply`` in any.

    It never raises for a hub that is away: it says in the log what it waits for and tries again.
    """

    def __init__(self, hub: HubEnrolment, node_key: Path) -> None:
        """Prepare to dial.

        Args:
            hub: the pinned enrolment (``address``, ``ca_certificate``).
            node_key: P-384 private key, PEM (PKCS #8 or OpenSSH).
        """

    def __enter__(self) -> Self:
        """Start dialling in the background; returns at once."""
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        """Tell the hub good-bye, so that the next start needs no waiting."""
        raise NotImplementedError

    @property
    def connected(self) -> bool:
        """Whether the hub accepted this Trust and answered lately."""
        raise NotImplementedError

    def receive(self, wait: float = 2.0) -> Received | None:
        """The next message, or None after about ``wait`` seconds without one. Safe to call in a tight loop."""
        raise NotImplementedError

    def reply(self, received: Received, parts: Mapping[str, bytes]) -> None:
        """Answer a message, once.

        Raises:
            HubUnreachableError: the hub is away, or restarted and forgot the message; it will ask again.
        """
        raise NotImplementedError
