"""The Trust's one database: SQLite, every commit on the disk before it counts (``synchronous=FULL``).

A write cannot be made without an audit entry: :meth:`Transaction.write` takes one, and both are in one transaction.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from flip_sdk.contract.log_entries import to_row

from flip_trust.audit import Entry, next_entry
from flip_trust.errors import LedgerUnavailableError, SetupError
from flip_trust.schema import STEPS

SCHEMA_VERSION = len(STEPS)
BUSY_MILLISECONDS = 10_000
Statement = tuple[str, tuple[Any, ...]]


class Transaction:
    """What may be read and written between begin and commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows as dictionaries, as this transaction sees them."""
        return [dict(row) for row in self._connection.execute(sql, parameters)]

    def write(self, entry: Entry, *statements: Statement) -> None:
        """Record an audit entry together with the statements that it is about (a refusal has none)."""
        for sql, parameters in statements:
            self._connection.execute(sql, parameters)
        head = self.read("SELECT sequence, hash FROM audit_head")
        row = to_row(next_entry(entry, (head[0]["sequence"], head[0]["hash"]) if head else None))
        names = ", ".join(row)
        self._connection.execute(f"INSERT INTO audit ({names}) VALUES (:{', :'.join(row)})", row)  # noqa: S608 - columns
        self._connection.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?)", (row["sequence"], row["hash"]))


class Database:
    """One connection, shared by this process's threads in turn. Other processes (the CLI) open their own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Self:
        """Open a Trust's database.

        Raises:
            SetupError: there is none and none is to be made, or it is another version's, or it cannot be opened.
        """
        if not create and not path.exists():
            raise SetupError(f"There is no database at {path}.", "Make the Trust's home with: flip-trust init --home …")
        try:
            if create:
                path.touch(mode=0o600)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            # a key that is deleted with its job is overwritten, not just unlisted
            connection.execute("PRAGMA secure_delete = ON")
            database = cls(connection)
            database._migrate()
        except (sqlite3.Error, OSError) as error:
            raise SetupError(
                f"The database {path} cannot be opened ({type(error).__name__}).",
                "Check the disk's free space and the file's owner.",
            ) from error
        return database

    def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows as dictionaries.

        Raises:
            LedgerUnavailableError: the database cannot be read.
        """
        with self._lock:
            try:
                return [dict(row) for row in self._connection.execute(sql, parameters)]
            except sqlite3.Error as error:
                raise LedgerUnavailableError from error

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything inside becomes durable together, or not at all.

        Raises:
            LedgerUnavailableError: it cannot be made durable; nothing was written.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield Transaction(self._connection)
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise LedgerUnavailableError from error

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise SetupError(
                f"The database is of version {version}, this program knows {SCHEMA_VERSION}.",
                "Install the flip-trust release that made it.",
            )
        for number, step in enumerate(STEPS[version:], start=version + 1):
            self._connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
