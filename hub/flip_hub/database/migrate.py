"""Bringing a database to the tables that this version of the hub expects."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from flip_hub.database.engine import Database
from flip_hub.database.postgresql import check_before_migrating
from flip_hub.errors import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Run every migration that has not run yet. Safe to call from several processes at once.

    Raises:
        ConfigError: the database cannot hold the tables, or holds those of a newer version.
    """
    found = _version(database)
    if found == newest():
        return
    if found is not None and found > newest():
        mend = "Install the release that made it, or restore a backup from before."
        raise ConfigError(f"The database is of a newer version ({found}) than this program ({newest()}).", mend)
    with database.connect_for_migration() as connection:
        migrate(connection)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring tables forward to one revision, in the connection's transaction.

    Raises:
        ConfigError: the database cannot hold the tables.
    """
    # most commands find nothing to do, and would wait longer for these than for all else that they do
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        check_before_migrating(connection)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def newest() -> str:
    """The revision that this version of the hub expects: the migrations' files begin with theirs."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(database: Database) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found
