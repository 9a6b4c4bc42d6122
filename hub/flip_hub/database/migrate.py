"""Bringing a database to the tables that this version of the hub expects."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from flip_hub.database.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Run every migration that has not run yet. Safe to call from several processes at once."""
    if _version(database) == newest():
        return
    # most commands find nothing to do, and would wait longer for these than for all else that they do
    from alembic import command
    from alembic.config import Config

    with database.connect_for_migration() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest() -> str:
    """The revision that this version of the hub expects: the migrations' files begin with theirs."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(database: Database) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found
