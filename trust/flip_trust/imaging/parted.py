"""A table in parts: rows are added often, each time as a small file, and read as one in which the last row counts.

Once there are many parts they are put together. A reader that has listed the old ones still finds them: they are
removed one putting-together later.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from flip_trust.ingest import store

MOST_PARTS = 32
_WHOLE = "-whole.parquet"
_DIGITS = 20
"""Of a name: year to microsecond."""


@dataclass(frozen=True)
class Parted:
    """A table in parts.

    Attributes:
        folder: holds its files; hold it with :func:`flip_trust.ingest.store.writing` to add rows.
        schema: columns and their types.
        key: the column by which a later row replaces an earlier one.
    """

    folder: Path
    schema: dict[str, pl.DataType]
    key: str

    def frame(self) -> pl.LazyFrame:
        """Every row that counts."""
        parts = self._parts()
        if not parts:
            return pl.LazyFrame(schema=self.schema)
        return pl.scan_parquet(parts).unique(self.key, keep="last", maintain_order=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows; they are on the disk when this returns."""
        parts = self._parts()
        if len(parts) < MOST_PARTS:
            store.write(self._named(".parquet"), rows)
            return
        rows = pl.concat([self.frame().collect(), rows]).unique(self.key, keep="last", maintain_order=True)
        earlier = [path for path in self._files() if path < parts[0]]
        store.write(self._named(_WHOLE), rows)
        for old in earlier:
            old.unlink()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    def _parts(self) -> list[Path]:
        """The last whole one, and what came after it."""
        files = self._files()
        whole = [at for at, path in enumerate(files) if path.name.endswith(_WHOLE)]
        return files[whole[-1] :] if whole else files

    def _named(self, ending: str) -> Path:
        """Names sort by time, so that the last row of a key is the latest, even where a clock was put back."""
        last = max((int(path.name[:_DIGITS]) for path in self._files()[-1:]), default=0)
        when = max(int(f"{datetime.now(UTC):%Y%m%d%H%M%S%f}"), last + 1)
        return self.folder / f"{when:0{_DIGITS}}-{secrets.token_hex(4)}{ending}"
