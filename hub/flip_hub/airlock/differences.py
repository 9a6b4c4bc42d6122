"""What differs from what was released or reviewed before: tables cell by cell, texts by words."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Literal

from flip_sdk.contract.airlock import FileKind

from flip_hub.airlock.checks import Table
from flip_hub.airlock.checks.tables import TableError
from flip_hub.airlock.previews import table_of

MOST_ROWS = 100
MOST_WORDS = 8_000
AROUND = 12
"""Words that are shown around a change."""
Sort = Literal["same", "added", "removed", "gap"]
_WORDS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True)
class CellChange:
    """One cell, now and before; ``before`` is None where it did not change."""

    text: str
    before: str | None = None


@dataclass(frozen=True)
class RowChange:
    """A row that differs: ``changed``, ``added`` or ``removed``, counted from 1 in the table that has it."""

    sort: Literal["changed", "added", "removed"]
    number: int
    cells: tuple[CellChange, ...]


@dataclass(frozen=True)
class Span:
    """Words of a text, in order."""

    sort: Sort
    text: str


@dataclass(frozen=True)
class Difference:
    """How a file differs from an earlier one.

    Attributes:
        same: it is the same, byte for byte.
        summary: in a sentence.
        columns: of a table that is compared cell by cell.
        rows: those that differ, the first ones.
        spans: of a text, what changed and the words around.
    """

    same: bool
    summary: str
    columns: tuple[str, ...] = ()
    rows: tuple[RowChange, ...] = ()
    spans: tuple[Span, ...] = field(default=())


def difference(path: str, kind: FileKind | None, before: bytes, now: bytes) -> Difference:
    """How a file differs from an earlier one of the same name. Never raises.

    Args:
        path: its name says how it is read.
        kind: what the checks took it for.
        before: the earlier file.
        now: this one.
    """
    if before == now:
        return Difference(True, "It is the same, byte for byte.")
    try:
        if kind == "table":
            old, new = table_of(path, before), table_of(path, now)
            if old is not None and new is not None:
                return _tables(old, new)
        if kind in ("text", "table", "notebook"):
            return _texts(before.decode("utf-8-sig"), now.decode("utf-8-sig"))
    except (TableError, ValueError, RecursionError):
        return Difference(False, "The earlier file cannot be read as this one is, so they are not compared.")
    return Difference(False, f"Its bytes differ: {len(before):,} then, {len(now):,} now. Look at both.")


def _tables(old: Table, new: Table) -> Difference:
    if old.columns != new.columns:
        gone = [name for name in old.columns if name not in new.columns]
        come = [name for name in new.columns if name not in old.columns]
        return Difference(False, f"Its columns differ. New: {_named(come)}. Gone: {_named(gone)}.")
    rows = list(_rows(old, new))
    cells = sum(cell.before is not None for row in rows if row.sort == "changed" for cell in row.cells)
    added = sum(row.sort == "added" for row in rows)
    removed = sum(row.sort == "removed" for row in rows)
    summary = f"{_count(cells, 'cell')} changed, {_count(added, 'row')} added, {_count(removed, 'row')} removed."
    if len(rows) > MOST_ROWS:
        summary += f" The first {MOST_ROWS} rows are shown."
    return Difference(False, summary, old.columns, tuple(rows[:MOST_ROWS]))


def _rows(old: Table, new: Table) -> list[RowChange]:
    """Rows are the same where their words are (what a table is broken down by); else where they stand."""
    labels = _labels(old, new)
    before = {_key(row, labels, place): (place, row) for place, row in enumerate(old.rows)}
    after = {_key(row, labels, place): (place, row) for place, row in enumerate(new.rows)}
    found: list[RowChange] = []
    for key, (place, row) in after.items():
        if key not in before:
            found.append(RowChange("added", place + 1, tuple(map(CellChange, row))))
        elif before[key][1] != row:
            cells = zip(row, before[key][1], strict=True)
            changed = tuple(CellChange(now, then if now != then else None) for now, then in cells)
            found.append(RowChange("changed", place + 1, changed))
    for key, (place, row) in before.items():
        if key not in after:
            found.append(RowChange("removed", place + 1, tuple(map(CellChange, row))))
    return found


def _labels(old: Table, new: Table) -> tuple[int, ...]:
    """Columns of words that name each row of both tables; none where they do not."""
    labels = tuple(column for column in old.labels if column in new.labels)
    for table in (old, new):
        keys = [tuple(row[column] for column in labels) for row in table.rows]
        if not labels or len(set(keys)) != len(keys):
            return ()
    return labels


def _key(row: tuple[str, ...], labels: tuple[int, ...], place: int) -> tuple[str, ...] | int:
    return tuple(row[column] for column in labels) if labels else place


def _texts(old: str, new: str) -> Difference:
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(before), len(after)) > 2 * MOST_WORDS:
        before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(before), len(after)) > 2 * MOST_WORDS:
        return Difference(False, "It is too long to be compared here: save both and compare them.")
    spans: list[Span] = []
    counts = {"added": 0, "removed": 0}
    for what, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            spans += _around(before[i1:i2], first=i1 == 0, last=i2 == len(before))
            continue
        for sort, words in (("removed", before[i1:i2]), ("added", after[j1:j2])):
            if words:
                spans.append(Span("removed" if sort == "removed" else "added", "".join(words)))
                counts[sort] += sum(not word.isspace() for word in words)
    summary = f"{_count(counts['added'], 'word')} added, {_count(counts['removed'], 'word')} removed."
    return Difference(False, summary, spans=tuple(spans))


def _around(words: list[str], *, first: bool, last: bool) -> list[Span]:
    """Words that did not change, cut to those beside a change."""
    if len(words) <= 2 * AROUND + 2:
        return [Span("same", "".join(words))]
    head = [] if first else [Span("same", "".join(words[:AROUND]))]
    tail = [] if last else [Span("same", "".join(words[-AROUND:]))]
    return [*head, Span("gap", " … "), *tail]


def _named(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
