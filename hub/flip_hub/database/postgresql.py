"""What PostgreSQL needs and SQLite does not: how it is dialled, and what must hold before tables are made in it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, make_url

from flip_hub.errors import ConfigError

DRIVER = "postgresql+psycopg"
OLDEST = 14
LOCK_MILLISECONDS = 20_000
IDLE_MILLISECONDS = 120_000
"""A writer that neither writes nor commits for this long has hung: its transaction is undone, the others go on."""

WRITERS = 0x464C4950
"""Key of the advisory lock that writers take in turn."""

_CONNECT: dict[str, Any] = {
    "connect_timeout": 10,
    "application_name": "flip-hub",
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "options": f"-c lock_timeout={LOCK_MILLISECONDS} -c timezone=UTC",
}
_GRANTS = "Let the database's owner run: GRANT CREATE, USAGE ON SCHEMA public TO … (or make the hub its owner)."


def address(url: str, password: str = "") -> URL:
    """An address as SQLAlchemy takes it: ``postgresql://`` means psycopg 3.

    Raises:
        ConfigError: not an address, or that of another kind of database.
    """
    mend = "Correct database_url: postgresql://name@host/database, or leave it empty for SQLite."
    try:
        found = make_url(url)
    except Exception as error:  # SQLAlchemy's own, or whatever int() says of a port; neither is repeated
        raise ConfigError("The database's address cannot be read.", mend) from error
    if found.drivername in {"postgresql", "postgres", DRIVER}:
        found = found.set(drivername=DRIVER)
        return found.set(password=password) if password else found
    if found.get_backend_name() != "sqlite":
        raise ConfigError(f"The hub does not know databases of the kind {found.drivername}.", mend)
    return found


def connecting(url: URL) -> dict[str, Any]:
    """How an engine dials: a connection that the database closed meanwhile is noticed before it is used."""
    if url.drivername != DRIVER:
        return {}
    return {"pool_pre_ping": True, "connect_args": {name: v for name, v in _CONNECT.items() if name not in url.query}}


def take_turn(connection: Connection) -> None:
    """One writer at a time, as on SQLite: what was checked in a transaction holds until its commit."""
    connection.exec_driver_sql(
        f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE_MILLISECONDS}', true), "
        f"pg_advisory_xact_lock({WRITERS})"
    )


def check_before_migrating(connection: Connection) -> None:
    """What must hold before tables are made.

    Raises:
        ConfigError: the database is too old, cannot hold all letters, or does not let the hub make tables.
    """
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if version < OLDEST * 10_000:
        raise ConfigError(f"PostgreSQL is of version {version // 10_000}.", f"Use version {OLDEST} or a newer one.")
    if (encoding := connection.exec_driver_sql("SHOW server_encoding").scalar_one()) != "UTF8":
        mend = "Make the database with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        raise ConfigError(f"The database keeps its text as {encoding}.", mend)
    allowed = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
    if not connection.exec_driver_sql(allowed).scalar_one():
        raise ConfigError("The hub's role may not make tables in this database.", _GRANTS)
