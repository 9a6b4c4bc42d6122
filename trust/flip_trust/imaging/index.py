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
from functools import partial
from pathlib import Path

import polars as pl

from flip_trust import scaleout
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
from flip_trust.scaleout import HERE, Where

BATCH = 2000
_READ = 500
_SCHEMA: dict[str, pl.DataType] = {
    "file": pl.String(), "person_id": pl.Int64(), "image_occurrence_id": pl.Int64(), "study_uid": pl.String(),
    "series_uid": pl.String(), "instance_uid": pl.String(), "day": pl.Date(), "modality": pl.String(),
    "body_part": pl.String(), "sop_class": pl.String(), "transfer_syntax": pl.String(), "rows": pl.Int64(),
    "columns": pl.Int64(), "frames": pl.Int64(), "spacing_row": pl.Float64(), "spacing_column": pl.Float64(),
    "thickness": pl.Float64(), "orientation": pl.List(pl.Float64()), "positions": pl.List(pl.Float64()),
    "conflict": pl.Boolean(),
}  # fmt: skip
_Read = tuple[str, Header | str | None]
"""A file and its header; why it has none; None where it is gone."""
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

    def run(self, done: Callable[[int], None] = lambda _: None, most: int | None = None, where: Where = HERE) -> Tally:
        """Index what is on the list.

        Args:
            done: told after each batch how many files it had.
            most: stop after so many.
            where: on what headers are read; the tables are written here.

        Raises:
            SetupError: the cluster cannot be used.
        """
        tally = Tally()
        with store.writing(self._table.folder):
            waiting = self.waiting()[:most]
            together: list[_Read] = []
            work = partial(read_headers, str(self._home.absolute()))
            for ended in scaleout.run(work, scaleout.batched(waiting, _READ), where):
                together += ended.result if isinstance(ended, scaleout.Done) else _lost(ended)
                if len(together) >= BATCH:
                    self._batch(together, tally)
                    done(len(together))
                    together = []
            self._batch(together, tally)
            done(len(together))
        return tally

    def rebuild(self) -> int:
        """Put every instance of the raw store on the list again; how many there are."""
        names = list(names_in(self._raw))
        for name in names:
            listed = self._todo / name[3:]
            if not listed.exists():
                os.link(self._raw / name, listed)
        return len(names)

    def parts(self) -> list[str]:
        """Names of the index's files; others once something was added."""
        return sorted(path.name for path in self._table.folder.glob("*.parquet"))

    def instances(self) -> pl.LazyFrame:
        """Every indexed instance, once."""
        # who was merged since an instance was indexed is somebody else now
        now = links.merged(self._home / "omop")
        found = self._table.frame()
        return found.with_columns(pl.col("person_id").replace(now)) if now else found

    def _batch(self, read: Sequence[_Read], tally: Tally) -> None:
        found = [header for _, header in read if isinstance(header, Header)]
        if found:
            self._table.add(pl.DataFrame([asdict(header) for header in found], schema=_SCHEMA))
            touched = {header.image_occurrence_id for header in found}
            rows = self.instances().filter(pl.col("image_occurrence_id").is_in(list(touched))).collect()
            series.write(self._home, rows)
        for name, refused in read:
            if isinstance(refused, str):
                log.event(_log, "instance.quarantined", file=name)
                self._quarantine(name, refused)
                tally.quarantined += 1
            elif refused is None:
                log.event(_log, "instance.gone", level=logging.WARNING, file=name)
            (self._todo / name).unlink(missing_ok=True)
        tally.indexed += len(found)
        tally.conflicts += sum(header.conflict for header in found)

    def _quarantine(self, name: str, reason: str) -> None:
        folder = self._home / "quarantine" / "imaging"
        for made in (folder.parent, folder):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"reason": reason, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        write_private(folder / f"{name}.json", json.dumps(told).encode())
        (self._raw / name[:2] / name).rename(folder / name)
        sync_folder(folder)


def read_headers(home: str, names: list[str]) -> list[_Read]:
    """What a worker does with one batch."""
    reader = Reader(Keyed.load(Path(home)), links.known_numbers(Path(home)))
    return [(name, _header(reader, Path(home) / "imaging" / RAW / name[:2] / name)) for name in names]


def _lost(failed: scaleout.Failed[str]) -> list[_Read]:
    """What takes readers down goes to quarantine; what the disk does not give stays on the list."""
    log.event(_log, "instance.unread", level=logging.ERROR, file=failed.item, why=failed.why)
    return [(failed.item, "its header cannot be read")] if failed.why == scaleout.KILLED else []


def _header(reader: Reader, path: Path) -> Header | str | None:
    try:
        return reader.read(path)
    except NotDicomError as error:
        return error.reason
    except FileNotFoundError:
        return None


assert list(_SCHEMA) == [field.name for field in fields(Header)]
