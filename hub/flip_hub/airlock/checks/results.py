"""Numbers that come straight out of a job's result, where noise was added before they left the Trust."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks.past import KnownResult
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed, many
from flip_hub.airlock.checks.tables import Cell, cell_of

ALL_KNOWN = Rule(
    "result.all_numbers",
    "note",
    "All the numbers of this file ({many}) are in the results of job {job}: noise was added to them at the Trusts, for "
    "ε = {epsilon:g}. They are not exact, and small counts among them tell of nobody for certain.",
)
SOME_KNOWN = Rule(
    "result.some_numbers",
    "note",
    "{known} of {all} numbers of this file are in the results of jobs ({jobs}); {unknown} are not, such as totals, "
    "shares or other sums.",
    "Name in the context how they were reckoned.",
)
NONE_KNOWN = Rule(
    "result.no_numbers",
    "note",
    "None of this file's numbers is in a result of this project's jobs, so the results say nothing of their safety.",
    "Name in the context where they come from.",
)
THE_FILE = Rule(
    "result.the_file",
    "note",
    "This file is the result of job {job} as it came: noise was added to its numbers at the Trusts, for ε = "
    "{epsilon:g}.",
)
SURE = 1e-6
"""How likely it may be that numbers are in a result by chance."""
_NUMBER = re.compile(r"(?<![\w.,])[+-]?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w]|[.,]\d)")
MOST_NUMBERS = 20_000


def _results(subject: Subject) -> Iterator[Finding]:
    for result in subject.past.results:
        if subject.statement.content in result.files:
            yield THE_FILE.found(job=result.job, epsilon=result.epsilon, numbers={"epsilon": result.epsilon})
            return
    cells = _cells(subject)
    if not cells:
        return
    known = {result.job: (result, recognised(cells, result)) for result in _asked(subject)}
    for job, (result, matches) in known.items():
        if all(matches) and chance(cells, result) < SURE:
            numbers = {"numbers": len(cells), "epsilon": result.epsilon}
            told = many(len(cells), "number")
            yield ALL_KNOWN.found(many=told, job=job, epsilon=result.epsilon, numbers=numbers)
            return
    found = [any(column) for column in zip(*(matches for _, matches in known.values()), strict=True)]
    jobs = [job for job, (result, matches) in known.items() if any(matches) and _telling(cells, matches, result)]
    if jobs and any(found):
        count = sum(found)
        unknown = len(cells) - count
        numbers = {"known": count, "all": len(cells)}
        yield SOME_KNOWN.found(numbers=numbers, jobs=listed(jobs), known=count, all=len(cells), unknown=unknown)
    elif subject.file.table is not None:
        yield NONE_KNOWN.found(numbers={"all": len(cells)})


def _asked(subject: Subject) -> list[KnownResult]:
    """Results that are compared: of the jobs that the statement names, else of all."""
    named = subject.statement.jobs
    return [result for result in subject.past.results if not named or result.job in named]


def _cells(subject: Subject) -> list[Cell]:
    """Every different number of the file."""
    table = subject.file.table
    if table is not None:
        words = [table.rows[row][c] for c in range(len(table.columns)) for row in range(len(table.rows))]
    else:
        words = _NUMBER.findall(subject.file.text or "")
    read = (cell_of(word) for word in dict.fromkeys(words[: 10 * MOST_NUMBERS]))
    return [cell for cell in read if cell.number is not None][:MOST_NUMBERS]


def recognised(cells: Sequence[Cell], result: KnownResult) -> list[bool]:
    """Whether each number is one of the result's, or one of them rounded as it is written; percentages as shares."""
    ordered = sorted(result.numbers)
    return [any(_is_in(ordered, number, step) for number, step in _readings(cell)) for cell in cells]


def _readings(cell: Cell) -> Iterator[tuple[float, float]]:
    number, step = cell.number or 0.0, 10.0**-cell.decimals
    yield number, step
    if cell.percent:
        yield number / 100, step / 100


def _is_in(ordered: Sequence[float], number: float, step: float) -> bool:
    half = step / 2 + 1e-12 * abs(number)
    place = bisect_left(ordered, number - half)
    return place < len(ordered) and ordered[place] <= number + half


def chance(cells: Sequence[Cell], result: KnownResult) -> float:
    """How likely as many numbers, written with as many digits, are all in a result by chance."""
    likely = 1.0
    for cell in cells:
        digits = len(str(int(abs(cell.number or 0.0) * 10**cell.decimals + 0.5)))
        likely *= min(1.0, len(result.numbers) / (9 * 10 ** (digits - 1)))
    return likely


def _telling(cells: Sequence[Cell], matches: Sequence[bool], result: KnownResult) -> bool:
    return chance([cell for cell, match in zip(cells, matches, strict=True) if match], result) < SURE


CHECKS = (
    Check(
        "results of jobs",
        frozenset({"table", "text"}),
        _results,
        "Which numbers are in the results of this project's jobs, and what ε was paid for them.",
    ),
)
