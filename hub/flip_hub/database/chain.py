"""The audit chain's tables and its one way to append. Reading and verifying it is ``flip_hub.audit``.

Each entry's hash names its predecessor's, and is over salted digests of its parts: ``flip_sdk.contract.log_entries``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flip_sdk.contract.log_entries import GENESIS, VERSION, from_row, hash_of, new_salt, to_row
from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from flip_hub.database.base import LINE, NAME, TOKEN, Base

CHAIN = "hub"


class AuditRow(Base):
    """One entry. ``details`` is canonical JSON; ``hash`` covers everything else and ``previous``.

    Attributes:
        version: of the hash.
        salt: what the parts' salts are made of, while all parts are there (version 2).
        reduced: canonical JSON: the digests of parts that were dropped, and salts of the others; empty while none was.
    """

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(NAME, index=True)
    actor: Mapped[str] = mapped_column(LINE, index=True)
    event: Mapped[str] = mapped_column(LINE, index=True)
    subject: Mapped[str] = mapped_column(LINE, index=True)
    details: Mapped[str]
    previous: Mapped[str] = mapped_column(TOKEN)
    hash: Mapped[str] = mapped_column(TOKEN)
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    salt: Mapped[str] = mapped_column(TOKEN, default="", server_default=text("''"))
    reduced: Mapped[str] = mapped_column(default="", server_default=text("''"))


class AuditHead(Base):
    """The last entry's number and hash, in one row: locked by whoever appends, on any database."""

    __tablename__ = "audit_head"

    chain: Mapped[str] = mapped_column(NAME, primary_key=True)
    sequence: Mapped[int]
    hash: Mapped[str] = mapped_column(TOKEN)


class AuditReduction(Base):
    """Number of an entry that tells which parts of earlier ones were dropped; written before they are."""

    __tablename__ = "audit_reduction"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


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
    content = {
        "version": VERSION,
        "sequence": head.sequence + 1,
        "at": datetime.now(UTC).isoformat(),
        "actor": entry.actor,
        "event": entry.event,
        "subject": entry.subject,
        "details": entry.details,
        "previous": head.hash,
        "salt": new_salt(),
    }
    row = AuditRow(**to_row(content | {"hash": hash_of(content)}))
    head.sequence, head.hash = row.sequence, row.hash
    session.add(row)
    session.flush()
    return row


def lock(session: Session) -> AuditHead | None:
    """The chain's head, held by this transaction until it ends (SQLite holds the whole database instead)."""
    return session.scalars(select(AuditHead).where(AuditHead.chain == CHAIN).with_for_update()).one_or_none()


def as_entry(row: AuditRow) -> dict[str, Any]:
    """An entry as it is exported and verified."""
    return from_row(vars(row))
