"""A table as the checks see it: words in cells, read as numbers where they are some."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from flip_sdk.contract.records import Record

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.(\d*))?(?:[eE][+-]?\d{1,3})?")
_COUNT_AND_SHARE = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)\s*[(\[]\s*\d+(?:\.\d*)?\s*%?\s*[)\]]")
_SUPPRESSED = re.compile(
    r"|[-–—*~.]+|n/?a|nan|null|none|suppressed|redacted|\[redacted\]|\[[a-z]\]|[<≤]\s*=?\s*\d+", re.IGNORECASE
)
TOTAL = re.compile(r"(?:grand[ _-]?)?(?:total|totals|all|overall|sum|both|any|everyone|all persons|all_persons)", re.I)


class TableError(ValueError):
    """The content is not a table; says in words why."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell's words mean.

    Attributes:
        number: its number; None for words and for what is kept back.
        decimals: how many of them it is written with.
        suppressed: whether a number is kept back here.
        percent: whether it is marked as a percentage.
    """

    number: float | None = None
    decimals: int = 0
    suppressed: bool = False
    percent: bool = False

    @property
    def counts(self) -> bool:
        """Whether it may be a number of persons, exact or with noise."""
        return self.number is not None and not self.percent and self.number >= 0

    @property
    def whole(self) -> bool:
        """Whether it is a whole number that may count persons."""
        return self.number is not None and not self.percent and self.number.is_integer() and self.number >= 0


@lru_cache(maxsize=100_000)
def cell_of(text: str) -> Cell:
    """Read a cell: ``1,234``, ``12.5%``, ``34 (5.6%)`` (its count), ``<10`` and ``NA`` (kept back), or words."""
    words = text.strip()
    if _SUPPRESSED.fullmatch(words):
        return Cell(suppressed=True)
    if both := _COUNT_AND_SHARE.fullmatch(words):
        return Cell(float(both[1].replace(",", "")))
    percent = words.endswith("%")
    words = words.removesuffix("%").rstrip()
    match = _NUMBER.fullmatch(words)
    if match is None or not any(letter.isdigit() for letter in words):
        return Cell()
    number = float(words.replace(",", ""))
    if number in (float("inf"), float("-inf")):
        return Cell()
    return Cell(number, len(match[1] or ""), percent=percent)


class Table(Record):
    """Columns and rows of words.

    Attributes:
        columns: the header.
        rows: each as long as the header.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @cached_property
    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """Every cell read, row by row."""
        return tuple(tuple(map(cell_of, row)) for row in self.rows)

    def column(self, position: int) -> tuple[Cell, ...]:
        """The cells of one column."""
        return tuple(row[position] for row in self.cells)

    def words(self, position: int) -> tuple[str, ...]:
        """The words of one column."""
        return tuple(row[position] for row in self.rows)

    @cached_property
    def numeric(self) -> tuple[int, ...]:
        """Columns that hold numbers (and what is kept back), and no words."""
        return tuple(c for c in range(len(self.columns)) if _is_numeric(self.column(c)))

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """Columns of words."""
        return tuple(c for c in range(len(self.columns)) if c not in self.numeric)


def _is_numeric(cells: tuple[Cell, ...]) -> bool:
    return any(c.number is not None for c in cells) and all(c.number is not None or c.suppressed for c in cells)


def read_delimited(text: str, delimiter: str, most_cells: int) -> Table:
    """A table out of CSV or TSV.

    Raises:
        TableError: it is none, or has more cells than are read.
    """
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = next(rows, None)
        if not header:
            raise TableError("it is empty")
        body: list[tuple[str, ...]] = []
        for number, row in enumerate(rows, start=2):
            if not row:
                continue
            if len(row) != len(header):
                raise TableError(f"line {number} has {len(row)} cells and the header {len(header)}")
            body.append(tuple(row))
            if len(body) * len(header) > most_cells:
                raise TableError(f"it has more than {most_cells:,} cells")
    except csv.Error as error:
        raise TableError(f"it is not well-formed: {error}") from error
    return Table.model_construct(columns=tuple(name.strip() for name in header), rows=tuple(body))


def delimiter_of(text: str, suffix: str) -> str:
    """What divides the cells: a tab in .tsv; in .csv a comma, or a semicolon or tab where the header has no comma."""
    if suffix == ".tsv":
        return "\t"
    header = text.partition("\n")[0]
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def read_json(content: Any, most_cells: int) -> Table | None:
    """A table out of JSON: a list of flat records, or lists of the same length by name; None for anything else."""
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        names = tuple(dict.fromkeys(str(name) for row in content for name in row))
        columns = {name: [row.get(name) for row in content] for name in names}
    elif isinstance(content, dict) and content and all(isinstance(v, list) for v in content.values()):
        columns = content
    else:
        return None
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or any(isinstance(v, dict | list) for values in columns.values() for v in values):
        return None
    if lengths.pop() * len(columns) > most_cells:
        raise TableError(f"it has more than {most_cells:,} cells")
    rows = tuple(tuple(map(_word, row)) for row in zip(*columns.values(), strict=True))
    return Table.model_construct(columns=tuple(columns), rows=rows)


def _word(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
