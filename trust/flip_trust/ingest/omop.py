"""OMOP tables in CSV or Parquet, of any hand, into the Trust's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from flip_trust.errors import IngestError
from flip_trust.ingest import links, merges, periods, quarantine, store, vocabulary
from flip_trust.ingest.casting import LINE, REASON, cast
from flip_trust.ingest.cdm import VOCABULARY_TABLES, TableDefinition, definitions
from flip_trust.ingest.report import MappingReport

ROWS_AT_A_TIME = 500_000
_SUFFIXES = (".csv", ".parquet")


def load(home: Path, path: Path) -> MappingReport:
    """Load a table, or every table of a folder; a file's name is its table's.

    Rows replace those with the same key, so that loading twice changes nothing. Rows that do not fit are kept in the
    quarantine. Vocabulary tables go where :mod:`flip_trust.ingest.vocabulary` keeps them.

    Raises:
        IngestError: there is no table at ``path``, or a file cannot be read as one.
    """
    report = MappingReport("OMOP tables")
    files = list(_files(path))
    if not files:
        raise IngestError(f"There is no OMOP table at {path}.", "Name files after their tables: person.csv, …")
    for file in files:
        _load_file(home, definitions()[_table_name(file)], file, report)
    merges.apply(home, report)
    periods.derive(home, report)
    vocabulary.refresh_used(home)
    return report


def load_file(home: Path, table: TableDefinition, file: Path, report: MappingReport, separator: str = ",") -> None:
    """Load one file into ``vocabulary/`` or ``omop/``.

    Raises:
        IngestError: it cannot be read.
    """
    _load_file(home, table, file, report, separator)


def _load_file(home: Path, table: TableDefinition, file: Path, report: MappingReport, separator: str = ",") -> None:
    folder = home / ("vocabulary" if table.name in VOCABULARY_TABLES else "omop")
    taken, refused = [], []
    try:
        for batch in _batches(file, table, report, separator):
            good, bad = cast(batch, table)
            taken.append(good)
            refused.append(bad)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IngestError(f"{file} cannot be read as a table.", "Give CSV with a header, or Parquet.") from error
    if not taken:
        return
    rows, bad = pl.concat(taken), pl.concat(refused)
    report.read[table.name] += len(rows) + len(bad)
    if table.name == "person" and not rows.is_empty():
        links.from_person_table(home, rows)
    with store.writing(folder):
        report.loaded[table.name] += store.merge(folder, table, rows) if not rows.is_empty() else 0
    _keep_refused(home, table, file, bad, report)


def _keep_refused(home: Path, table: TableDefinition, file: Path, bad: pl.DataFrame, report: MappingReport) -> None:
    kept = quarantine.keep_rows(home, table.name, quarantine.digest_of(file), bad)
    if kept is None:
        return
    report.kept_in.append(kept)
    for reason, count in bad.group_by(REASON).len().iter_rows():
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


def _batches(file: Path, table: TableDefinition, report: MappingReport, separator: str) -> Iterator[pl.DataFrame]:
    if file.suffix.lower() == ".parquet":
        frame = pl.scan_parquet(file)
    else:
        quoted = None if separator == "\t" else '"'
        frame = pl.scan_csv(
            file, separator=separator, infer_schema=False, quote_char=quoted, truncate_ragged_lines=False
        )
    names = {name: name.strip().lower() for name in frame.collect_schema().names()}
    known = set(table.schema)
    if missing := sorted(set(table.key) - set(names.values())):
        raise IngestError(f"{file} has no column {', '.join(missing)}.", "Give OMOP CDM 5.4's names in the first line.")
    for name in sorted(set(names.values()) - known):
        report.passed_over[f"{table.name}: column {name}, which the table does not have"] += 1
    frame = frame.rename(names).select(name for name in names.values() if name in known)
    frame = frame.with_row_index(LINE, offset=2 if file.suffix.lower() != ".parquet" else 1)
    yield from frame.collect_batches(chunk_size=ROWS_AT_A_TIME, maintain_order=True)
