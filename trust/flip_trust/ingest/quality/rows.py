"""Checks that one row of a table passes or fails by itself, as expressions over the table's columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from flip_trust.ingest.quality.checks import Check

DAYS_AFTER_DEATH = 60
"""Bookings and results may follow a death for so long."""
BORN, DIED = "year_of_birth", "died"
"""Columns that ``after_birth`` and ``before_death`` need beside the table's own."""


def day(column: str) -> pl.Expr:
    """A column as a date."""
    return pl.col(column).cast(pl.Date, strict=False)


def _between(check: Check, today: date) -> pl.Expr:
    high = float(today.year) if check.high == "today" else float(check.high)
    return ~pl.col(check.column).cast(pl.Float64).is_between(float(check.low), high)


FAILS: dict[str, Callable[[Check, date], pl.Expr]] = {
    "present": lambda check, _: pl.col(check.column).is_null(),
    "mapped": lambda check, _: pl.col(check.column).fill_null(0) == 0,
    "between": _between,
    "ordered": lambda check, _: pl.col(check.column) > pl.col(check.other),
    "not_future": lambda check, today: day(check.column) > today,
    "after_birth": lambda check, _: day(check.column).dt.year() < pl.col(BORN),
    "before_death": lambda check, _: day(check.column) > pl.col(DIED) + timedelta(days=DAYS_AFTER_DEATH),
}
"""What a row that fails is like; where a value is missing it does not, but for ``present`` and ``mapped``."""
