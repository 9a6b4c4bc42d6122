"""Emergency access at the hub, as it crosses the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.records import Instant, Line, Record, Text, Token

Scope = Literal["read", "suspend", "sessions"]
Reason = Annotated[Text, Field(min_length=20)]


class NewEmergency(Record):
    """What an operator opens.

    Attributes:
        scope: ``read`` a project and its outputs, ``suspend`` a project, or end a person's ``sessions``.
        target: the project's id, or the person's name.
        reason: what happened, and why it cannot wait; reviewers read it.
        hours: how long it reads; the other two are done at once.
    """

    scope: Scope
    target: Annotated[Line, Field(min_length=1)]
    reason: Reason
    hours: Annotated[float, Field(gt=0, le=168, allow_inf_nan=False)] = 1.0


class ReviewEmergency(Record):
    """What somebody else found afterwards."""

    finding: Literal["justified", "not_justified"]
    words: Annotated[Text, Field(min_length=10)]


class EmergencyUse(Record):
    """One thing that was asked for while it was open."""

    at: Line
    what: Line


class EmergencyView(Record):
    """An emergency access, as operators and governance reviewers see it.

    Attributes:
        state: ``open``, ``waiting`` for its review, ``overdue`` where that takes too long, or ``reviewed``.
    """

    emergency_id: Token
    scope: Scope
    target: Line
    reason: Text
    opened_by: Line
    opened_at: Instant
    expires_at: Instant
    ended_at: Instant | None = None
    ended_by: Line = ""
    state: Literal["open", "waiting", "overdue", "reviewed"]
    finding: Line = ""
    words: Text = ""
    reviewed_by: Line = ""
    reviewed_at: Instant | None = None
    uses: tuple[EmergencyUse, ...] = ()
