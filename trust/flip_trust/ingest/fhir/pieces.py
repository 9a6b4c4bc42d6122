"""A load in pieces that can be read apart from each other: stretches of lines of an export, or a whole bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from flip_trust.ingest.fhir.reading import Placed, resources_in, resources_of
from flip_trust.ingest.quarantine import Refused

BYTES_AT_A_TIME = 2 * 2**20


@dataclass(frozen=True)
class Piece:
    """A part of a file.

    Attributes:
        number: its place among all pieces of the load; what comes later counts.
        file: which file.
        offset: where it begins.
        length: in bytes.
        line: the number of its first line.
    """

    number: int
    file: str
    offset: int
    length: int
    line: int

    def resources(self) -> Iterator[Placed | Refused]:
        """What is in it."""
        path = Path(self.file)
        if path.suffix.lower() == ".json":
            yield from resources_of(path)
            return
        with path.open("rb") as stream:
            stream.seek(self.offset)
            content = stream.read(self.length)
        yield from resources_in(BytesIO(content), self.line)


def pieces_of(files: Iterable[Path]) -> Iterator[Piece]:
    """Every piece, in order; a file that has nothing has none."""
    number = 0
    for file in files:
        for offset, length, line in _parts(file):
            yield Piece(number, str(file.absolute()), offset, length, line)
            number += 1


def batches_of(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces that are read by one worker one after the other: as many as make up the size of one."""
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        if batch and size + piece.length > BYTES_AT_A_TIME:
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += piece.length
    if batch:
        yield batch


def _parts(file: Path) -> Iterator[tuple[int, int, int]]:
    if file.suffix.lower() == ".json":
        yield 0, file.stat().st_size, 1
        return
    with file.open("rb") as stream:
        offset, line = 0, 1
        while block := stream.read(BYTES_AT_A_TIME):
            # to the end of the line that the block ends in
            block += stream.readline()
            yield offset, len(block), line
            offset += len(block)
            line += block.count(b"\n")
