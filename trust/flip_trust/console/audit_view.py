"""The audit log, searched and cut into pages; the newest entry first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flip_sdk.contract.log_entries import dropped_in

from flip_trust.audit import Reader
from flip_trust.console.paging import ON_A_PAGE
from flip_trust.errors import ConsentError

LONGEST = 100
_FREQUENT = 5_000


@dataclass(frozen=True)
class Search:
    """What is looked for; empty is everything.

    Attributes:
        actor: who, or how their name begins: ``steward/``.
        event: what happened, or how its name begins: ``consent.``.
        subject: to what, or how its name begins: ``project/``.
        since: first day, as 2026-06-30.
        until: last day.
    """

    actor: str = ""
    event: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""

    def as_query(self) -> Mapping[str, str]:
        """For a page's address."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class AuditRow:
    """One entry."""

    sequence: int
    at: str
    actor: str
    event: str
    subject: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A page of entries.

    Attributes:
        rows: of this page.
        older: the entry before which the next page begins; 0 where this is the last.
    """

    rows: Sequence[AuditRow]
    older: int


def find(reader: Reader, search: Search, before: int = 0) -> Found:
    """Entries that fit, older than ``before``; a page of them.

    Raises:
        ConsentError: a day is none.
    """
    where, parameters = ["1"], list[Any]()
    for name in ("actor", "event", "subject"):
        if begins := getattr(search, name).strip()[:LONGEST]:
            ends = (begins, begins + "\U0010ffff")
            # what is rare is found by its index; for what is frequent the newest entries are looked through instead
            column = name if _is_rare(reader, name, ends) else f"+{name}"
            where.append(f"{column} >= ? AND {column} < ?")
            parameters += ends
    if search.since:
        where.append("at >= ?")
        parameters.append(_day(search.since).isoformat())
    if search.until:
        where.append("at < ?")
        parameters.append((_day(search.until) + timedelta(days=1)).isoformat())
    if before > 0:
        where.append("sequence < ?")
        parameters.append(before)
    sql = f"SELECT * FROM audit WHERE {' AND '.join(where)} ORDER BY sequence DESC LIMIT ?"  # noqa: S608
    rows = reader.read(sql, (*parameters, ON_A_PAGE + 1))
    found = [of_row(row) for row in rows[:ON_A_PAGE]]
    return Found(found, found[-1].sequence if len(rows) > ON_A_PAGE else 0)


def of_subject(reader: Reader, subject: str, most: int = 20) -> Sequence[AuditRow]:
    """What happened to something, the latest first."""
    rows = reader.read("SELECT * FROM audit WHERE subject = ? ORDER BY sequence DESC LIMIT ?", (subject, most))
    return [of_row(row) for row in rows]


def count(reader: Reader) -> int:
    """How many entries there are."""
    head = reader.read("SELECT sequence FROM audit_head")
    return int(head[0]["sequence"]) if head else 0


def _is_rare(reader: Reader, column: str, ends: tuple[str, str]) -> bool:
    sql = f"SELECT count(*) AS n FROM (SELECT 1 FROM audit WHERE {column} >= ? AND {column} < ? LIMIT ?)"  # noqa: S608
    return bool(reader.read(sql, (*ends, _FREQUENT))[0]["n"] < _FREQUENT)


def of_row(row: Mapping[str, Any]) -> AuditRow:
    """An entry as the database has it."""
    details, actor = json.loads(row["details"]), row["actor"]
    if gone := dropped_in(row["reduced"]):
        details["no longer kept, by retention"] = ", ".join(gone)
        actor = actor or "somebody whose name is no longer kept"
    return AuditRow(row["sequence"], row["at"], actor, row["event"], row["subject"], details)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConsentError(f"'{text[:20]}' is not a day.", "Write it as 2027-06-30.") from error
