"""The index: reads what the raw store has on its list and writes it as tables.

An instance is one row of ``imaging/index/*.parquet``; a series is one row of ``omop/image_occurrence.parquet`` (MI-CDM)
and of ``omop/image_series.parquet``, our own table of its geometry. An instance leaves the list only when its rows are
on the disk, so a kill at any moment means that some are read once more. What cannot be read goes to quarantine.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from flip_trust.agent import log
from flip_trust.deidentification.keyed import Keyed
from flip_trust.durable import sync_folder
from flip_trust.imaging import series
from flip_trust.imaging.files import NotDicomError
from flip_trust.imaging.header import Header, Reader
from flip_trust.imaging.parted import Parted
from flip_trust.imaging.spool import RAW, TODO, names_in
from flip_trust.ingest import links, store
from flip_trust.keys import write_private

BATCH = 2000
_SCHEMA: dict[str, pl.DataType] = {
    "file": pl.String(), "person_id": pl.Int64(), "image_occurrence_id": pl.Int64(), "study_uid": pl.String(),
    "series_uid": pl.String(), "instance_uid": pl.String(), "day": pl.Date(), "modality": pl.String(),
    "body_part": pl.String(), "sop_class": pl.String(), "transfer_syntax": pl.String(), "rows": pl.Int64(),
    "columns": pl.Int64(), "frames": pl.Int64(), "spacing_row": pl.Float64(), "spacing_column": pl.Float64(),
    "thickness": pl.Float64(), "orientation": pl.List(pl.Float64()), "positions": pl.List(pl.Float64()),
    "conflict": pl.Boolean(),
}  # fmt: skip
_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What one run of the index did.

    Attributes:
        indexed: instances whose rows were written.
        quarantined: files that could not be read.
        conflicts: instances among them whose UID belonged to a different one.
    """

    indexed: int = 0
    quarantined: int = 0
    conflicts: int = 0


class Index:
    """One Trust's index. One process writes it at a time; a second one waits.

    Args:
        home: the Trust's home.

    Raises:
        SetupError: the de-identification key cannot be read.
    """

    def __init__(self, home: Path) -> None:
        self._home, self._table = home, Parted(home / "imaging" / "index", _SCHEMA, "file")
        self._raw, self._todo = home / "imaging" / RAW, home / "imaging" / TODO
        self._keyed = Keyed.load(home)

    def waiting(self) -> list[str]:
        """The files on the list."""
        return sorted(os.listdir(self._todo)) if self._todo.is_dir() else []

    def run(self, done: Callable[[int], None] = lambda _: None, most: int | None = None) -> Tally:
        """Index what is on the list.

        Args:
            done: told after each batch how many files it had.
            most: stop after so many.
        """
        tally = Tally()
        with store.writing(self._table.folder):
            waiting = self.waiting()[:most]
            for at in range(0, len(waiting), BATCH):
                names = waiting[at : at + BATCH]
                self._batch(names, tally)
                done(len(names))
        return tally

    def rebuild(self) -> int:
        """Put every instance of the raw store on the list again; how many there are."""
        names = list(names_in(self._raw))
        for name in names:
            listed = self._todo / name[3:]
            if not listed.exists():
                os.link(self._raw / name, listed)
        return len(names)

    def instances(self) -> pl.LazyFrame:
        """Every indexed instance, once."""
        # who was merged since an instance was indexed is somebody else now
        now = links.merged(self._home / "omop")
        found = self._table.frame()
        return found.with_columns(pl.col("person_id").replace(now)) if now else found

    def _batch(self, names: Sequence[str], tally: Tally) -> None:
        reader = Reader(self._keyed, links.known_numbers(self._home))
        found = [header for name in names if (header := self._read(reader, name, tally))]
        if found:
            self._table.add(pl.DataFrame([asdict(header) for header in found], schema=_SCHEMA))
            touched = {header.image_occurrence_id for header in found}
            rows = self.instances().filter(pl.col("image_occurrence_id").is_in(list(touched))).collect()
            series.write(self._home, rows)
        for name in names:
            (self._todo / name).unlink(missing_ok=True)
        tally.indexed += len(found)
        tally.conflicts += sum(header.conflict for header in found)

    def _read(self, reader: Reader, name: str, tally: Tally) -> Header | None:
        try:
            return reader.read(self._raw / name[:2] / name)
        except NotDicomError as error:
            log.event(_log, "instance.quarantined", file=name)
            self._quarantine(name, error.reason)
            tally.quarantined += 1
        except FileNotFoundError:
            log.event(_log, "instance.gone", level=logging.WARNING, file=name)
        return None

    def _quarantine(self, name: str, reason: str) -> None:
        folder = self._home / "quarantine" / "imaging"
        for made in (folder.parent, folder):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"reason": reason, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        write_private(folder / f"{name}.json", json.dumps(told).encode())
        (self._raw / name[:2] / name).rename(folder / name)
        sync_folder(folder)


assert list(_SCHEMA) == [field.name for field in fields(Header)]
