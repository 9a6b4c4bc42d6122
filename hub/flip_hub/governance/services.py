"""Programs with tokens of their own: least scopes, an end, and never a person. What is kept of a token is its hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flip_hub.database import Database, Entry, Routine, ServiceIdentity, now
from flip_hub.errors import ConflictError, InvalidError, MissingError, NotSignedInError
from flip_hub.policy import Subject

SCOPES = {
    "monitoring:read": "How the hub is doing, in numbers: GET /api/monitoring",
    "audit:read": "The audit log, entry by entry: GET /api/audit",
}
"""Everything that a program can be given, and what it is."""

PREFIX = "flips_"
"""How each token begins, so that a scanner for secrets finds one that was left somewhere."""

MOST_DAYS = 366
SEEN = timedelta(seconds=60)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Given:
    """A token, which is shown this once, and when it ends."""

    token: str
    expires_at: datetime


def create(database: Database, name: str, *, purpose: str, scopes: Iterable[str], days: int, by: str) -> Given:
    """Give a program an identity.

    Raises:
        InvalidError: a name, purpose, scope or time that cannot be used; says all that is wrong.
        ConflictError: there is one of this name.
    """
    wanted = sorted(set(scopes))
    _check(name, purpose, wanted, days)
    token, ends = _new(), now() + timedelta(days=days)
    details = {"purpose": purpose, "scopes": wanted, "expires_at": ends.isoformat()}
    with database.write(Entry(by, "service.created", f"service/{name}", details)) as session:
        if session.get(ServiceIdentity, name) is not None:
            raise ConflictError(f"There is a service {name}.", "Rotate its token, or choose another name.")
        row = ServiceIdentity(name=name, purpose=purpose, scopes=wanted, token=_hash(token))
        row.created_at, row.expires_at = now(), ends
        session.add(row)
    return Given(token, ends)


def rotate(database: Database, name: str, *, days: int, overlap: timedelta, by: str) -> Given:
    """Give a program another token; the one before stays good for a while, so that nothing stands still.

    Raises:
        MissingError: there is none of this name, or it was revoked.
        InvalidError: the time cannot be used.
    """
    _check(name, "rotated", list(SCOPES), days)
    token, ends = _new(), now() + timedelta(days=days)
    details = {"expires_at": ends.isoformat(), "overlap_seconds": round(overlap.total_seconds())}
    with database.write(Entry(by, "service.rotated", f"service/{name}", details)) as session:
        row = _open(session, name)
        # never longer than it would have been good anyway
        row.earlier_token, row.earlier_until = row.token, min(now() + overlap, row.expires_at)
        row.token, row.expires_at = _hash(token), ends
    return Given(token, ends)


def revoke(database: Database, name: str, *, by: str) -> None:
    """End a program's access at once, and for good.

    Raises:
        MissingError: there is none of this name, or it was revoked before.
    """
    with database.write(Entry(by, "service.revoked", f"service/{name}")) as session:
        row = _open(session, name)
        row.revoked_at, row.earlier_token, row.earlier_until = now(), "", None


def services(database: Database) -> list[ServiceIdentity]:
    """Every program that was ever given a token, by name."""
    with database.read() as session:
        return list(session.scalars(select(ServiceIdentity).order_by(ServiceIdentity.name)))


def identify_service(database: Database, token: str) -> Subject:
    """The program behind a token, as the policies see it.

    Raises:
        NotSignedInError: the token is none, was revoked, or has ended.
    """
    kept, moment = _hash(token), now()
    with database.read() as session:
        chosen = or_(ServiceIdentity.token == kept, ServiceIdentity.earlier_token == kept)
        row = session.scalars(select(ServiceIdentity).where(chosen)).one_or_none()
    ends = None if row is None else row.expires_at if row.token == kept else row.earlier_until
    if row is None or row.revoked_at is not None or ends is None or moment >= ends:
        raise NotSignedInError("This token is not good (any more).", "Ask the hub's operator to rotate it.")
    if row.seen_at is None or moment - row.seen_at >= SEEN:
        with database.write(Routine("a sign of life of a program")) as session:
            session.get_one(ServiceIdentity, row.name).seen_at = moment
    return Subject(f"service/{row.name}", "", frozenset(), scopes=frozenset(row.scopes))


def _open(session: Session, name: str) -> ServiceIdentity:
    row = session.get(ServiceIdentity, name)
    if row is None or row.revoked_at is not None:
        raise MissingError(f"There is no service {name} with a token.", "See: flip-hub service list")
    return row


def _check(name: str, purpose: str, scopes: list[str], days: int) -> None:
    wrong = []
    if not _NAME.fullmatch(name):
        wrong.append("the name has other than lower case, digits and '-', or over 40 of them")
    if not purpose.strip() or len(purpose) > 200:
        wrong.append("the purpose is empty or has over 200 characters")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        wrong.append(f"there is no scope {', '.join(unknown)}")
    if not scopes:
        wrong.append("it has no scope")
    if not 1 <= days <= MOST_DAYS:
        wrong.append(f"a token is good for 1 to {MOST_DAYS} days")
    if wrong:
        raise InvalidError(f"This service cannot be: {'; '.join(wrong)}.", f"Scopes: {', '.join(SCOPES)}.")


def _new() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _hash(token: str) -> str:
    # 256 random bits need no salt and no slow hash: nobody can try them through
    return hashlib.sha256(token.encode()).hexdigest()
