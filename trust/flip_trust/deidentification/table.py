"""DICOM PS3.15 Annex E, Table E.1-1, read from ``policies/deidentification/annex-e.csv``: facts, no decisions."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flip_trust.errors import SetupError

_INSTALLED = Path(__file__).parents[1] / "policies" / "deidentification"
_REPOSITORY = Path(__file__).parents[3] / "policies" / "deidentification"
TABLE_FILE = "annex-e.csv"
WORDS_FILE = "descriptor-words.txt"
PRIVATE = "odd"


@dataclass(frozen=True)
class Line:
    """One attribute of the table.

    Attributes:
        tag: eight hexadecimal digits, ``x`` for any digit, or ``odd`` for every private attribute.
        basic: the basic profile's action; several, joined by ``/``, where it depends on the attribute's type.
        options: what each option says instead: ``K`` or ``C``.
    """

    tag: str
    name: str
    basic: str
    options: Mapping[str, str]


def folder() -> Path:
    """Where the table and the profiles are: inside the installed package, or in the repository beside it."""
    return _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY


@cache
def table() -> Mapping[str, Line]:
    """Every line, by its tag.

    Raises:
        SetupError: the file is missing.
    """
    try:
        with (folder() / TABLE_FILE).open(encoding="utf-8", newline="") as stream:
            return {line.tag: line for line in map(_line, csv.DictReader(stream))}
    except OSError as error:
        raise SetupError(f"There is no {TABLE_FILE} in {folder()}.", "Install flip-trust again.") from error


@cache
def words() -> frozenset[bytes]:
    """The words that a cleaned description may keep, in lower case."""
    lines = (folder() / WORDS_FILE).read_text(encoding="ascii").splitlines()
    return frozenset(word.encode() for line in lines if not line.startswith("#") for word in line.split())


def line_of(tag: int) -> Line | None:
    """The line that an attribute is under, if any."""
    exact = f"{tag:08x}"
    known = table()
    for name in (exact, exact[:2] + "xxxxxx", exact[:2] + "xx" + exact[4:]):
        if name in known:
            return known[name]
    return known[PRIVATE] if tag >> 16 & 1 else None


def _line(row: dict[str, str]) -> Line:
    fixed = {"tag", "name", "basic"}
    return Line(row["tag"], row["name"], row["basic"], {k: v for k, v in row.items() if k not in fixed and v})
