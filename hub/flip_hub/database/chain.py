"""The audit chain's tables and its one way to append. Reading and verifying it is ``flip_hub.audit``.

Each entry's hash is SHA-256 over the canonical JSON (RFC 8785) of the entry, which names its predecessor's hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from flip_hub.database.base import LINE, NAME, TOKEN, Base

CHAIN = "hub"
GENESIS = "0" * 64


class AuditRow(Base):
    """One entry. ``details`` is canonical JSON; ``hash`` covers everything else and ``previous``."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(NAME, index=True)
    actor: Mapped[str] = mapped_column(LINE, index=True)
    event: Mapped[str] = mapped_column(LINE, index=True)
    subject: Mapped[str] = mapped_column(LINE, index=True)
    details: Mapped[str]
    previous: Mapped[str] = mapped_column(TOKEN)
    hash: Mapped[str] = mapped_column(TOKEN)


class AuditHead(Base):
    """The last entry's number and hash, in one row: locked by whoever appends, on any database."""

    __tablename__ = "audit_head"

    chain: Mapped[str] = mapped_column(NAME, primary_key=True)
    sequence: Mapped[int]
    hash: Mapped[str] = mapped_column(TOKEN)


@dataclass(frozen=True)
class Entry:
    """What is recorded with a write.

    Attributes:
        actor: who did it: a person's name, ``trust/<name>`` or a part of the hub (``governance``, ``dispatcher``).
        event: a stable name, such as ``project.approved``; for a state it is the table's own.
        subject: what it was done to: ``project/<id>``, ``job/<id>``, ``trust/<name>``, ``person/<name>`` …
        details: JSON values; may be completed until the transaction commits.
    """

    actor: str
    event: str
    subject: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Routine:
    """A write that nobody decides by, such as a sign of life: ``why`` says why it needs no entry."""

    why: str


def append(session: Session, entry: Entry) -> AuditRow:
    """Add an entry to the chain, in the caller's transaction (``Database.write`` does it for its own entry)."""
    head = lock(session)
    if head is None:
        head = AuditHead(chain=CHAIN, sequence=0, hash=GENESIS)
        session.add(head)
    row = AuditRow(
        sequence=head.sequence + 1,
        at=datetime.now(UTC).isoformat(),
        actor=entry.actor,
        event=entry.event,
        subject=entry.subject,
        details=rfc8785.dumps(entry.details).decode(),
        previous=head.hash,
    )
    row.hash = hash_of(as_dict(row))
    head.sequence, head.hash = row.sequence, row.hash
    session.add(row)
    session.flush()
    return row


def lock(session: Session) -> AuditHead | None:
    """The chain's head, held by this transaction until it ends (SQLite holds the whole database instead)."""
    return session.scalars(select(AuditHead).where(AuditHead.chain == CHAIN).with_for_update()).one_or_none()


def as_dict(row: AuditRow) -> dict[str, Any]:
    """An entry as it is exported and hashed (without ``hash``)."""
    return {
        "sequence": row.sequence,
        "at": row.at,
        "actor": row.actor,
        "event": row.event,
        "subject": row.subject,
        "details": json.loads(row.details),
        "previous": row.previous,
    }


def hash_of(content: dict[str, Any]) -> str:
    """SHA-256 over an entry's canonical JSON, in hexadecimal."""
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()
