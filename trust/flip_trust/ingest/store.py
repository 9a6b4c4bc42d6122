"""Writing tables: one writer at a time, each file whole on the disk before it takes the old one's place."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import polars as pl

from flip_trust.durable import sync_folder
from flip_trust.ingest.cdm import TableDefinition

LOCK_FILE = ".lock"


@contextmanager
def writing(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder of tables against every other writer; readers see the old file or the new one.

    Raises:
        BlockingIOError: another writer holds it, and it is not to be waited for.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def write(path: Path, frame: pl.DataFrame, compression: Literal["zstd", "lz4"] = "zstd") -> None:
    """Replace a table's file, in one step and readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            frame.write_parquet(stream, compression=compression)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def read(path: Path) -> pl.DataFrame | None:
    """A table; None when there is none."""
    return pl.read_parquet(path) if path.exists() else None


def merge(folder: Path, table: TableDefinition, rows: pl.DataFrame, *, amend: bool = False) -> int:
    """Put rows into a table: a row with a known key replaces the one there was.

    Call it inside :func:`writing`. Doing it twice with the same rows leaves the same table.

    Args:
        folder: where the table is or is to be.
        table: its definition; other columns of ``rows`` and of the file are kept.
        rows: the later of two rows with one key counts.
        amend: a row without a value keeps the value there was, as messages that tell only what changed mean it.

    Returns:
        How many different keys ``rows`` has.
    """
    old = read(folder / f"{table.name}.parquet")
    key = list(table.key)
    if old is not None and amend:
        known = old.join(rows.select(key).unique(), on=key, how="semi")
        rows = pl.concat([known, rows], how="diagonal_relaxed")
    rows = _amended(rows, key) if amend else rows.unique(key, keep="last", maintain_order=True)
    if old is None:
        write(folder / f"{table.name}.parquet", rows.sort(key))
        return len(rows)
    kept = old.join(rows.select(key), on=key, how="anti")
    merged = pl.concat([kept, rows], how="diagonal_relaxed").sort(key)
    if not merged.equals(old):
        write(folder / f"{table.name}.parquet", merged)
    return len(rows)


def remove(folder: Path, table: TableDefinition, column: str, values: Sequence[int] | pl.Series) -> int:
    """Remove the rows whose column has one of these values; how many there were. Call it inside :func:`writing`."""
    old = read(folder / f"{table.name}.parquet")
    if old is None:
        return 0
    kept = old.filter(~pl.col(column).is_in(pl.Series(values, dtype=pl.Int64).implode()))
    if len(kept) < len(old):
        write(folder / f"{table.name}.parquet", kept)
    return len(old) - len(kept)


def typed(rows: list[dict[str, object]], table: TableDefinition) -> pl.DataFrame:
    """Rows that are made here as a frame of the table's types, without the columns that none of them has."""
    schema = {name: kind for name, kind in table.schema.items() if any(name in row for row in rows)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _amended(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return rows.group_by(key, maintain_order=True).agg(pl.all().drop_nulls().last())
