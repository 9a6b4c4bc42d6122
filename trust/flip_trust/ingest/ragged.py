"""CSV line by line, where a row of it cannot be read as one: that row is told, and every other one is taken."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import polars as pl

from flip_trust.ingest.casting import LINE, REASON

CONTENT = "content"
MOST_LINES = 100
"""Of a row: a quote that is not closed by then was never meant to open a field."""
_LOST = {LINE: pl.UInt32(), REASON: pl.String(), CONTENT: pl.String()}


def nothing() -> pl.DataFrame:
    """What is lost where nothing is."""
    return pl.DataFrame(schema=_LOST)


def read(content: bytes, columns: Sequence[str], separator: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows, as text, and what is no row: ``line``, ``reason`` and the ``content`` itself.

    Args:
        content: lines, without the header.
        columns: the header's.
        separator: where it is a tab, nothing is quoted.
    """
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if not lines[-1]:
        lines.pop()
    taken: list[tuple[int, list[str | None]]] = []
    lost: list[tuple[int, str, str]] = []
    at = number = 0
    while at < len(lines):
        row, used = _row(lines, at, len(columns), separator)
        if isinstance(row, str):
            lost.append((number, row, lines[at].decode("utf-8", "replace")))
        else:
            taken.append((number, row))
        at, number = at + used, number + 1
    schema = {LINE: pl.UInt32(), **dict.fromkeys(columns, pl.String())}
    frame = pl.DataFrame([(line, *row) for line, row in taken], schema=schema, orient="row")
    return frame, pl.DataFrame(lost, schema=_LOST, orient="row")


def _row(lines: list[bytes], at: int, width: int, separator: str) -> tuple[list[str | None] | str, int]:
    """A row, or why there is none, and how many lines it is."""
    quoted = separator != "\t"
    whole, used = lines[at], 1
    while quoted and whole.count(b'"') % 2 and used < MOST_LINES and at + used < len(lines):
        whole, used = whole + b"\n" + lines[at + used], used + 1
    found = _fields(whole, separator, quoted=quoted)
    if used > 1 and (isinstance(found, str) or len(found) != width):
        # not one row over several lines, then: a quote that stands for itself
        used, found = 1, _fields(lines[at], separator, quoted=False)
    if isinstance(found, str):
        return found, 1
    if len(found) > width:
        return "it has more fields than the first line", used
    return [field or None for field in found] + [None] * (width - len(found)), used


def _fields(line: bytes, separator: str, *, quoted: bool) -> list[str] | str:
    try:
        text = line.decode("utf-8")
        if not quoted:
            return text.split(separator) if text else []
        rows = list(csv.reader([text], delimiter=separator, strict=True))
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except csv.Error:
        return "it cannot be read as CSV"
    return rows[0] if rows else []
