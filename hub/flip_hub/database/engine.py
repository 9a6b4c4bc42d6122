"""Opening the database: short transactions, readers that never block, and writes that cannot skip the audit chain."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database.chain import Entry, Routine, append
from flip_hub.database.postgresql import address, connecting, take_turn

BUSY_MILLISECONDS = 20_000
CACHE_KIBIBYTES = 8_192
"""Of each connection to SQLite."""
_WRITES = "flip_writes"
_FURTHER = "flip_further_entries"
_WORKED_OUT = "flip_worked_out"

T = TypeVar("T")


class Database:
    """The hub's database, shared by several processes.

    Attributes:
        engine: SQLAlchemy's engine.
    """

    def __init__(self, url: str, password: str = "") -> None:
        where = address(url, password)
        # what is written is of people: an error's text does not repeat it
        self.engine = create_engine(where, hide_parameters=True, **connecting(where))
        self._reads: Engine = self.engine
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "begin", _begin_postgresql)
            self._reads = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writes: Engine = self.engine.execution_options(**{_WRITES: True})

    @classmethod
    def of(cls, config: HubConfig) -> Database:
        """The database of a hub.

        Raises:
            ConfigError: its address is wrong, or its password cannot be read.
        """
        return cls(config.database, config.database_password())

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of the hub's own."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view, which waits for no writer. Nothing written in it is kept."""
        with Session(self._reads, expire_on_commit=False, info={_WORKED_OUT: {}}) as session:
            yield session

    @contextmanager
    def write(self, entry: Entry | Routine) -> Iterator[Session]:
        """A transaction that commits together with its audit entry, or not at all.

        ``entry.details`` may be completed inside the block: it is hashed just before the commit.

        Args:
            entry: what is recorded; or a :class:`Routine`, which says why nothing has to be.
        """
        with Session(self._writes, expire_on_commit=False) as session, session.begin():
            yield session
            session.flush()
            if isinstance(entry, Entry):
                append(session, entry)
            for further in session.info.pop(_FURTHER, []):
                append(session, further)

    @contextmanager
    def connect_for_migration(self) -> Iterator[Connection]:
        """One connection inside a writing transaction: two processes never migrate at once."""
        with self._writes.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def also(session: Session, entry: Entry) -> None:
    """Record a further entry with the transaction, after its own."""
    session.info.setdefault(_FURTHER, []).append(entry)


def once(session: Session, key: Hashable, make: Callable[[], T]) -> T:
    """What this transaction has worked out already: where it only reads, its view stays what it was.

    Args:
        session: a transaction; one that writes works it out anew each time.
        key: what is worked out, and of what.
        make: works it out.
    """
    found: dict[Hashable, T] | None = session.info.get(_WORKED_OUT)
    if found is None:
        return make()
    if key not in found:
        found[key] = make()
    return found[key]


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # sqlite3's own implicit BEGIN would start deferred transactions that fail when they turn into writes
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    _keep_journal_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    cursor.close()


def _keep_journal_ahead(cursor: Any) -> None:
    # of several programs that open a new file at once, SQLite refuses one at once, whatever its busy_timeout is
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES, False):
        take_turn(connection)
