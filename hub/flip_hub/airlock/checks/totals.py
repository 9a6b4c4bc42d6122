"""Cells that are kept back, and given back by totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.grid import Equation, Grid, Item
from flip_hub.airlock.checks.rules import Check, Rule, Subject, many

RECOVERABLE = Rule(
    "table.recoverable",
    "flag",
    "{many} kept back can be reckoned from totals that are told.",
    "Keep back a second cell in the same row and column, or leave the totals out.",
)
SMALL_REMAINDER = Rule(
    "table.small_remainder",
    "flag",
    "Together, cells that are kept back count fewer than {threshold} persons, as a total tells: {many}.",
    "Keep back a larger cell as well, or leave the total out.",
)
TOTAL_DIFFERS = Rule(
    "table.total_differs",
    "flag",
    "A total is not the sum of its parts, and fewer than {threshold} persons are between them: {many}.",
    "Reckon totals from the counts that are told, or say in the context who is in no category.",
)
MOST_UNKNOWN = 400
_SURE = 1e-7


def _totals(subject: Subject) -> Iterator[Finding]:
    grid = subject.grid
    equations = list(grid.equations())
    if rounded(grid, subject.limits.round_to):
        return
    found = recoverable(equations)
    if found:
        cells = [(item.row, item.column) for item in found]
        yield RECOVERABLE.found(cells=cells, numbers={"cells": len(cells)}, many=many(len(cells), "cell"))
    small = [item for equation in equations for item in _remainder(equation, subject.limits.threshold)]
    cells = sorted({(item.row, item.column) for item in small} - {(item.row, item.column) for item in found})
    if cells:
        threshold = subject.limits.threshold
        numbers = {"cells": len(cells), "threshold": threshold}
        yield SMALL_REMAINDER.found(cells=cells, numbers=numbers, threshold=threshold, many=many(len(cells), "cell"))


def _unequal(subject: Subject) -> Iterator[Finding]:
    grid, threshold = subject.grid, subject.limits.threshold
    if rounded(grid, subject.limits.round_to):
        return
    cells = [
        (equation.total.row, equation.total.column)
        for equation in grid.equations()
        if not _unknown(equation) and 1 <= abs(_rest(equation)) < threshold
    ]
    if cells:
        yield TOTAL_DIFFERS.found(cells=cells, threshold=threshold, many=many(len(cells), "total"))


def rounded(grid: Grid, base: int) -> bool:
    """Whether every count is a multiple of the base, so that differences of counts say little."""
    return base > 1 and all(item.number is None or item.number % base == 0 for item in grid.items.values())


def recoverable(equations: Sequence[Equation]) -> list[Item]:
    """Counts that are kept back and that totals determine: one alone is unknown, or several equations fix it."""
    unknown = list(dict.fromkeys(i for e in equations for i in (e.total, *e.parts) if i.number is None))
    if not unknown or len(unknown) > MOST_UNKNOWN:
        return [i for e in equations if len(k := _unknown(e)) == 1 for i in k]
    places = {item: place for place, item in enumerate(unknown)}
    matrix = np.zeros((len(equations), len(unknown)))
    for row, equation in enumerate(equations):
        for item in _unknown(equation):
            matrix[row, places[item]] = -1.0 if item == equation.total else 1.0
    _, sizes, directions = np.linalg.svd(matrix, full_matrices=True)
    free = directions[int((sizes > _SURE).sum()) :]
    return [item for item, place in places.items() if np.abs(free[:, place]).sum() < _SURE]


def _unknown(equation: Equation) -> list[Item]:
    return [item for item in (equation.total, *equation.parts) if item.number is None]


def _remainder(equation: Equation, threshold: int) -> list[Item]:
    unknown = [item for item in equation.parts if item.number is None]
    if equation.total.number is None or len(unknown) < 2:
        return []
    return unknown if _rest(equation) < threshold else []


def _rest(equation: Equation) -> float:
    return (equation.total.number or 0.0) - sum(item.number or 0.0 for item in equation.parts)


CHECKS = (
    Check(
        "totals",
        frozenset({"table"}),
        _totals,
        "Cells that are kept back and that totals give back: by one subtraction, by several equations together, or as "
        "a small number of persons in a few cells.",
    ),
    Check(
        "sums",
        frozenset({"table"}),
        _unequal,
        "Totals that count a few persons more or less than their parts.",
    ),
)
