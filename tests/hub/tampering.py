"""What whoever holds the database can do, and the hub never does."""

from __future__ import annotations

from flip_hub.database.append_only import opening
from sqlalchemy import text
from sqlalchemy.orm import Session


def let_anything(session: Session) -> None:
    """Take the triggers off the audit log."""
    for statement in opening(session.get_bind().dialect.name):
        session.execute(text(statement))
