"""Whether an identifier is left: the demo made all of them up, so it knows what to look for in each file's bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from flip_trust.imaging.cleaned import cleaned
from flip_trust.imaging.index import Index
from flip_trust.imaging.spool import RAW

from demo.imaging.hospitals import Hospital
from demo.imaging.persons import persons_of

_KEYED_UID = re.compile(rb"2\.25\.[0-9]+")
"""Of forty figures, eight may be a date by chance; a keyed UID says nothing."""


@dataclass(frozen=True)
class Finding:
    """What a search found.

    Attributes:
        files: that were searched.
        persons: whose they are.
        identifiers: that were looked for, each once.
        left: (file, identifier), wherever one was found.
    """

    files: int
    persons: int
    identifiers: int
    left: tuple[tuple[Path, str], ...]


def search_cleaned(place: Hospital, home: Path) -> Finding:
    """Search every de-identified file of a hospital's own people."""
    return search(place, _own(place, home, cleaned(home).select("file", "path")))


def search_raw(place: Hospital, home: Path) -> Finding:
    """The same search of the files as they came, which shows that it finds what is there."""
    raw = f"{home / 'imaging' / RAW}/"
    paths = Index(home).instances().select("file", path=pl.lit(raw) + pl.col("file").str.head(2) + "/" + pl.col("file"))
    return search(place, _own(place, home, paths))


def search(place: Hospital, files: Sequence[tuple[int, Path]]) -> Finding:
    """Look for identifiers in files.

    Args:
        place: the hospital.
        files: each with its ``person_id``.
    """
    known = identifiers(place)
    left = tuple((path, found) for person_id, path in files for found in left_in(path, known[person_id]))
    looked_for = {word for person_id in {person_id for person_id, _ in files} for word in known[person_id]}
    return Finding(len(files), len({person_id for person_id, _ in files}), len(looked_for), left)


def identifiers(place: Hospital) -> Mapping[int, frozenset[str]]:
    """By person, what must not be left in their images: the person's own, and the hospital's and its device's."""
    everywhere = {place.title, place.address, place.device.serial, place.device.station}
    return {person.person_id: frozenset(person.identifiers() | everywhere) for person in persons_of(place)}


def left_in(path: Path, words: Iterable[str]) -> Iterator[str]:
    """The words that are in a file's bytes, in any case."""
    data = _KEYED_UID.sub(b"", path.read_bytes()).lower()
    return (word for word in sorted(words) if word.lower().encode("latin-1") in data)


def _own(place: Hospital, home: Path, paths: pl.LazyFrame) -> list[tuple[int, Path]]:
    people = [person.person_id for person in persons_of(place)]
    owners = Index(home).instances().filter(pl.col("person_id").is_in(people)).select("file", "person_id")
    return [(person_id, Path(path)) for person_id, path in owners.join(paths, on="file").select(
        "person_id", "path").collect().iter_rows()]  # fmt: skip
