"""What the Trust posts to the hub of its own accord, over HTTPS with the hub's pinned authority."""

from __future__ import annotations

import ssl
from typing import Self, TypeVar

import httpx
from flip_sdk.contract.logs import RootTold
from flip_sdk.contract.notices import HubEnrolment, ProjectForTrust
from pydantic import TypeAdapter, ValidationError

from flip_trust.errors import TrustError

_Answer = TypeVar("_Answer")

MAX_ANSWER_BYTES = 16 * 1024 * 1024
_ROOTS: TypeAdapter[list[RootTold]] = TypeAdapter(list[RootTold])
_ORDERS: TypeAdapter[list[str]] = TypeAdapter(list[str])
_PROJECTS: TypeAdapter[list[ProjectForTrust]] = TypeAdapter(list[ProjectForTrust])


class HubUnreachableError(TrustError):
    """The hub cannot be reached, or no longer waits for this answer. What was to be sent is safe to keep."""


class HubRefusedError(TrustError):
    """The hub says no to what was posted: posting the same again will not help."""


class HubClient:
    """Posts signed notices and asks for projects. A context manager; safe to share among threads."""

    def __init__(self, hub: HubEnrolment, timeout: float = 10.0) -> None:
        self._client = httpx.Client(
            base_url=f"https://{hub.address}/flip/v1",
            verify=pinned(hub),
            timeout=timeout,
            headers={"content-type": "application/jose"},
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def post_notice(self, jws: str) -> None:
        """Deliver a signed notice.

        Raises:
            HubUnreachableError: no answer, or one that says try again.
            HubRefusedError: the hub says no (its clock, an unknown key, a notice it has seen).
        """
        self._post("/notices", jws)

    def ask_projects(self, jws: str) -> list[ProjectForTrust]:
        """Which projects want this Trust's data.

        Raises:
            HubUnreachableError: no answer, or one that cannot be read.
            HubRefusedError: the hub says no.
        """
        return self._ask(_PROJECTS, "/projects", jws)

    def ask_purges(self, jws: str) -> list[str]:
        """Signed orders to delete what is kept for projects that were closed.

        Raises:
            HubUnreachableError: no answer, or one that cannot be read.
            HubRefusedError: the hub says no.
        """
        return self._ask(_ORDERS, "/purges", jws)

    def ask_roots(self, jws: str) -> list[RootTold]:
        """Daily roots of the hub's audit log, each with its proof.

        Raises:
            HubUnreachableError: no answer, or one that cannot be read.
            HubRefusedError: the hub says no.
        """
        return self._ask(_ROOTS, "/roots", jws)

    def _ask(self, kind: TypeAdapter[_Answer], path: str, jws: str) -> _Answer:
        try:
            return kind.validate_json(self._post(path, jws))
        except ValidationError as error:
            raise HubUnreachableError(f"The hub's answer to {path} cannot be read.") from error

    def _post(self, path: str, jws: str) -> bytes:
        try:
            with self._client.stream("POST", path, content=jws.encode("ascii")) as response:
                body = _read(response)
        except httpx.HTTPError as error:
            raise HubUnreachableError(f"The hub does not answer: {error}") from error
        if response.is_success:
            return body
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise HubUnreachableError(f"The hub answered {response.status_code}.")
        raise HubRefusedError(f"The hub answered {response.status_code}: {body[:500].decode(errors='replace')}")


def pinned(hub: HubEnrolment) -> ssl.SSLContext:
    """TLS that trusts the hub's own authority and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=hub.ca_certificate)
    return context


def _read(response: httpx.Response) -> bytes:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise HubUnreachableError("The hub's answer is larger than any may be.")
    return body
