"""Spending over time, and how long a budget lasts: by the ledger's own arithmetic, never by a straight line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.composition import Sum, epsilon_of_sum, stored_event, sum_of, within

from flip_trust.audit import Reader

POINTS = 40
WINDOW = timedelta(days=30)
_LEAST_AGE, _FEWEST = timedelta(days=14), 5
_LONGEST = 120
_ENDS = "SELECT min(at) AS first, max(at) AS last, count(*) AS n, max(sequence) AS sequence FROM ledger WHERE {}"


@dataclass(frozen=True)
class Point:
    """What had been spent at a moment."""

    at: datetime
    epsilon: float


@dataclass(frozen=True)
class Forecast:
    """How long a budget lasts if the last month repeats itself.

    Attributes:
        kind: ``young`` (too little happened to say), ``idle`` (nothing in the last month), ``long`` (ten years or
            more), ``until`` or ``used`` (nothing is left for another such job).
        until: the month in which it would be used up.
    """

    kind: str
    until: datetime | None = None


def series(reader: Reader, delta: float, now: datetime, project_id: str | None = None) -> list[Point]:
    """How spending grew, at up to :data:`POINTS` moments from the first debit to now; empty where there is none."""
    where, parameters = _of(project_id)
    ends = reader.read(_ENDS.format(where), parameters)[0]
    if not ends["n"]:
        return []
    first, last = datetime.fromisoformat(ends["first"]), datetime.fromisoformat(ends["last"])
    step = max((last - first) / (POINTS - 1), timedelta(microseconds=1))
    grain = f"event, substr(at, 1, {_grain(step)})"
    sql = f"SELECT event, min(at) AS at, count(*) AS times FROM ledger WHERE {where} GROUP BY {grain} ORDER BY min(at)"  # noqa: S608
    rows = reader.read(sql, parameters)
    total, points, at = Sum(), list[Point](), 0
    for number in range(POINTS):
        until = last if number == POINTS - 1 else first + number * step
        events: Counter[str] = Counter()
        while at < len(rows) and datetime.fromisoformat(rows[at]["at"]) <= until:
            events[rows[at]["event"]] += rows[at]["times"]
            at += 1
        if events:
            total = total + _sum_of(events)
            points.append(Point(until, _epsilon(total, delta)))
    return [*points, Point(max(now, last), points[-1].epsilon)]


def forecast(reader: Reader, cap: Cap, now: datetime, project_id: str | None = None) -> Forecast:
    """How long a budget lasts if what was debited in the last thirty days is debited every thirty days again."""
    where, parameters = _of(project_id)
    ends = reader.read(_ENDS.format(where), parameters)[0]
    if ends["n"] < _FEWEST or now - datetime.fromisoformat(ends["first"]) < _LEAST_AGE:
        return Forecast("young")
    since = (now - WINDOW).isoformat()
    so_far, month = _total(reader, where, parameters), _total(reader, f"{where} AND at >= ?", (*parameters, since))
    if month == Sum():
        return Forecast("idle")
    months, total = 0, so_far
    while within(total + month, cap.epsilon, cap.delta):
        total, months = total + month, months + 1
        if months >= _LONGEST:
            return Forecast("long")
    return Forecast("until", now + (months + 1) * WINDOW) if months else Forecast("used")


def _total(reader: Reader, where: str, parameters: tuple[str, ...]) -> Sum:
    rows = reader.read(f"SELECT event, count(*) AS times FROM ledger WHERE {where} GROUP BY event", parameters)  # noqa: S608
    return _sum_of(Counter({row["event"]: row["times"] for row in rows}))


def _sum_of(events: Counter[str]) -> Sum:
    return sum_of({stored_event(event): times for event, times in events.items()})


def _of(project_id: str | None) -> tuple[str, tuple[str, ...]]:
    return ("project_id = ?", (project_id,)) if project_id is not None else ("1", ())


def _grain(step: timedelta) -> int:
    """How much of a moment in ISO 8601 tells moments of the picture apart: days, hours, or everything."""
    if step >= timedelta(days=10):
        return len("2026-01-01")
    return len("2026-01-01T00") if step >= timedelta(hours=10) else len("2026-01-01T00:00:00.000000")


@lru_cache(maxsize=2048)
def _epsilon(total: Sum, delta: float) -> float:
    return epsilon_of_sum(total, delta)
