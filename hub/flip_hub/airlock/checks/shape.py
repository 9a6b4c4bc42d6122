"""What a table's shape tells: everybody in one category, single persons' values, measures without counts behind."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.counting import ALL, Counted, measures, spoken
from flip_hub.airlock.checks.rules import Check, FileRead, Rule, Subject, listed, many

ALL_IN_ONE = Rule(
    "table.all_in_one",
    "flag",
    "Everybody of a group is in one category ({many}): who is known to be of the group is known to be in it.",
    "Join groups or categories.",
)
EXTREME = Rule(
    "table.extreme",
    "flag",
    "Smallest and largest values, medians and percentiles are values of single persons: {names}.",
    "Give means, or percentiles of groups of persons rounded so that at least {threshold} share the value.",
)
NO_COUNTS = Rule(
    "table.no_counts_behind",
    "flag",
    "It tells measures ({names}) and not of how many persons.",
    "Add a column of counts, or name a file with them as underlying: it helps the checkers and does not leave.",
)
SMALL_BEHIND = Rule(
    "table.small_behind",
    "flag",
    "Measures rest on fewer than {threshold} persons: {many}.",
    "Leave these rows out, or join them with others.",
)
NO_COUNTS_IN = Rule(
    "table.underlying_has_no_counts",
    "flag",
    "The file named as underlying ({path}) holds no counts of persons.",
    "Name a table of counts with the same categories.",
)
ALL_OR_NONE = Rule(
    "table.all_or_none",
    "flag",
    "A share is 0 or 100 %, so it is known of everybody in the group: {many}.",
    "Join groups, or write “under …” and “over …”.",
)
_EXTREMES = re.compile(
    r"\b(?:min|minimum|max|maximum|median|range|iqr|percentile|p\d{1,2}|q[1-4]|lowest|highest|mode)\b"
)
_SHARES = re.compile(r"\b(?:percent|percentage|pct|proportion|share|rate|prevalence)\b|%")


def _groups(subject: Subject) -> Iterator[Finding]:
    grid = subject.grid
    cells = []
    for dimension in range(len(grid.names)):
        for group in grid.groups(dimension):
            parts = [item for name, item in group.items() if name != ALL]
            several = [item for item in parts if item.number]
            if len(parts) > 1 and len(several) == 1 and all(item.number is not None for item in parts):
                cells.append((several[0].row, several[0].column))
    if cells := sorted(set(cells)):
        yield ALL_IN_ONE.found(cells=cells, numbers={"groups": len(cells)}, many=many(len(cells), "group"))


def _shares(subject: Subject) -> Iterator[Finding]:
    table = subject.counted.table
    cells = []
    for column, name in enumerate(table.columns):
        marked = bool(_SHARES.search(spoken(name)))
        numbers = [cell.number for cell in table.column(column) if cell.number is not None]
        whole = 1.0 if numbers and max(numbers) <= 1 else 100.0
        for row, cell in enumerate(table.column(column)):
            if (marked or cell.percent) and cell.number in (0.0, 100.0 if cell.percent else whole):
                cells.append((row, column))
    if cells:
        yield ALL_OR_NONE.found(cells=cells, numbers={"cells": len(cells)}, many=many(len(cells), "cell"))


def _extremes(subject: Subject) -> Iterator[Finding]:
    table = subject.counted.table
    columns = [c for c in table.numeric if _EXTREMES.search(spoken(table.columns[c]))]
    rows = [r for r, row in enumerate(table.rows) if any(_EXTREMES.fullmatch(spoken(row[c])) for c in table.labels)]
    cells = [(row, column) for row in range(len(table.rows)) for column in columns]
    cells += [(row, column) for row in rows for column in table.numeric]
    if cells:
        names = [table.columns[c] for c in columns] + [" ".join(table.rows[r][c] for c in table.labels) for r in rows]
        yield EXTREME.found(cells=cells, names=listed(names), threshold=subject.limits.threshold)


def _measures(subject: Subject) -> Iterator[Finding]:
    counted = subject.counted
    table = counted.table
    told = [
        c
        for c in table.numeric
        if c not in counted.columns
        and (measures(table.columns[c]) or not all(cell.whole for cell in table.column(c) if cell.number is not None))
    ]
    if not told:
        return
    if subject.underlying is not None:
        yield from _behind(subject, subject.underlying, told)
    elif not counted.columns:
        names = [table.columns[c] for c in told]
        yield NO_COUNTS.found(cells=[(r, c) for r in range(len(table.rows)) for c in told], names=listed(names))


def _behind(subject: Subject, underlying: FileRead, told: list[int]) -> Iterator[Finding]:
    small = small_groups(subject, underlying)
    if small is None:
        yield NO_COUNTS_IN.found(path=underlying.path)
        return
    counted = subject.counted
    rows = [row for row in range(len(counted.table.rows)) if any(map(counted.group(row).items().__ge__, small))]
    cells = [(row, column) for row in (rows or ([0] if small else [])) for column in told]
    if cells:
        threshold = subject.limits.threshold
        yield SMALL_BEHIND.found(cells=cells, threshold=threshold, many=many(len(cells), "cell"))


def small_groups(subject: Subject, underlying: FileRead) -> list[ItemsView[str, str]] | None:
    """Groups of an underlying table that count too few persons, by their categories; None where it has no counts."""
    if underlying.table is None:
        return None
    counted = Counted.of(underlying.table, underlying.statement)
    if not counted.columns:
        return None
    shared = subject.counted.names if subject.file.table else None
    small = {row for row, _, number in counted.each() if number < subject.limits.threshold}
    groups = [counted.group(row) for row in sorted(small)]
    return [{name: c for name, c in group.items() if shared is None or name in shared}.items() for group in groups]


CHECKS = (
    Check("groups", frozenset({"table"}), _groups, "Groups of which everybody is in the same category."),
    Check("shares", frozenset({"table"}), _shares, "Shares of 0 or 100 %."),
    Check("extremes", frozenset({"table"}), _extremes, "Smallest and largest values, medians, percentiles."),
    Check("measures", frozenset({"table"}), _measures, "Rates, means and other measures without counts behind them."),
)
