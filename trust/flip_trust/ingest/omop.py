"""OMOP tables in CSV or Parquet, of any hand, into the Trust's own."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from flip_trust import scaleout
from flip_trust.errors import IngestError
from flip_trust.ingest import links, merges, periods, quarantine, store, vocabulary
from flip_trust.ingest.casting import REASON
from flip_trust.ingest.cdm import VOCABULARY_TABLES, TableDefinition, definitions
from flip_trust.ingest.parts import Parts, make
from flip_trust.ingest.report import MappingReport
from flip_trust.ingest.sources import Piece, Source, pieces_of
from flip_trust.scaleout import HERE, Where

_SUFFIXES = (".csv", ".parquet")
Advance = Callable[[int], object]


def load(home: Path, path: Path, where: Where = HERE, advance: Advance = lambda _: None) -> MappingReport:
    """Load a table, or every table of a folder; a file's name is its table's.

    Rows replace those with the same key, so that loading twice changes nothing. Rows that do not fit are kept in the
    quarantine; a file of a folder that is no table is told and stops no other. A load that was interrupted goes on
    where it stopped, if its files are the same. Vocabulary tables go where :mod:`flip_trust.ingest.vocabulary` keeps
    them.

    Args:
        home: the Trust's home.
        path: a file or a folder.
        where: on what rows are read and cast; tables are written here.
        advance: is told how many bytes were read.

    Raises:
        IngestError: there is no table at ``path``, or it is a file that cannot be read as one.
        SetupError: the cluster cannot be used.
    """
    report = MappingReport("OMOP tables")
    files = files_of(path)
    sources = []
    for file in files:
        try:
            sources.append(Source.of(file, definitions()[_table_name(file)]))
        except IngestError as error:
            if file == path:
                raise
            report.not_read[file.name] = f"{error.message} {error.mend}"
            advance(file.stat().st_size)
    _load_all(home, sources, report, where, advance)
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    return report


def load_file(home: Path, table: TableDefinition, file: Path, report: MappingReport, separator: str = ",") -> None:
    """Load one file into ``vocabulary/`` or ``omop/``.

    Raises:
        IngestError: it cannot be read.
    """
    _load_all(home, [Source.of(file, table, separator)], report)


def files_of(path: Path) -> list[Path]:
    """The tables at a path.

    Raises:
        IngestError: there is none, or it is a file of another name.
    """
    files = list(_files(path))
    if not files:
        raise IngestError(f"There is no OMOP table at {path}.", "Name files after their tables: person.csv, …")
    return files


def _load_all(
    home: Path,
    sources: Sequence[Source],
    report: MappingReport,
    where: Where = HERE,
    advance: Advance = lambda _: None,
) -> None:
    """Each file once all of its pieces are cast; files in their order, as the later of two rows with one key counts."""
    with Parts.of(home, sources) as parts:
        pieces = [piece for source in sources for piece in pieces_of(source)]
        missing, waiting = Counter(piece.source.file for piece in pieces), deque(sources)
        for piece in _done(pieces, parts, where):
            advance(piece.size)
            missing[piece.source.file] -= 1
            while waiting and not missing[waiting[0].file]:
                source = waiting.popleft()
                _load_source(home, source, [one for one in pieces if one.source is source], parts, report)


def _done(pieces: Sequence[Piece], parts: Parts, where: Where) -> Iterator[Piece]:
    """Each piece, once its parts are there."""
    todo = []
    for piece in pieces:
        if parts.has(piece):
            yield piece
        else:
            todo.append(piece)
    if not todo:
        return
    for ended in scaleout.run(partial(make, parts), ([piece] for piece in todo), where):
        if isinstance(ended, scaleout.Done):
            yield from ended.items
        else:
            parts.lose(ended.item, ended.why)
            yield ended.item


def _load_source(home: Path, source: Source, pieces: Sequence[Piece], parts: Parts, report: MappingReport) -> None:
    table = definitions()[source.table]
    for name in sorted(set(source.names.values()) - set(table.schema)):
        report.passed_over[f"{table.name}: column {name}, which the table does not have"] += 1
    rows, bad = parts.of_source(source, pieces)
    report.read[table.name] += len(rows) + len(bad)
    if table.name == "person" and not rows.is_empty():
        links.from_person_table(home, rows)
    folder = home / ("vocabulary" if table.name in VOCABULARY_TABLES else "omop")
    with store.writing(folder):
        report.loaded[table.name] += store.merge(folder, table, rows) if not rows.is_empty() else 0
    _keep_refused(home, table, Path(source.file), bad, report)


def _keep_refused(home: Path, table: TableDefinition, file: Path, bad: pl.DataFrame, report: MappingReport) -> None:
    kept = quarantine.keep_rows(home, table.name, quarantine.digest_of(file), bad)
    if kept is None:
        return
    report.kept_in.append(kept)
    for reason, count in bad.group_by(REASON, maintain_order=True).len().iter_rows():
        report.refused[f"{table.name}: {reason}"] += count


def _files(path: Path) -> Iterator[Path]:
    candidates: Iterable[Path] = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    for file in candidates:
        known = file.suffix.lower() in _SUFFIXES and _table_name(file) in definitions()
        if known:
            yield file
        elif file == path:
            raise IngestError(
                f"{file.name} is not named after a table of OMOP CDM 5.4.", "Name it person.csv, measurement.parquet, …"
            )


def _table_name(file: Path) -> str:
    return file.stem.lower()
