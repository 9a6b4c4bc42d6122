"""Bringing a database to the tables that this version of the hub expects."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from flip_hub.database.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Run every migration that has not run yet. Safe to call from several processes at once."""
    with database.connect_for_migration() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
