"""Filling an empty database out of a backup: in one transaction, which ends only when all of it is verified."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from flip_sdk.archives import Archive, BrokenArchiveError
from flip_sdk.archives.shown import Told
from sqlalchemy import Connection, delete, inspect
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from flip_hub import audit
from flip_hub.backup import rows
from flip_hub.backup.places import TABLES
from flip_hub.database import Database, Entry
from flip_hub.database.migrate import migrate
from flip_hub.errors import AuditError, ConflictError

_MEND = "Take another backup."


def fill(archive: Archive, database: Database, entry: Entry, told: Told) -> tuple[int, int]:
    """Make the tables that the backup had, put its rows in, verify the audit log, and bring all of it forward.

    Returns:
        How many entries the audit log has, and how many rows there are.

    Raises:
        ConflictError: the database is not empty.
        BrokenArchiveError: the backup does not hold what such a database has, or its audit log is broken.
    """
    facts = archive.manifest.facts
    with database.connect_for_migration() as connection:
        if inspect(connection).get_table_names():
            mend = "Make a new database and name it with --database-url; the old one stays as it is."
            raise ConflictError("The database is not empty.", mend)
        migrate(connection, str(facts["revision"]))
        total = _rows(archive, connection, told)
        with Session(bind=connection, join_transaction_mode="rollback_only") as session:
            entries = _verified(session, facts["head"])
        migrate(connection)
        with Session(bind=connection, join_transaction_mode="rollback_only") as session:
            audit.append(session, entry)
            session.flush()
            session.commit()
    return entries, total


def write_setting(path: Path, name: str, value: str) -> None:
    """Change one line of the settings, or add it."""
    text, line = path.read_text(encoding="utf-8"), f"{name} = {json.dumps(value)}"
    changed, found = re.subn(rf"(?m)^\s*{name}\s*=.*$", lambda _: line, text)
    path.write_text(changed if found else f"{line}\n{text}", encoding="utf-8")


def _rows(archive: Archive, connection: Connection, told: Told) -> int:
    tables = rows.tables_of(connection)
    if {f"{TABLES}{table.name}.jsonl" for table in tables} != {member.name for member in archive.members(TABLES)}:
        raise BrokenArchiveError("The backup holds other tables than its version has.", _MEND)
    # a migration may have written rows of its own; they are in the backup too
    for table in reversed(tables):
        connection.execute(delete(table))
    done, of = 0, int(archive.manifest.facts["rows"])
    for table in tables:
        try:
            done += rows.put(connection, table, _lines(archive, f"{TABLES}{table.name}.jsonl"))
        except (ValueError, StopIteration, IntegrityError, DataError) as error:
            raise BrokenArchiveError(f"The backup's table {table.name} cannot be read.", _MEND) from error
        told("rows", done, of)
    if done != of:
        raise BrokenArchiveError("The backup holds fewer rows than it says.", _MEND)
    return done


def _lines(archive: Archive, name: str) -> Iterator[bytes]:
    rest = b""
    for piece in archive.pieces(name):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _verified(session: Session, head: dict[str, object]) -> int:
    try:
        count, last = audit.verify(session)
    except AuditError as error:
        raise BrokenArchiveError(f"The backup's audit log is broken: {error}.", "Take an earlier backup.") from error
    if (count, last) != (head["sequence"], head["hash"]):
        raise BrokenArchiveError("The backup's audit log ends elsewhere than its manifest says.", _MEND)
    return count
