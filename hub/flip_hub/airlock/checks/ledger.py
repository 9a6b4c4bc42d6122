"""The release ledger: a table beside everything that was released, and beside the others of its request.

Two tables that are harmless alone tell of one person when they differ by one. So counts of the same categories are
compared, cell by cell and in every sum over a dimension, and ranges whose edges differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product

from flip_sdk.contract.airlock import Finding, OutputStatement
from flip_sdk.contract.records import Digest

from flip_hub.airlock.checks.bands import close_edges
from flip_hub.airlock.checks.counting import ALL, Counted
from flip_hub.airlock.checks.grid import ACROSS, Grid, Item, Key, Sum
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed
from flip_hub.airlock.checks.tables import Table
from flip_hub.airlock.checks.totals import rounded

DIFFERS = Rule(
    "release.differs_by_few",
    "flag",
    "It counts fewer than {threshold} persons more or less than {which} ({where}): subtracted from each other, the two "
    "tables tell of those few.",
    "Make the two tables of the same persons, round both, or keep back the counts that differ.",
)
DIFFERS_ROUNDED = Rule(
    "release.differs_rounded",
    "note",
    "It counts a few persons more or less than {which} ({where}). Both are rounded, so that it is not known how many.",
)
EDGES = Rule(
    "release.close_edges",
    "flag",
    "Its ranges have other edges than {which}, and fewer than {threshold} persons are between them ({where}).",
    "Use the same ranges as before.",
)
MOST_DIMENSIONS = 5
MOST_FINDINGS = 20


@dataclass(frozen=True)
class _Beside:
    """A table to compare with.

    Attributes:
        near: whether it is of the same project, so that totals alone are compared too.
    """

    content: Digest
    title: str
    which: str
    grid: Grid
    near: bool


@dataclass(frozen=True)
class _Difference:
    key: Key
    number: float
    items: tuple[Item, ...]


def _ledger(subject: Subject) -> Iterator[Finding]:
    if subject.file.table is None:
        return
    grid = subject.grid
    if not grid.items:
        return
    base = subject.limits.round_to
    found = []
    for other in _others(subject):
        rule = DIFFERS_ROUNDED if rounded(grid, base) and rounded(other.grid, base) else DIFFERS
        found += [*_most(subject, grid, other, rule), *_edges(subject, grid, other)]
    yield from sorted(found, key=lambda finding: -len(finding.cells))[:MOST_FINDINGS]


def _most(subject: Subject, grid: Grid, other: _Beside, rule: Rule) -> list[Finding]:
    """What differs, in that reading of the two tables in which most does."""
    pairs = product(grid.readings, other.grid.readings)
    found = [f for mine, theirs in pairs for f in _compared(subject, mine, replace(other, grid=theirs), rule)]
    return sorted(found, key=lambda finding: -len(finding.cells))[:1]


def _others(subject: Subject) -> Iterator[_Beside]:
    own = subject.statement.content
    for file in subject.others.values():
        if file.table is not None and file.statement.leaves and file.statement.content != own:
            which = f"“{file.statement.title}” ({file.path}) of this request"
            yield _Beside(file.statement.content, file.statement.title, which, _grid(file.table, file.statement), True)
    for earlier in subject.past.released:
        if earlier.content != own:
            near = earlier.project == subject.past.project
            path, whose = (f" ({earlier.statement.path})", "this project") if near else ("", "another project")
            which = f"“{earlier.statement.title}”{path}, which {whose} released"
            yield _Beside(earlier.content, earlier.statement.title, which, earlier.grid, near)


def _grid(table: Table, statement: OutputStatement) -> Grid:
    return Grid.of(Counted.of(table, statement))


def _compared(subject: Subject, grid: Grid, other: _Beside, rule: Rule) -> Iterator[Finding]:
    threshold = subject.limits.threshold
    grid, other = grid.named_like(other.grid), replace(other, grid=other.grid.named_like(grid))
    differences = [d for kept in _kept(grid, other) for d in differing(grid, other.grid, kept, threshold)]
    if differences:
        cells = {(item.row, item.column) for d in differences for item in d.items}
        where = listed(list(dict.fromkeys(" / ".join(d.key) or "all together" for d in differences)), 4)
        least = min(abs(d.number) for d in differences)
        yield rule.found(
            cells=cells,
            numbers={"counts": len(differences), "least": least, "threshold": threshold},
            beside=other.content,
            which=other.which,
            threshold=threshold,
            where=where,
        )


def _kept(grid: Grid, other: _Beside) -> Iterator[frozenset[str]]:
    """Sets of dimensions by which both tables can be summed, the finest first."""
    common = sorted(grid.variables & other.grid.variables)[:MOST_DIMENSIONS]
    several = {ACROSS} if ACROSS in grid.names and ACROSS in other.grid.names else set()
    for size in range(len(common), -1, -1):
        for kept in combinations(common, size):
            if kept or other.near or grid.variables == other.grid.variables:
                yield frozenset(kept)
                if several:
                    yield frozenset({*kept, ACROSS})


def differing(grid: Grid, other: Grid, kept: frozenset[str], threshold: int) -> list[_Difference]:
    """Sums by the same categories that differ by 1 to threshold - 1.

    A sum that lacks what is kept back is compared with a whole one: their difference is what was kept back. Two that
    both lack something are not.
    """
    mine, theirs = grid.margin(kept), other.margin(kept)
    return [
        _Difference(key, one.known - another.known, one.items)
        for key in mine.keys() & theirs.keys()
        for one, another in product(mine[key], theirs[key])
        if not (one.kept_back and another.kept_back) and 1 <= abs(one.known - another.known) < threshold
    ]


def _edges(subject: Subject, grid: Grid, other: _Beside) -> Iterator[Finding]:
    threshold = subject.limits.threshold
    for name in sorted(grid.variables & other.grid.variables):
        mine, theirs = (_whole(g.margin(frozenset({name}))) for g in (grid, other.grid))
        if mine.keys() == theirs.keys():
            continue
        if close := list(close_edges(mine, theirs, threshold)):
            where = listed([f"{name} {edge:g} and {there:g}" for edge, there, _ in close], 4)
            numbers = {"least": min(number for _, _, number in close), "threshold": threshold}
            yield EDGES.found(
                numbers=numbers, beside=other.content, which=other.which, threshold=threshold, where=where
            )


def _whole(margin: dict[Key, tuple[Sum, ...]]) -> dict[str, float]:
    return {key[0]: sums[0].known for key, sums in margin.items() if key[0] != ALL and not sums[0].kept_back}


CHECKS = (
    Check(
        "release ledger",
        frozenset({"table"}),
        _ledger,
        "Counts that differ by a few persons from an earlier release of this project or of another one on the same "
        "data, or from another table of the request: cell by cell, in every sum over a dimension, and between ranges "
        "whose edges differ.",
    ),
)
