"""Column types that hold the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from flip_sdk.contract.records import Record
from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept in UTC. SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RecordText(TypeDecorator[Record]):
    """A contract record as canonical JSON, validated again on reading."""

    impl = Text
    cache_ok = True

    def __init__(self, parse: Callable[[str], Record]) -> None:
        self.parse = parse
        super().__init__()

    def process_bind_param(self, value: Record | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Canonical JSON."""
        return None if value is None else value.canonical().decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Record | None:  # noqa: ARG002
        """The record."""
        return None if value is None else self.parse(value)
