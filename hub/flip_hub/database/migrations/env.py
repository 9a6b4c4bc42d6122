"""Alembic's environment: runs on the connection that ``flip_hub.database.migrate`` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from flip_hub.database.base import Base
from flip_hub.database.columns import RecordText, UtcDateTime


def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Migrations stand alone: our own column types are written as the ones they are built on."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, RecordText):
        return "sa.Text()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
