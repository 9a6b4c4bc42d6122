"""Which cells of a table are numbers of persons, and by what they are broken down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from flip_sdk.contract.airlock import OutputStatement

from flip_hub.airlock.checks.bands import as_written
from flip_hub.airlock.checks.tables import TOTAL, Table

_NOT_COUNTS = re.compile(
    r"\b(?:year|month|quarter|week|day|hour|age|band|bin|decile|quintile|quartile|rank|index|code|concept|concept_id"
    r"|icd|icd10|snomed|id|fold|epoch|round|step|seed|version|order|level|threshold|iteration)s?\b",
    re.IGNORECASE,
)
_MEASURES = re.compile(
    r"\b(?:mean|average|avg|sd|std|stdev|se|variance|var|median|min|minimum|max|maximum|range|iqr|percentile|p\d{1,2}"
    r"|q[1-4]|rate|ratio|percent|percentage|pct|proportion|share|prevalence|incidence|risk|odds|or|hr|rr|auc|accuracy"
    r"|loss|estimate|coefficient|coef|beta|ci|low|high|lower|upper|error|epsilon|delta|pvalue|p|seconds|mode|score)\b|%",
    re.IGNORECASE,
)
_COUNTS = re.compile(
    r"\b(?:n|count|counts|persons?|people|patients?|participants?|cases?|controls?|numbers?|num|freq|frequency|total|men"
    r"|women|deaths?|events?|admissions?)\b",
    re.IGNORECASE,
)

ALL = "*"
"""The category of totals."""


def spoken(name: str) -> str:
    """A column's name with its words apart: ``age_band`` and ``ageBand`` are ``age band``."""
    return re.sub(r"[_\W]+(?<!%)", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).strip().lower()


def measures(name: str) -> bool:
    """Whether a column is called like a measure and not like a count."""
    return bool(_MEASURES.search(spoken(name))) and not _COUNTS.search(spoken(name))


def counts_persons(name: str) -> bool:
    """Whether a column is called like a count of persons."""
    return bool(_COUNTS.search(spoken(name)))


@dataclass(frozen=True)
class Counted:
    """A table with what is counted in it.

    Attributes:
        table: its cells.
        named: the columns that its author calls counts.
        variables: the columns that its author calls variables.
    """

    table: Table
    named: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: Table, statement: OutputStatement) -> Counted:
        """As its author states it."""
        return cls(table, statement.counts, statement.variables)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Columns that the statement names and the table does not have."""
        return tuple(name for name in (*self.named, *self.variables) if name not in self.table.columns)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Columns that hold numbers of persons.

        Those named, or all of whole numbers that are not called otherwise; and whatever is called like persons.
        """
        places = range(len(self.table.columns))
        if self.named:
            sure = {c for c in places if counts_persons(self.table.columns[c]) and self._counts(c)}
            return tuple(c for c in places if self.table.columns[c] in self.named or c in sure)
        counts = {c for c in places if self._counts(c)}
        return tuple(c for c in places if c in counts or (counts and self._all_kept_back(c)))

    @cached_property
    def dimensions(self) -> tuple[int, ...]:
        """Columns by which it is broken down: those named, or all of words and codes beside the counts."""
        if self.variables:
            return tuple(c for c, name in enumerate(self.table.columns) if name in self.variables)
        codes = (c for c in self.table.numeric if c not in self.columns and not measures(self.table.columns[c]))
        return tuple(sorted({*(c for c in self.table.labels if c not in self.columns), *codes}))

    def _counts(self, column: int) -> bool:
        name, cells = self.table.columns[column], self.table.column(column)
        mostly = [cell for cell in cells if cell.number is not None]
        if not mostly or (column not in self.table.numeric and 2 * len(mostly) < len(cells)):
            return False
        if counts_persons(name) and all(cell.counts for cell in mostly):
            return True
        if name in self.variables or not all(cell.whole for cell in mostly):
            return False
        return not measures(name) and not self._is_code(name, [cell.number or 0.0 for cell in mostly])

    def _all_kept_back(self, column: int) -> bool:
        name, words = self.table.columns[column], self.table.words(column)
        kept_back = all(cell.suppressed for cell in self.table.column(column)) and any(map(str.strip, words))
        return kept_back and name not in self.variables and not measures(name)

    def _is_code(self, name: str, numbers: list[float]) -> bool:
        """Whether it is called like a code or a year, and could be one: each group of rows has another."""
        if not _NOT_COUNTS.search(spoken(name)):
            return False
        if "year" in spoken(name):
            return all(1900 <= number <= 2100 for number in numbers)
        return len(set(numbers)) == len(numbers) or numbers == sorted(numbers)

    def each(self) -> Iterator[tuple[int, int, float]]:
        """Row, column and number of every count that is told."""
        for row, cells in enumerate(self.table.cells):
            for column in self.columns:
                if cells[column].counts:
                    yield row, column, cells[column].number or 0.0

    @cached_property
    def names(self) -> frozenset[str]:
        """What it is broken down by, in words."""
        return frozenset(spoken(self.table.columns[c]) for c in self.dimensions)

    def group(self, row: int) -> dict[str, str]:
        """The categories of a row by what they are of."""
        return {spoken(self.table.columns[c]): category(self.table.rows[row][c]) for c in self.dimensions}


def category(label: str) -> str:
    """A category as tables are compared by it: without case and punctuation, ranges and totals in one form each."""
    if edges := as_written(label):
        return edges
    words = " ".join(re.sub(r"[^\w+<>≤≥=%.-]+|_", " ", label.lower()).split())
    return ALL if TOTAL.fullmatch(words) else (words or label.strip().lower())
