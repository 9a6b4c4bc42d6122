"""What a database says when it cannot be used, in words for the hub's operator."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from flip_hub.errors import UnavailableError

_PASSWORD = (
    "PostgreSQL does not let the hub in: the role or its password is wrong, or pg_hba.conf does not admit it.",
    "Check the role in database_url and the file that database_password_file names.",
)
_MISSING = ("There is no such database.", "Make it: CREATE DATABASE … OWNER … ENCODING 'UTF8'.")
_BUSY = ("Another program has been writing to the hub's database for too long.", "Try again; nothing was written.")
_HUNG = ("This took too long, and held everybody else up: it was undone.", "Try again; nothing was written.")
_FULL = ("The disk of the hub's database is full; nothing was written.", "Make room, and try again.")
_CROWDED = ("PostgreSQL takes no more connections.", "Raise its max_connections, or end programs that hold some.")
_GRANTS = (
    "The hub's role may not do this in its database.",
    "Make it the owner of its tables: REASSIGN OWNED BY … TO …, or ALTER TABLE … OWNER TO ….",
)
_STATES = {
    "28P01": _PASSWORD,
    "28000": _PASSWORD,
    "3D000": _MISSING,
    "42501": _GRANTS,
    "53100": _FULL,
    "53300": _CROWDED,
    "55P03": _BUSY,
    "25P03": _HUNG,
    "40001": _BUSY,
    "40P01": _BUSY,
}
_PHRASES = (
    ("password authentication failed", _PASSWORD),
    ("no password supplied", _PASSWORD),
    ("no pg_hba.conf entry", _PASSWORD),
    ("authentication failed", _PASSWORD),
    ("role ", _PASSWORD),
    ("too many clients", _CROWDED),
    ("remaining connection slots", _CROWDED),
    ("database is locked", _BUSY),
    ("disk is full", _FULL),
    ("does not exist", _MISSING),
)
"""Of what has no SQLSTATE: a connection that was not made, and everything of SQLite."""


def in_words(error: DBAPIError) -> UnavailableError:
    """An error of the database as the operator is told it: without the statement, its values, or a password."""
    state, text = getattr(error.orig, "sqlstate", None), str(error.orig)
    known = _STATES.get(state or "") or next((words for phrase, words in _PHRASES if phrase in text), None)
    if known:
        return UnavailableError(*known)
    # libpq asks a question in the next line
    reason = (text.strip().splitlines() or [type(error.orig).__name__])[0].rstrip(".")
    return UnavailableError(f"The hub's database cannot be used: {reason[:300]}.", "See that it runs, and try again.")
