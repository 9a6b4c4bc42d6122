"""Rows that were cast and are not in their table yet: files that workers write, and that an interrupted load finds.

They lie in ``loading/`` of the Trust's home, which every worker sees, readable by their owner alone, until the load is
whole. One load at a time has the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flip_trust import scaleout
from flip_trust.ingest import ragged, store
from flip_trust.ingest.casting import LINE, REASON, cast
from flip_trust.ingest.cdm import definitions
from flip_trust.ingest.resume import state_of
from flip_trust.ingest.sources import Piece, Source

FOLDER = "loading"


@dataclass(frozen=True)
class Parts:
    """The parts of one load.

    Attributes:
        folder: where they are.
    """

    folder: str

    @classmethod
    @contextmanager
    def of(cls, home: Path, sources: Sequence[Source]) -> Iterator[Parts]:
        """Those of a load of these files, with what an interrupted one left; of any other load nothing is kept."""
        whole = home.absolute() / FOLDER
        with store.writing(whole):
            folder = whole / state_of([Path(source.file) for source in sources])[:32]
            for other in whole.iterdir():
                if other.is_dir() and other != folder:
                    shutil.rmtree(other)
            folder.mkdir(mode=0o700, exist_ok=True)
            yield cls(str(folder))
            shutil.rmtree(folder)

    def has(self, piece: Piece) -> bool:
        """Whether a piece is cast."""
        return self._taken(piece).exists()

    def write(self, piece: Piece, taken: pl.DataFrame, refused: pl.DataFrame) -> None:
        """Keep what became of a piece; when the rows that were taken are there, everything is."""
        store.write(self._refused(piece), refused, compression="lz4")
        store.write(self._taken(piece), taken, compression="lz4")

    def lose(self, piece: Piece, why: str) -> None:
        """Keep a piece whole that nobody could read, as one row that is refused; of a Parquet file, its place."""
        known = definitions()[piece.source.table].schema
        kinds = {name: kind for name, kind in known.items() if name in piece.source.names.values()}
        until = f"this row and {piece.length - 1} more" if piece.source.is_parquet else "this part of the file"
        row = {LINE: 0, REASON: f"{until} could not be read ({why})"}
        text = "" if piece.source.is_parquet else piece.content().decode("utf-8", "replace")
        lost = pl.DataFrame([row | {ragged.CONTENT: text}], schema=ragged.nothing().schema, orient="row")
        self.write(piece, pl.DataFrame(schema=kinds), lost)

    def of_source(self, source: Source, pieces: Sequence[Piece]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of a file that were taken, and those that were refused with their lines in the file."""
        # as a reader counts: the header is line 1
        line = 1 if source.is_parquet else 2
        taken, refused = [], []
        for piece in pieces:
            good, bad = pl.read_parquet(self._taken(piece)), pl.read_parquet(self._refused(piece))
            taken.append(good)
            refused.append(bad.with_columns((pl.col(LINE) + line).cast(pl.UInt32)))
            line += len(good) + len(bad)
        return pl.concat(taken), pl.concat(refused, how="diagonal_relaxed")

    def _taken(self, piece: Piece) -> Path:
        return self._path(piece, "taken")

    def _refused(self, piece: Piece) -> Path:
        return self._path(piece, "refused")

    def _path(self, piece: Piece, what: str) -> Path:
        source = Path(piece.source.file)
        return Path(self.folder, f"{source.name}.{piece.number}.{what}.parquet")


def make(parts: Parts, pieces: list[Piece]) -> None:
    """What a worker does with pieces: read them, cast them, and write what became of them.

    Raises:
        SetupError: the worker does not see the files.
    """
    for piece in pieces:
        scaleout.sees(piece.source.file, parts.folder)
        rows, lost = piece.rows()
        taken, refused = cast(rows, definitions()[piece.source.table])
        if not lost.is_empty():
            refused = pl.concat([refused, lost], how="diagonal_relaxed").sort(LINE)
        parts.write(piece, taken, refused)
