"""A file of rows in pieces that can be read apart from each other: stretches of a CSV file, or rows of a Parquet file.

A row may go over several lines where a field of it is quoted, so a CSV file is cut only where every quote was closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from flip_trust.errors import IngestError
from flip_trust.ingest import ragged
from flip_trust.ingest.casting import LINE
from flip_trust.ingest.cdm import TableDefinition, definitions

BYTES_AT_A_TIME = 16 * 2**20
ROWS_AT_A_TIME = 500_000
MOST_QUOTED_BYTES = 64 * 2**20
"""No field is longer: where a quote was not closed by then, it was never meant to open one."""


@dataclass(frozen=True)
class Source:
    """A file of rows.

    Attributes:
        table: whose rows they are.
        file: where.
        columns: each column's name in the file.
        head: of a CSV file, everything up to its first row.
        separator: of a CSV file; where it is a tab, nothing is quoted.
    """

    table: str
    file: str
    columns: tuple[str, ...]
    head: bytes = b""
    separator: str = ","

    @classmethod
    def of(cls, file: Path, table: TableDefinition, separator: str = ",") -> Source:
        """Look at a file.

        Raises:
            IngestError: it cannot be read as a table, or lacks a column of the key.
        """
        try:
            if file.suffix.lower() == ".parquet":
                source = cls(table.name, str(file.absolute()), tuple(pl.scan_parquet(file).collect_schema().names()))
            else:
                head = _head(file)
                columns = tuple(_read_csv(head, separator).columns)
                source = cls(table.name, str(file.absolute()), columns, head, separator)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise IngestError(f"{file} cannot be read as a table.", "Give CSV with a header, or Parquet.") from error
        names = list(source.names.values())
        if missing := sorted(set(table.key) - set(names)):
            raise IngestError(
                f"{file} has no column {', '.join(missing)}.", "Give OMOP CDM 5.4's names in the first line."
            )
        if len(set(names)) < len(names):
            raise IngestError(f"{file} has a column twice.", "Give each of OMOP CDM 5.4's names once.")
        return source

    @property
    def names(self) -> dict[str, str]:
        """The CDM's name by the file's own, of every column."""
        return {name: name.strip().lower() for name in self.columns}

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet; else CSV."""
        return Path(self.file).suffix.lower() == ".parquet"


@dataclass(frozen=True)
class Piece:
    """A part of a file of rows.

    Attributes:
        number: its place among the pieces of its file.
        source: the file.
        offset: where it begins: the byte of a CSV file, the row of a Parquet file.
        length: how much it is, likewise.
        size: in bytes, about.
    """

    number: int
    source: Source
    offset: int
    length: int
    size: int

    def rows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Its rows under the CDM's names and with their ``line``, counted from 0, and what is no row.

        Raises:
            PolarsError: it cannot be read at all.
            OSError: likewise.
        """
        known = definitions()[self.source.table].schema
        names = {old: new for old, new in self.source.names.items() if new in known}
        if self.source.is_parquet:
            frame, lost = pl.scan_parquet(self.source.file).slice(self.offset, self.length).collect(), ragged.nothing()
            frame = frame.with_row_index(LINE)
        else:
            frame, lost = self._csv_rows()
        return frame.select(LINE, *(pl.col(old).alias(new) for old, new in names.items())), lost

    def content(self) -> bytes:
        """A stretch of a CSV file as it is."""
        with Path(self.source.file).open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.length)

    def _csv_rows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        content = self.content()
        try:
            frame = _read_csv(self.source.head + content, self.source.separator).with_row_index(LINE)
        except pl.exceptions.PolarsError:
            # one row of it is to blame
            return ragged.read(content, self.source.columns, self.source.separator)
        return frame, ragged.nothing()


def pieces_of(source: Source) -> Iterator[Piece]:
    """Every piece, in order; one at least.

    Raises:
        IngestError: the file cannot be read.
    """
    try:
        cuts = _row_cuts(source) if source.is_parquet else _byte_cuts(source)
        for number, (offset, length, size) in enumerate(cuts):
            yield Piece(number, source, offset, length, size)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IngestError(f"{source.file} cannot be read as a table.", "Give CSV with a header, or Parquet.") from error


def _row_cuts(source: Source) -> Iterator[tuple[int, int, int]]:
    count = int(pl.scan_parquet(source.file).select(pl.len()).collect().item())
    size = Path(source.file).stat().st_size
    for offset in range(0, max(count, 1), ROWS_AT_A_TIME):
        length = min(ROWS_AT_A_TIME, count - offset)
        yield offset, length, size * length // max(count, 1)


def _byte_cuts(source: Source) -> Iterator[tuple[int, int, int]]:
    with Path(source.file).open("rb") as stream:
        stream.seek(len(source.head))
        offset = len(source.head)
        while length := _length(stream, quoted=source.separator != "\t"):
            yield offset, length, length
            offset += length
        if offset == len(source.head):
            yield offset, 0, 0


def _length(stream: BinaryIO, *, quoted: bool) -> int:
    """How long the next piece is: to the end of the first row that ends behind so many bytes."""
    block = stream.read(BYTES_AT_A_TIME)
    length, quotes = len(block), block.count(b'"')
    while line := stream.readline():
        length, quotes = length + len(line), quotes + line.count(b'"')
        if not quoted or quotes % 2 == 0 or length > BYTES_AT_A_TIME + MOST_QUOTED_BYTES:
            break
    return length


def _head(file: Path) -> bytes:
    """Up to the end of the first line that is not empty."""
    head = b""
    with file.open("rb") as stream:
        while line := stream.readline():
            head += line
            if line.strip():
                break
    return head if head.endswith(b"\n") else head + b"\n"


def _read_csv(content: bytes, separator: str) -> pl.DataFrame:
    quote = None if separator == "\t" else '"'
    return pl.read_csv(content, separator=separator, infer_schema=False, quote_char=quote, truncate_ragged_lines=False)
