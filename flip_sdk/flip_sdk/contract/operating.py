"""What programs that watch over a hub read of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from flip_sdk.contract.records import SCHEMA_VERSION, Instant, Line, Record

Count = Annotated[int, Field(ge=0)]


class Monitoring(Record):
    """How a hub is doing: numbers alone, nobody's name.

    Attributes:
        trusts: how many are enrolled.
        trusts_online: how many were heard of just now.
        jobs: how many there are in each state that is not an end.
        requests_waiting: release requests that wait for a decision.
        sessions: people's open sessions.
        audit_entries: the last entry's number.
        audit_at: when it was written.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    version: Line
    trusts: Count
    trusts_online: Count
    jobs: dict[str, int]
    requests_waiting: Count
    sessions: Count
    audit_entries: Count
    audit_at: Instant | None = None


class AuditPage(Record):
    """Entries of the audit log in their order, each as it is exported.

    Attributes:
        entries: with a number after the one that was asked for.
        last: the number to ask after next.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    entries: tuple[dict[str, Any], ...]
    last: Count
