"""What people show before they work, as it crosses the wire: accreditation, training, contracts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.records import Digest, Instant, Line, Record, Text

RecordState = Literal["waiting", "verified", "refused"]
Reference = Annotated[Line, Field(min_length=3)]


class NewPersonRecord(Record):
    """A record that somebody hands in.

    Attributes:
        kind: out of ``policies/people/requirements.yaml``.
        reference: number of the certificate or the contract, as whoever issued it can be asked for.
        evidence: digest of the file, where there is one; the file itself stays with the person.
        issued_on: its first day.
        expires_on: its last day.
    """

    kind: Line
    reference: Reference
    evidence: Digest | None = None
    issued_on: date
    expires_on: date


class DecidePersonRecord(Record):
    """A verifier's word on a record; a refusal says why."""

    decision: Literal["verify", "refuse"]
    words: Text = ""


class PersonRecordView(Record):
    """A record, as the person and the verifiers see it."""

    record_id: int
    kind: Line
    title: Line
    reference: Line
    evidence: Digest | None = None
    issued_on: date
    expires_on: date
    state: RecordState
    submitted_by: Line
    submitted_at: Instant
    decided_by: Line = ""
    decided_at: Instant | None = None
    words: Text = ""


class Needed(Record):
    """One kind of record that a person's roles need.

    Attributes:
        roles: the person's roles that need it.
        state: ``held``, ``ending`` (within 30 days), ``waiting`` for a verifier, ``expired`` or ``missing``.
        ends_at: when the one that is held ends.
    """

    kind: Line
    title: Line
    roles: tuple[Line, ...]
    state: Literal["held", "ending", "waiting", "expired", "missing"]
    ends_at: Instant | None = None


class PersonStanding(Record):
    """What a person's roles need, and what they showed.

    Attributes:
        lapsed: roles whose work is taken away at present.
        due_at: until then nothing is taken away; None where that is over, or never was.
    """

    name: Line
    display_name: Line
    organisation: Line
    roles: tuple[Line, ...]
    active: bool
    lapsed: tuple[Line, ...] = ()
    due_at: Instant | None = None
    needed: tuple[Needed, ...] = ()
    records: tuple[PersonRecordView, ...] = ()
