"""Messages in pieces that can be read apart from each other: stretches of a file, or of the listener's journal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from flip_trust.ingest.hl7 import journal, messages
from flip_trust.ingest.hl7.journal import Position

MESSAGES_A_PIECE = 4_000
Named = tuple[str, bytes]
"""A message with its place in its source."""
_BYTES_AT_A_TIME = 8 * 2**20
_BEGIN = re.compile(rb"[\r\n\x0b\x1c]MSH")


@dataclass(frozen=True)
class FilePiece:
    """A part of a file.

    Attributes:
        number: its place among the pieces of the file.
        source: which file.
        offset: where it begins.
        length: in bytes.
        first: the number of its first message.
    """

    number: int
    source: str
    offset: int
    length: int
    first: int

    def messages(self) -> list[Named]:
        """What is in it."""
        with Path(self.source).open("rb") as stream:
            stream.seek(self.offset)
            content = stream.read(self.length)
        return [(f"message {n}", raw) for n, raw in enumerate(messages.messages_of(content), start=self.first)]


@dataclass(frozen=True)
class JournalPiece:
    """Records of the journal.

    Attributes:
        source: the folder of the journal.
        after: the position before its first record.
        count: how many records.
        first: the position behind its first record.
        end: the position behind its last record.
        length: in bytes.
    """

    source: str
    after: Position
    count: int
    first: Position
    end: Position
    length: int

    def messages(self) -> list[Named]:
        """What is in it."""
        records = islice(journal.read(Path(self.source), self.after), self.count)
        return [(f"journal {at.file}, up to byte {at.offset}", raw) for at, raw in records]


Piece = FilePiece | JournalPiece


def of_file(file: Path) -> Iterator[FilePiece]:
    """Every piece of a file, in order; a file that is empty has none.

    Raises:
        OSError: it cannot be read.
    """
    size, number, offset, first = file.stat().st_size, 0, 0, 1
    with file.open("rb") as stream:
        cuts = islice(_beginnings(stream), MESSAGES_A_PIECE - 1, None, MESSAGES_A_PIECE)
        for end in (*cuts, size):
            if end > offset:
                piece = FilePiece(number, str(file.absolute()), offset, end - offset, first)
                yield piece
                # what comes before the first header may be a message or none
                first += MESSAGES_A_PIECE if number else len(piece.messages())
                number, offset = number + 1, end


def of_journal(folder: Path, after: Position) -> Iterator[JournalPiece]:
    """What the journal has after a position, in pieces."""
    records = journal.read(folder, after)
    while batch := list(islice(records, MESSAGES_A_PIECE)):
        first, end = batch[0][0], batch[-1][0]
        yield JournalPiece(str(folder.absolute()), after, len(batch), first, end, sum(len(raw) for _, raw in batch))
        after = end


def _beginnings(stream: BinaryIO) -> Iterator[int]:
    """Where each message begins, but the first."""
    at, tail = 0, b""
    while block := stream.read(_BYTES_AT_A_TIME):
        text = tail + block
        for found in _BEGIN.finditer(text):
            yield at - len(tail) + found.start() + 1
        at, tail = at + len(block), text[-3:]
