"""What the Trust posts to the hub of its own accord, over HTTPS with the hub's pinned authority."""

from __future__ import annotations

from typing import Self

from flip_sdk.contract.notices import HubEnrolment, ProjectForTrust

from flip_trust.errors import TrustError


class HubUnreachableError(TrustError):
    """The hub cannot be reached, or no longer waits for this answer. What was to be sent is safe to keep."""


class HubRefusedError(TrustError):
    """The hub says no to what was posted: posting the same again will not help."""


class HubClient:
    """Posts signed notices and asks for projects. A context manager; safe to share among threads."""

    def __init__(self, hub: HubEnrolment, timeout: float = 10.0) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        """The client itself."""
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        raise NotImplementedError

    def post_notice(self, jws: str) -> None:
        """Deliver a signed notice.

        Raises:
            HubUnreachableError: no answer, or one that says try again.
            HubRefusedError: the hub says no (its clock, an unknown key, a notice it has seen).
        """
        raise NotImplementedError

    def ask_projects(self, jws: str) -> list[ProjectForTrust]:
        """Which projects want this Trust's data.

        Raises:
            HubUnreachableError: no answer, or one that cannot be read.
            HubRefusedError: the hub says no.
        """
        raise NotImplementedError
