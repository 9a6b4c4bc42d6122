"""Closing a project: what was purged, where and when, by count and digest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.records import SCHEMA_VERSION, Digest, Instant, Line, Name, Record, Text, Token


class PurgedItem(Record):
    """Things of one kind that were deleted.

    Attributes:
        what: such as ``workspace homes``.
        count: how many there were.
        size: of their bytes.
        contents: digest over the sorted names or digests of what was deleted, so that a copy found later can be told.
    """

    what: Line
    count: Annotated[int, Field(ge=0)]
    size: Annotated[int, Field(ge=0)] = 0
    contents: Digest


class PurgeOrder(Record):
    """The hub tells one Trust that a project has ended; signed by the governance key."""

    schema_version: Literal[1] = SCHEMA_VERSION
    trust: Name
    project_id: Name
    order_id: Token
    issued_at: Instant


class TrustPurge(Record):
    """One Trust's part of a certificate.

    Attributes:
        statement: compact JWS of the Trust's own notice; empty while it has not answered.
    """

    trust: Name
    title: Line
    asked_at: Instant
    purged_at: Instant | None = None
    items: Annotated[tuple[PurgedItem, ...], Field(max_length=50)] = ()
    statement: str = ""


class ClosingCertificate(Record):
    """What became of a project's data; signed by the hub's governance key.

    Attributes:
        hub_purged_at: when the hub had deleted its own part; None while workspaces or jobs still end.
        kept: what stays, in words: the ledgers, the audit logs and released outputs.
        pending: Trusts that have not answered yet.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    project_id: Name
    title: Line
    closed_by: Line
    closed_at: Instant
    reason: Text = ""
    hub_purged_at: Instant | None = None
    hub: Annotated[tuple[PurgedItem, ...], Field(max_length=50)] = ()
    trusts: Annotated[tuple[TrustPurge, ...], Field(max_length=200)] = ()
    kept: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    issued_at: Instant

    @property
    def pending(self) -> tuple[str, ...]:
        """Trusts that have not answered yet."""
        return tuple(part.trust for part in self.trusts if part.purged_at is None)


class SignedCertificate(Record):
    """A certificate, readable and signed: ``jws`` verifies with the governance key, without the hub."""

    certificate: ClosingCertificate
    jws: str
