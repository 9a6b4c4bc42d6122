"""What a ledger adds up to, without adding it up anew: it only ever grows, so what was added up before still holds.

A sum is kept under the ledger's first row and with its last one; both say when to the microsecond, and for which job.
It is used again only where both are still there as they were, so another database, or a row that was rolled back, is
told.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from flip_sdk.accounting.composition import Sum, alone, stored_event, sum_of

from flip_trust.audit import Reader

_MOST_KEPT = 256


@dataclass(frozen=True)
class Sums:
    """A ledger's sums.

    Attributes:
        stated: under the assumptions that jobs state.
        alone: if every other Trust worked with the hub.
    """

    stated: Sum
    alone: Sum


_NOTHING = Sums(Sum(), Sum())
_Row = tuple[Any, ...]
_kept: OrderedDict[_Row, tuple[_Row, Sums]] = OrderedDict()


def sums_of(reader: Reader, project_id: str | None = None) -> Sums:
    """What a project's ledger, or without one the whole data set's, adds up to."""
    where, of_project = ("project_id = ?", (project_id,)) if project_id is not None else ("1", ())
    ends = [_end(reader, where, of_project, direction) for direction in ("ASC", "DESC")]
    if not ends[0]:
        return _NOTHING
    key = (project_id, *ends[0])
    until, before = _kept.get(key, ((0,), _NOTHING))
    if until[0] and _end(reader, f"{where} AND sequence = {until[0]:d}", of_project, "ASC") != until:
        until, before = (0,), _NOTHING
    if until == ends[1]:
        return before
    after = _plus(before, reader, f"{where} AND sequence > {until[0]:d}", of_project)
    _kept[key] = (ends[1], after)
    _kept.move_to_end(key)
    if len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
    return after


def _end(reader: Reader, where: str, parameters: _Row, direction: str) -> _Row:
    query = (
        f"SELECT sequence, at, job_id, purpose, event FROM ledger WHERE {where} ORDER BY sequence {direction} LIMIT 1"  # noqa: S608
    )
    return tuple(value for row in reader.read(query, parameters) for value in row.values())


def _plus(before: Sums, reader: Reader, where: str, parameters: _Row) -> Sums:
    rows = reader.read(f"SELECT event, count(*) AS times FROM ledger WHERE {where} GROUP BY event", parameters)  # noqa: S608
    events = {stored_event(row["event"]): int(row["times"]) for row in rows}
    return Sums(before.stated + sum_of(events), before.alone + sum_of(alone(events)))
