"""What was made of series and slides, kept for later jobs: plain float16 in files that are mapped, never leaving.

Each pipeline (form, transforms, size and bounds, under one de-identification profile) has a folder of its own below
``features/images/``: ``*.f16`` with the images of some series or slides each, written once, and ``rows``, a table that
says where each one's images are. A file counts once a row names it, and a row counts as long as its file is there; so a
kill at any moment costs what was under way, and to make room is to delete files.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from flip_sdk.contract.records import Record
from flip_sdk.mechanisms.images.pipeline import Shown

from flip_trust.durable import sync_folder
from flip_trust.imaging.parted import Parted
from flip_trust.ingest import store
from flip_trust.keys import write_private

FOLDER: Final = ("features", "images")
ROWS: Final = "rows"
ENDING: Final = ".f16"
ABOUT: Final = "pipeline.json"
_PLACE = pl.Struct({"level": pl.Int64(), "x": pl.Int64(), "y": pl.Int64(), "mpp": pl.Float64()})
SCHEMA: dict[str, pl.DataType] = {
    "item": pl.Int64(), "content": pl.String(), "shard": pl.String(), "first": pl.Int64(), "images": pl.Int64(),
    "reason": pl.String(), "places": pl.List(_PLACE),
}  # fmt: skip
"""``first``: of its images in the shard; ``reason``: why there are none; ``places``: of a slide's tiles, in order."""
_FORMAT: Final = 1


class Pipeline(Record):
    """What decides how an image comes out; another one is another folder.

    Attributes:
        asked: the part of the job's images that is about pixels.
        profile: digest of the de-identification profile.
        made_by: versions of what makes them.
    """

    asked: dict[str, object]
    profile: str
    made_by: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What is kept of one pipeline.

    Attributes:
        about: the pipeline.
        items: series and slides of which there are images.
        images: of all of them.
        failed: how many series and slides, by the reason.
        size: bytes.
        used: seconds since the epoch; 0: there are no images.
    """

    about: Pipeline
    items: int
    images: int
    failed: dict[str, int]
    size: int
    used: float


@dataclass(frozen=True)
class Kept:
    """One pipeline's folder.

    Attributes:
        folder: its own.
        values: numbers of one image.
    """

    folder: Path
    values: int

    def rows(self) -> pl.DataFrame:
        """What is known: images whose file is there, and failures."""
        there = [path.name for path in self.folder.glob(f"*{ENDING}")]
        found = self._table.frame().collect()
        return found.filter((pl.col("reason") != "") | pl.col("shard").is_in(there))

    def add(self, rows: pl.DataFrame) -> None:
        """Make rows of :data:`SCHEMA` count; their files are on the disk."""
        self._table.add(rows)

    def copy(self, wanted: pl.DataFrame, target: Shown) -> None:
        """Copy images into ``[rows, values]``.

        Args:
            wanted: ``row`` of the target, ``shard``, and ``at``, the image's place in it.
            target: where to.
        """
        for (shard,), part in wanted.group_by("shard", maintain_order=True):
            path = self.folder / str(shard)
            images = np.memmap(path, "<f2", "r").reshape(-1, self.values)
            target[part["row"].to_numpy()] = images[part["at"].to_numpy()]
            os.utime(path)

    @property
    def _table(self) -> Parted:
        return Parted(self.folder / ROWS, SCHEMA, "item")


@contextmanager
def opened(home: Path, pipeline: Pipeline, values: int) -> Iterator[Kept]:
    """A pipeline's folder, held against everybody else who would fill it or make room in it."""
    folder = home.joinpath(*FOLDER) / pipeline.digest()[-16:]
    for made in (folder.parent.parent, folder.parent):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    with store.writing(folder), store.writing(folder / ROWS):
        if not (folder / ABOUT).exists():
            write_private(folder / ABOUT, json.dumps(pipeline.model_dump(mode="json"), indent=1).encode())
        kept = Kept(folder, values)
        _sweep(kept)
        yield kept


def write_shard(folder: Path, images: Sequence[Shown]) -> str:
    """Write images ``[images, values]`` of some series or slides, one after the other; the file's name."""
    name = secrets.token_hex(8) + ENDING
    temporary = folder / f".{name}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        for one in images:
            stream.write(np.ascontiguousarray(one, "<f2").data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(folder / name)
    sync_folder(folder)
    return name


def folders(home: Path) -> list[Path]:
    """Every pipeline's folder."""
    return sorted(path.parent for path in home.joinpath(*FOLDER).glob(f"*/{ABOUT}"))


def summaries(home: Path) -> list[Summary]:
    """What is kept, pipeline by pipeline; those that were used last come first."""
    found = []
    for folder in folders(home):
        rows = Kept(folder, 0).rows()
        there, failed = rows.filter(pl.col("reason") == ""), rows.filter(pl.col("reason") != "")
        files = [path.stat() for path in folder.glob(f"*{ENDING}")]
        found.append(
            Summary(
                Pipeline.parse((folder / ABOUT).read_bytes()),
                len(there),
                int(there["images"].sum()),
                dict(failed["reason"].value_counts().iter_rows()),
                sum(file.st_size for file in files),
                max((file.st_mtime for file in files), default=0.0),
            )
        )
    return sorted(found, key=lambda one: -one.used)


def make_room(home: Path, most: float) -> int:
    """Delete what was longest unused, until no more than so many bytes are kept; how many files.

    What is in use stays: whoever holds a pipeline's folder makes room when done.
    """
    files = sorted(
        ((path, path.stat()) for folder in folders(home) for path in folder.glob(f"*{ENDING}")),
        key=lambda file: file[1].st_mtime,
    )
    size, deleted = sum(told.st_size for _, told in files), 0
    for path, told in files:
        if size <= most:
            break
        with _free(path.parent) as free:
            if free:
                path.unlink(missing_ok=True)
                size, deleted = size - told.st_size, deleted + 1
    return deleted


def clear(home: Path, *, failed: bool) -> int:
    """Forget what is kept, or only what failed, which is then tried again; of how many series and slides.

    A folder in use is waited for.
    """
    forgotten = 0
    for folder in folders(home):
        with store.writing(folder), store.writing(folder / ROWS):
            kept = Kept(folder, 0)
            rows = kept.rows()
            going = rows.filter(pl.col("reason") != "") if failed else rows
            forgotten += len(going)
            if failed:
                kept.add(going.with_columns(content=pl.lit(""), reason=pl.lit("")))
                continue
            for path in (*(folder / ROWS).glob("*.parquet"), *folder.glob(f"*{ENDING}"), folder / ABOUT):
                path.unlink()
    return forgotten


@contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Hold a folder if nobody else does."""
    descriptor = os.open(folder / store.LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _sweep(kept: Kept) -> None:
    """Delete what a killed run left: files that no row names."""
    named = set(kept.rows()["shard"])
    for path in kept.folder.glob(f"*{ENDING}"):
        if path.name not in named:
            path.unlink()
    for path in kept.folder.glob(f".*{ENDING}"):
        path.unlink()
