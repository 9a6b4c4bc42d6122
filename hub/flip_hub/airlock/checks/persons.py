"""Tables whose rows are persons, and columns that point at one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks import identifiers
from flip_hub.airlock.checks.counting import spoken
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed, many
from flip_hub.airlock.checks.tables import Table
from flip_hub.airlock.checks.texts import read_text

IDENTIFYING = Rule(
    "table.identifying_column",
    "block",
    "A column is called like what identifies a person, and holds it: {names}.",
    "Take the column out. Rows of persons never leave.",
)
IDENTIFIERS = Rule(
    "table.identifiers",
    "block",
    "Cells hold what looks like {what} ({many}).",
    "Take them out: identifiers of persons never leave.",
)
IDENTIFIER = Rule(
    "table.identifier",
    "flag",
    "Cells hold what looks like {what} ({many}).",
    "Take them out. If they are none, say in the context what they are.",
)
ROWS_OF_PERSONS = Rule(
    "table.rows_of_persons",
    "flag",
    "Its {rows:,} rows look like persons: {why}.",
    "Send counts of groups instead. If rows are no persons, say in the context what they are.",
)
LONG = Rule(
    "table.too_long",
    "flag",
    "It has {rows:,} rows and {columns:,} columns: more than a person can check ({most_rows:,} and {most_columns:,}).",
    "Send a summary: fewer categories, or a figure with its counts.",
)
DATES = Rule(
    "table.dates",
    "flag",
    "Whole dates are in {names}: a day can tell whose event it was.",
    "Write months, quarters or years.",
)
FREE_TEXT = Rule(
    "table.free_text",
    "flag",
    "Whole sentences are in {names}: nobody can check that none tells of a person.",
    "Take the column out, or count its categories.",
)
FORMULA = Rule(
    "table.formula",
    "block",
    "{many} would run as formulas when the file is opened in a spreadsheet.",
    "Write them without = + - @ before the first letter.",
)
ODD_CELLS = Rule(
    "table.not_finite",
    "note",
    "{many} are infinite or not a number.",
    "Write what they stand for, or leave them empty.",
)
_NAMES = re.compile(
    r"(?:nhs|chi)(?: number| no)?|(?:patient|person|subject|participant|hospital|study subject) (?:id|number|no|key)"
    r"|mrn|person source value|(?:(?:first|last|middle|given|family|full|patient) )?names?|surname|forename"
    r"|date of birth|dob|birth date|birth ?date ?time|address|street|post ?code|zip|e ?mail|phone|telephone|mobile"
    r"|accession(?: number)?|(?:study|series|sop) instance uid",
)
_WHO = re.compile(r"\b(?:patient|person|subject|participant|nhs|chi|mrn)\b")
_FORMULA = re.compile(r"\s*(?:[=@]|[+-]\s*[A-Za-z(=@]|[\t\r]|[+-].*[|!(]).+", re.DOTALL)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
MOST_WORDS_READ = 5_000
_MANY = 3
_ALIKE_ROWS = 30


def _shape(subject: Subject) -> Iterator[Finding]:
    table, limits = subject.table, subject.limits
    rows, columns = len(table.rows), len(table.columns)
    if rows > limits.table_rows or columns > limits.table_columns:
        yield LONG.found(
            numbers={"rows": rows, "columns": columns},
            rows=rows,
            columns=columns,
            most_rows=limits.table_rows,
            most_columns=limits.table_columns,
        )


def _columns(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    named = [c for c, name in enumerate(table.columns) if _NAMES.fullmatch(spoken(name)) and _identifies(table, c)]
    if named:
        cells = [(row, c) for c in named for row in range(min(len(table.rows), 200))]
        yield IDENTIFYING.found(cells=cells, names=listed([table.columns[c] for c in named]))


def _identifies(table: Table, column: int) -> bool:
    """Whether nearly every row has another value, and one that is no small number of persons or category."""
    words = [word.strip() for word in table.words(column) if word.strip()]
    if len(words) < 2 or len(set(words)) < 0.9 * len(words):
        return False
    could_count = re.fullmatch(r"(?:patient|person|subject|participant) (?:number|no)", spoken(table.columns[column]))
    return not could_count or not all(word.replace(",", "").isdigit() for word in words)


def _identifiers(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    found: dict[str, list[tuple[int, int]]] = {}
    for column in range(len(table.columns)):
        for kind, row in _in_column(table, column):
            found.setdefault(kind, []).append((row, column))
    for kind, cells in found.items():
        sure = kind.startswith("an NHS") and len(cells) >= max(_MANY, 0.5 * len(table.rows))
        rule = IDENTIFIERS if sure or (len(cells) >= _MANY and kind.startswith("an e-mail")) else IDENTIFIER
        yield rule.found(cells=cells, what=kind, many=many(len(cells), "cell"), numbers={"cells": len(cells)})


def _in_column(table: Table, column: int) -> Iterator[tuple[str, int]]:
    words = table.words(column)
    kinds: dict[str, list[str]] = {}
    for row, word in enumerate(words):
        if len(word) < 6:
            continue
        if word not in kinds:
            kinds[word] = list(dict.fromkeys(kind.words for kind, _ in identifiers.found_in(word[:2_000])))
        yield from ((kind, row) for kind in kinds[word])


def _rows(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    counted = subject.counted
    if len(table.rows) < _ALIKE_ROWS:
        return
    whys = []
    ids = [table.columns[c] for c in range(len(table.columns)) if _counts_up(table, c)]
    if ids:
        whys.append(f"{listed(ids)} has another number in every row")
    unlike = len(table.columns) > 2 and len(set(table.rows)) > 0.9 * len(table.rows)
    if unlike and not counted.columns and not subject.statement.underlying:
        whys.append("nothing is counted, and hardly two rows are alike")
    if whys:
        yield ROWS_OF_PERSONS.found(rows=len(table.rows), why="; ".join(whys), numbers={"rows": len(table.rows)})


def _counts_up(table: Table, column: int) -> bool:
    """Whether a column is called like an identifier, and no two rows have the same one."""
    name, words = spoken(table.columns[column]), table.words(column)
    called = bool(_WHO.search(name)) or bool(re.search(r"\bid\b|\bidentifier\b|\bkey\b|\buid\b|\bpseudonym\b", name))
    return called and len(set(words)) == len(words)


def _dates(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    columns = [c for c in range(len(table.columns)) if _share(table, c, _is_day) > 0.2]
    if columns:
        yield DATES.found(cells=_all(table, columns), names=listed([table.columns[c] for c in columns]))


def _is_day(word: str) -> bool:
    """Whether it is a date, and not the first of a month or year, by which these are written."""
    return bool(identifiers.DATE.match(word.strip())) and not re.match(r"\d{4}-\d{2}-01(?:$|T00)", word.strip())


def _free_text(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    columns = [c for c in table.labels if _share(table, c, lambda word: len(word.split()) >= 8) > 0.1]
    if columns:
        yield FREE_TEXT.found(cells=_all(table, columns), names=listed([table.columns[c] for c in columns]))


def _words(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    words = dict.fromkeys(word for c in table.labels for word in table.words(c) if len(word) > 4)
    for finding in read_text("\n".join(list(words)[:MOST_WORDS_READ]), subject.limits, "In cells of words: "):
        if finding.rule in ("text.small_number", "text.encoded"):
            yield finding


def _share(table: Table, column: int, holds: Callable[[str], bool]) -> float:
    words = [word for word in table.words(column) if word.strip()]
    return sum(map(holds, words)) / len(words) if words else 0.0


def _all(table: Table, columns: Sequence[int]) -> list[tuple[int, int]]:
    return [(row, c) for row in range(min(len(table.rows), 200)) for c in columns]


def _formulas(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    cells = [
        (row, c)
        for c in range(len(table.columns))
        for row, word in enumerate(table.words(c))
        if word[:1] in "=@+-\t\r " and table.cells[row][c].number is None and _FORMULA.match(word)
    ]
    header = [name for name in table.columns if _FORMULA.match(name)]
    if cells or header:
        yield FORMULA.found(cells=cells, many=many(len(cells) + len(header), "cell"))


def _not_finite(subject: Subject) -> Iterator[Finding]:
    table = subject.table
    cells = [(row, c) for c in range(len(table.columns)) for row, word in enumerate(table.words(c)) if _odd(word)]
    if cells:
        yield ODD_CELLS.found(cells=cells, many=many(len(cells), "cell"), numbers={"cells": len(cells)})


def _odd(word: str) -> bool:
    return len(word) <= 9 and bool(_NOT_FINITE.fullmatch(word.strip()))


CHECKS = (
    Check("size of a table", frozenset({"table"}), _shape, "Tables that are longer or wider than a person can check."),
    Check(
        "identifying columns",
        frozenset({"table"}),
        _columns,
        "Columns called like names, numbers or addresses of persons.",
    ),
    Check(
        "identifiers in cells",
        frozenset({"table"}),
        _identifiers,
        "NHS numbers, postcodes, e-mail addresses, UIDs in cells.",
    ),
    Check(
        "rows of persons",
        frozenset({"table"}),
        _rows,
        "Many rows, each unlike any other, or each with a number of its own.",
    ),
    Check("dates", frozenset({"table"}), _dates, "Dates to the day."),
    Check("free text", frozenset({"table"}), _free_text, "Sentences in cells."),
    Check("words in cells", frozenset({"table"}), _words, "Small numbers of persons and encoded data among words."),
    Check("formulas", frozenset({"table"}), _formulas, "Cells that a spreadsheet would run."),
    Check("odd numbers", frozenset({"table"}), _not_finite, "Infinite numbers and those that are none."),
)
