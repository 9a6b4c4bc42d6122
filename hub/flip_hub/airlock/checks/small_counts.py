"""Small and unrounded numbers of persons."""

from __future__ import annotations

from collections.abc import Iterator

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed, many

SMALL = Rule(
    "table.small_count",
    "flag",
    "Fewer than {threshold} persons are counted in {many}{zeros}. Who knows one of them might learn more of them.",
    "Suppress these cells (write *), join categories or leave the row out; where a total would give one back, suppress "
    "a second one.",
)
UNROUNDED = Rule(
    "table.unrounded",
    "flag",
    "{many} not rounded to {base}. Exact counts let two tables be subtracted from each other.",
    "Round every count to the nearest {base}, totals too, and take percentages and totals from the rounded ones.",
)
UNKNOWN = Rule(
    "table.unknown_column",
    "flag",
    "The statement names columns that the table does not have: {names}.",
    "Correct the statement's counts and variables.",
)
LEFT_OUT = Rule(
    "table.not_counted",
    "note",
    "Whole numbers under {threshold} in {names} were not checked: the statement says that these are no numbers of "
    "persons.",
)
ODD_COUNTS = Rule(
    "table.odd_counts",
    "flag",
    "Cells in the columns of counts are neither numbers nor kept back: {names}.",
    "Say in the statement which columns hold counts.",
)


def _small(subject: Subject) -> Iterator[Finding]:
    counted, limits = subject.counted, subject.limits
    if counted.unknown:
        yield UNKNOWN.found(names=listed(counted.unknown))
    lowest = 0 if limits.zeros_are_small else 1
    cells = [(row, column) for row, column, number in counted.each() if lowest <= number < limits.threshold]
    if cells:
        least = min(counted.table.cells[row][column].number or 0.0 for row, column in cells)
        yield SMALL.found(
            cells=cells,
            numbers={"cells": len(cells), "least": least, "threshold": limits.threshold},
            many=many(len(cells), "cell"),
            threshold=limits.threshold,
            zeros=", and in some of them nobody" if least == 0 else "",
        )


def _odd(subject: Subject) -> Iterator[Finding]:
    counted = subject.counted
    if not counted.named:
        return
    cells = [
        (row, column)
        for row, read in enumerate(counted.table.cells)
        for column in counted.columns
        if not read[column].counts and not read[column].suppressed
    ]
    if cells:
        yield ODD_COUNTS.found(cells=cells, names=listed([counted.table.rows[r][c] for r, c in cells]))


def _unrounded(subject: Subject) -> Iterator[Finding]:
    base = subject.limits.round_to
    cells = [(row, column) for row, column, number in subject.counted.each() if number % base]
    if cells:
        yield UNROUNDED.found(
            cells=cells,
            numbers={"cells": len(cells), "base": base},
            many=many(len(cells), "count is", "counts are"),
            base=base,
        )


def _left_out(subject: Subject) -> Iterator[Finding]:
    counted, threshold = subject.counted, subject.limits.threshold
    if not counted.named and not counted.variables:
        return
    cells = [
        (row, column)
        for column in counted.table.numeric
        if column not in counted.columns
        for row, cell in enumerate(counted.table.column(column))
        if cell.whole and 1 <= (cell.number or 0.0) < threshold
    ]
    if cells:
        names = dict.fromkeys(counted.table.columns[column] for _, column in cells)
        yield LEFT_OUT.found(cells=cells, names=listed(list(names)), threshold=threshold)


CHECKS = (
    Check("small counts", frozenset({"table"}), _small, "Numbers of persons under the threshold, nobody included."),
    Check("columns of counts", frozenset({"table"}), _odd, "Columns named as counts that hold something else."),
    Check("other whole numbers", frozenset({"table"}), _left_out, "Small numbers that are said not to be of persons."),
    Check("rounding", frozenset({"table"}), _unrounded, "Numbers of persons that are not rounded."),
)
