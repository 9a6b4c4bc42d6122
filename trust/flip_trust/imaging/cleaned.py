"""Which instances are de-identified, and where: a table that the worker writes and whoever needs pixels reads.

What is done under one profile lies in a folder of its own, ``imaging/deidentified/<end of the profile's digest>``: the
files by pseudonymous person, study and series, and ``records`` with a row for each instance that was dealt with. So a
new profile starts from nothing, and the old one's files are told apart to the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flip_trust.config import TrustConfig
from flip_trust.deidentification.profile import Profile, load
from flip_trust.imaging.parted import Parted

FOLDER, RECORDS = "deidentified", "records"
SCHEMA: dict[str, pl.DataType] = {"file": pl.String(), "path": pl.String(), "profile": pl.String()}
_RECORDS: dict[str, pl.DataType] = {**SCHEMA, "reason": pl.String()}


@dataclass(frozen=True)
class Place:
    """Where a Trust's instances are de-identified to under one profile."""

    home: Path
    profile: Profile

    @property
    def folder(self) -> Path:
        """The profile's own."""
        return self.home / "imaging" / FOLDER / self.profile.digest[-16:]

    @property
    def parts(self) -> Path:
        """Files that are not whole yet."""
        return self.folder / "parts"

    @property
    def records(self) -> Parted:
        """A row for each instance dealt with: ``path`` below :attr:`folder`, or the ``reason`` of a refusal."""
        return Parted(self.folder / RECORDS, _RECORDS, "file")


def profile_of(home: Path) -> Profile:
    """The profile that the Trust's images are de-identified by: a name, or a YAML file below the home.

    Raises:
        SetupError: settings or profile cannot be read.
    """
    name = TrustConfig.load(home).deidentification_profile
    return load(str(home / name) if name.endswith((".yaml", ".yml")) else name)


def cleaned(home: Path) -> pl.LazyFrame:
    """The instances that are de-identified under the Trust's current profile, each once.

    Columns (all String): ``file``, its name in the raw store, as :meth:`Index.instances` has it; ``path``, the
    absolute path of the de-identified file; ``profile``, the profile's digest.

    Raises:
        SetupError: settings or profile cannot be read.
    """
    place = Place(home, profile_of(home))
    rows = place.records.frame().filter(pl.col("reason") == "")
    return rows.select("file", pl.lit(f"{place.folder.absolute()}/").add(pl.col("path")).alias("path"), "profile")
