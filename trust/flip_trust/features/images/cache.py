"""What was made of series and slides, kept for later jobs: plain float16 in files that are mapped, never leaving.

Each pipeline (form, transforms, size and bounds, under one de-identification profile) has a folder of its own below
``features/images/``: ``*.f16`` with the images of some series or slides each, written once, and ``rows``, a table that
says where each one's images are. A file counts once a row names it, and a row counts as long as its file is there; so a
kill at any moment costs what was under way, and to make room is to delete files.
"""

from __future__ import annotations

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
SCHEMA: dict[str, pl.DataType] = {
    "item": pl.Int64(), "content": pl.String(), "shard": pl.String(), "first": pl.Int64(), "images": pl.Int64(),
    "reason": pl.String(),
}  # fmt: skip
"""``first``: of its images in the shard; ``reason``: why there are none."""
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


def _sweep(kept: Kept) -> None:
    """Delete what a killed run left: files that no row names."""
    named = set(kept.rows()["shard"])
    for path in kept.folder.glob(f"*{ENDING}"):
        if path.name not in named:
            path.unlink()
    for path in kept.folder.glob(f".*{ENDING}"):
        path.unlink()
