"""A database's rows as lines of JSON, and back: the same for SQLite and PostgreSQL, so that one can follow the other.

A table is a line of its columns' names and then a line for each row. Moments are ISO 8601 in UTC, bytes base64, and
what a column holds as JSON stays the text that it was. The tables' form is not here: their revision says it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import JSON, Column, Connection, DateTime, LargeBinary, MetaData, Table, Text, cast, func, select

REVISION = "alembic_version"
_PAGE = 2000


def tables_of(connection: Connection) -> list[Table]:
    """Every table as it is in the database, those first that others refer to."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != REVISION]


def count(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def lines_of(connection: Connection, table: Table) -> Iterator[bytes]:
    """A table's names and rows."""
    yield _line([column.name for column in table.columns])
    chosen = select(*(cast(c, Text) if isinstance(c.type, JSON) else c for c in table.columns))
    for row in connection.execute(chosen, execution_options={"yield_per": _PAGE}):
        yield _line([_plain(value) for value in row])


def put(connection: Connection, table: Table, lines: Iterable[bytes]) -> int:
    """Put rows into an empty table.

    Returns:
        How many.

    Raises:
        ValueError: the lines are not such a table's.
    """
    found = iter(lines)
    names = json.loads(next(found))
    if set(names) != set(table.columns.keys()):
        raise ValueError(f"{table.name} has other columns")
    columns = [table.columns[name] for name in names]
    rows = (_row(line, columns, connection.dialect.name) for line in found)
    into = _copy if connection.dialect.name == "postgresql" else _insert
    return into(connection, table, columns, rows)


def _line(values: Sequence[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    return value


def _row(line: bytes, columns: Sequence[Column[Any]], dialect: str) -> list[Any]:
    values = json.loads(line)
    if not isinstance(values, list) or len(values) != len(columns):
        raise ValueError("a row has not as many values as its table has columns")
    return [None if v is None else _kept(v, c, dialect) for v, c in zip(values, columns, strict=True)]


def _kept(value: Any, column: Column[Any], dialect: str) -> Any:
    match column.type:
        case LargeBinary():
            return base64.b64decode(value)
        case DateTime() if dialect == "sqlite":
            return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value


def _insert(connection: Connection, table: Table, columns: Sequence[Column[Any]], rows: Iterator[list[Any]]) -> int:
    # a row may refer to a later one of its own table
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    quote = connection.dialect.identifier_preparer.quote
    names, marks = ", ".join(quote(c.name) for c in columns), ", ".join("?" * len(columns))
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 - reflected names, quoted
    done = 0
    while page := [tuple(row) for row in islice(rows, _PAGE)]:
        connection.exec_driver_sql(statement, page)
        done += len(page)
    return done


def _copy(connection: Connection, table: Table, columns: Sequence[Column[Any]], rows: Iterator[list[Any]]) -> int:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(c.name) for c in columns)
    driver: Any = connection.connection.driver_connection
    done = 0
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                done += 1
        for column in columns:
            if column.autoincrement is True or column is table.autoincrement_column:
                # the next row of its own number follows the last one that was put in
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence(%s, %s), max({quote(column.name)})) "  # noqa: S608
                    f"FROM {quote(table.name)} HAVING count(*) > 0",
                    (quote(table.name), column.name),
                )
    return done
