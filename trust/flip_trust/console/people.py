"""People who sign in to the console with a passphrase: where several stewards share one console.

Who starts the console needs none: the link that it prints lets them in (:mod:`flip_trust.console.sessions`).
"""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flip_trust.audit import Entry, Reader
from flip_trust.database import Database
from flip_trust.errors import ConsentError
from flip_trust.policy import ROLES, Person

SHORTEST = 12
LONGEST = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_hasher = PasswordHasher()
_one_at_a_time = threading.Lock()
_NOBODY = _hasher.hash("nobody has this passphrase")


def every(reader: Reader) -> list[Person]:
    """Everybody who was ever registered, by name."""
    rows = reader.read("SELECT name, role, active FROM console_person ORDER BY name")
    return [Person(row["name"], row["role"], bool(row["active"])) for row in rows]


def one(reader: Reader, name: str) -> Person | None:
    """Somebody who was registered."""
    return next((person for person in every(reader) if person.name == name), None)


def add(database: Database, name: str, role: str, passphrase: str, operator: str) -> Person:
    """Let somebody sign in, or give them another role and passphrase.

    Raises:
        ConsentError: the name, the role or the passphrase does not do.
        LedgerUnavailableError: it cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConsentError(f"'{name}' is not a name for signing in.", "Use lower case, digits, dots and hyphens.")
    if role not in ROLES:
        raise ConsentError(f"There is no role called {role}.", f"Give one of: {', '.join(ROLES)}.")
    if not SHORTEST <= len(passphrase) <= LONGEST:
        raise ConsentError(
            f"A passphrase has {SHORTEST} to {LONGEST} characters.", "Choose some words that belong together for you."
        )
    row = (name, role, _hasher.hash(passphrase), datetime.now(UTC).isoformat())
    with database.transaction() as transaction:
        transaction.write(
            Entry(f"operator/{operator}", "console.person_added", f"person/{name}", {"role": role}),
            ("INSERT OR REPLACE INTO console_person VALUES (?, ?, ?, 1, ?)", row),
        )
    return Person(name, role)


def close(database: Database, name: str, operator: str) -> None:
    """Let somebody sign in no more; sessions of theirs end at their next page.

    Raises:
        ConsentError: nobody of this name was registered.
        LedgerUnavailableError: it cannot be written.
    """
    with database.transaction() as transaction:
        if one(transaction, name) is None:
            raise ConsentError(f"'{name}' is not registered.", "See flip-trust steward list.")
        transaction.write(
            Entry(f"operator/{operator}", "console.person_closed", f"person/{name}"),
            ("UPDATE console_person SET active = 0 WHERE name = ?", (name,)),
        )


def verified(reader: Reader, name: str, passphrase: str) -> Person | None:
    """The person whose passphrase this is; None takes as long, whether the name or the passphrase is wrong."""
    rows = reader.read("SELECT * FROM console_person WHERE name = ? AND active = 1", (name,))
    try:
        # one at a time: each takes 64 MB on purpose
        with _one_at_a_time:
            _hasher.verify(rows[0]["passphrase"] if rows else _NOBODY, passphrase[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return None
    return Person(rows[0]["name"], rows[0]["role"]) if rows else None
