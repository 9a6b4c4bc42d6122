"""The one door. Everything that leaves the Trust is a typed record, signed here; no other module calls what sends.

A result goes out only as a :class:`ProtectedUpdate`; a refusal only as its code; no free text, ever.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from flip_sdk.contract.logs import RootsRequest, RootTold
from flip_sdk.contract.notices import Notice, ProjectForTrust, SignedNotice, TrustRequest
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.tasks import CancelReceipt, KeyShare, Refusal

from flip_trust.disclosure.protect import ProtectedUpdate

if TYPE_CHECKING:
    from flip_trust.agent.carrier import Received

Outgoing = ProtectedUpdate | KeyShare | Refusal | CancelReceipt


class Carrier(Protocol):
    """What answers the hub's messages."""

    def reply(self, received: Received, parts: Mapping[str, bytes]) -> None:
        """Answer a message, once."""
        ...


class Client(Protocol):
    """What posts to the hub of the Trust's own accord."""

    def post_notice(self, jws: str) -> None:
        """Deliver a signed notice."""
        ...

    def ask_projects(self, jws: str) -> list[ProjectForTrust]:
        """Which projects want this Trust's data."""
        ...

    def ask_purges(self, jws: str) -> list[str]:
        """Signed orders to purge."""
        ...

    def ask_roots(self, jws: str) -> list[RootTold]:
        """Daily roots of the hub's audit log."""
        ...


def send(carrier: Carrier, received: Received, outgoing: Outgoing, key: SigningKey) -> None:
    """Answer a task.

    Raises:
        HubUnreachableError: the hub is away; what was released stays kept.
    """
    match outgoing:
        case ProtectedUpdate():
            parts = {"reply": key.sign(outgoing.update).encode()}
            if outgoing.tensors is not None:
                parts["tensors"] = outgoing.tensors
        case KeyShare() | Refusal() | CancelReceipt():
            parts = {"reply": key.sign(outgoing).encode()}
        case _:
            raise TypeError("only typed records leave a Trust")
    carrier.reply(received, parts)


def announce(client: Client, notice: Notice, key: SigningKey) -> None:
    """Tell the hub of a consent, a sign of life or a catalogue.

    Raises:
        HubUnreachableError: no answer.
        HubRefusedError: the hub says no.
    """
    client.post_notice(key.sign(SignedNotice(notice=notice)))


def ask_projects(client: Client, request: TrustRequest, key: SigningKey) -> list[ProjectForTrust]:
    """Ask which projects want this Trust's data.

    Raises:
        HubUnreachableError: no answer.
        HubRefusedError: the hub says no.
    """
    return client.ask_projects(key.sign(request))


def ask_purges(client: Client, request: TrustRequest, key: SigningKey) -> list[str]:
    """Ask for orders to delete what is kept for projects that were closed.

    Raises:
        HubUnreachableError: no answer.
        HubRefusedError: the hub says no.
    """
    return client.ask_purges(key.sign(request))


def ask_roots(client: Client, request: RootsRequest, key: SigningKey) -> list[RootTold]:
    """Ask for the daily roots of the hub's audit log.

    Raises:
        HubUnreachableError: no answer.
        HubRefusedError: the hub says no.
    """
    return client.ask_roots(key.sign(request))


def new_id() -> str:
    """An identifier for a notice or a request."""
    return secrets.token_urlsafe(16)
