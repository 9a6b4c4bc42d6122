"""Sessions: begun by signing in, ended by signing out, by doing nothing, by their longest time, or by the provider."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry, Routine, SignIn, now
from flip_hub.database.engine import also
from flip_hub.errors import NotSignedInError

SEEN = timedelta(seconds=60)
"""How exactly it is known when a person last did something: a row is written once in this time."""

KEPT = timedelta(days=30)
BY_OTHERS = frozenset({"provider", "operator"})
"""Ends that say that nobody vouches for the person any more: what still runs of theirs is stopped."""
_WORDS = {
    "asked": "You signed out.",
    "idle": "You were signed out, because nothing was done for a while.",
    "longest": "You were signed out: a session ends after some hours, whatever is done.",
    "provider": "You were signed out: your organisation no longer vouches for you.",
    "operator": "You were signed out: an operator ended your sessions.",
    "unknown": "You are not signed in.",
}


@dataclass(frozen=True)
class Limits:
    """How long a session lasts: while something is done, and at most."""

    idle: timedelta
    longest: timedelta

    @classmethod
    def of(cls, config: HubConfig) -> Limits:
        """Those of a hub."""
        return cls(timedelta(minutes=config.session_idle_minutes), timedelta(hours=config.session_hours))


@dataclass(frozen=True)
class Standing:
    """When a session ends: if nothing more is done, and in any case."""

    idle_ends: datetime
    ends: datetime


def begin(database: Database, session_id: str, person: str, method: str, details: dict[str, Any]) -> None:
    """Write down that a person signed in, and how.

    Args:
        database: the hub's.
        session_id: JupyterHub's, made for this sign-in.
        person: who signed in.
        method: ``password`` or ``organisation``.
        details: for the audit log: the methods and the context that the provider named.
    """
    moment = now()
    entry = Entry(person, "person.signed_in", f"person/{person}", {"method": method, **details})
    with database.write(entry) as session:
        session.execute(delete(SignIn).where(SignIn.began_at < moment - KEPT))
        session.add(SignIn(session=key(session_id), person=person, method=method, began_at=moment, seen_at=moment))


def standing(database: Database, limits: Limits, session_id: str, person: str, *, used: bool) -> Standing:
    """When a person's open session ends.

    Args:
        database: the hub's.
        limits: how long sessions last.
        session_id: JupyterHub's.
        person: whose session it has to be.
        used: whether the person does something; a page that looks after itself does not.

    Raises:
        NotSignedInError: there is no such session, or it has ended; says why.
    """
    moment = now()
    with database.read() as session:
        row = session.get(SignIn, key(session_id))
    if row is None or row.person != person:
        raise _ended("unknown")
    reason = row.end_reason or _reason(row, limits, moment)
    if reason:
        if row.ended_at is None:
            end(database, session_id, reason)
        raise _ended(reason)
    if used and moment - row.seen_at >= min(SEEN, limits.idle / 4):
        _see(database, session_id, moment)
        return Standing(moment + limits.idle, row.began_at + limits.longest)
    return Standing(row.seen_at + limits.idle, row.began_at + limits.longest)


def how_many(session: Session, limits: Limits) -> int:
    """How many sessions are open."""
    moment = now()
    chosen = select(func.count()).where(
        SignIn.ended_at.is_(None),
        SignIn.seen_at > moment - limits.idle,
        SignIn.began_at > moment - limits.longest,
    )
    return session.scalar(chosen) or 0


def end(database: Database, session_id: str, reason: str) -> None:
    """End a session; one that has ended stays as it did."""
    with database.write(Routine("a session that has ended already has its entry")) as session:
        row = session.get(SignIn, key(session_id))
        if row is not None and row.ended_at is None:
            _end(session, row, reason)


def last_end(database: Database, person: str) -> str:
    """Why a person's latest session ended; empty while it has not, or where there was none."""
    latest = select(SignIn.end_reason).where(SignIn.person == person).order_by(SignIn.began_at.desc()).limit(1)
    with database.read() as session:
        return session.scalars(latest).first() or ""


def end_all(database: Database, person: str, reason: str) -> None:
    """End every open session of a person."""
    with database.write(Routine("each session that ends has an entry of its own")) as session:
        end_each(session, person, reason)


def end_each(session: Session, person: str, reason: str) -> None:
    """End every open session of a person, with what else is written."""
    for row in session.scalars(select(SignIn).where(SignIn.person == person, SignIn.ended_at.is_(None))):
        _end(session, row, reason)


def key(session_id: str) -> str:
    """What is kept of a session's id: nobody signs in with what a backup holds."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def _reason(row: SignIn, limits: Limits, moment: datetime) -> str:
    if moment >= row.began_at + limits.longest:
        return "longest"
    return "idle" if moment >= row.seen_at + limits.idle else ""


def _see(database: Database, session_id: str, moment: datetime) -> None:
    with database.write(Routine("a sign of life of a session")) as session:
        row = session.get(SignIn, key(session_id))
        if row is not None and row.ended_at is None:
            row.seen_at = moment


def _end(session: Session, row: SignIn, reason: str) -> None:
    row.ended_at, row.end_reason = now(), reason
    also(session, Entry(row.person, "person.signed_out", f"person/{row.person}", {"reason": reason}))


def _ended(reason: str) -> NotSignedInError:
    return NotSignedInError(_WORDS[reason], "Sign in again.")
