"""Who is who: keyed numbers of the identifiers that a person is known by, beside ``person_id``, and who opted out.

Both tables lie beside the OMOP tables: ``person_link.parquet`` (kind, key, person_id) and ``opted_out.parquet`` (key).
They hold no identifier: a key is :meth:`flip_trust.deidentification.keyed.Keyed.number` of one. A link of the kind
``merged`` says that the person ``key`` is ``person_id`` now; the links of numbers stay as they first were, so that a
record that is read again gets the ids that it had (:mod:`flip_trust.ingest.merges` moves the rows).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from flip_trust.deidentification.keyed import Keyed
from flip_trust.errors import IngestError
from flip_trust.ingest import store
from flip_trust.ingest.cdm import Column, TableDefinition

LINK = TableDefinition(
    "person_link",
    (Column("kind", "string", True), Column("key", "integer", True), Column("person_id", "integer", True)),
    ("kind", "key"),
)
OPTED_OUT = TableDefinition("opted_out", (Column("key", "integer", True),), ("key",))
NUMBER, FHIR, MERGED = "number", "fhir", "merged"
_MARKS = re.compile(r"[\s-]+")


def plain(number: str) -> str:
    """A patient's number as it is compared: without spaces and hyphens, in capitals."""
    return _MARKS.sub("", number).upper()


def key_of(keyed: Keyed, number: str) -> int:
    """The keyed number that stands for a patient's number of any kind: NHS number or hospital number."""
    return keyed.number("person", plain(number))


def person_of(keyed: Keyed, number: str, known: dict[int, int] | None = None) -> int:
    """``person_id`` of a patient's number: the linked one, else the number's own key."""
    key = key_of(keyed, number)
    return (known or {}).get(key, key)


def known_numbers(home: Path) -> dict[int, int]:
    """Every linked number's key with the ``person_id`` that it stands for now."""
    return _known(home, NUMBER)


def known_resources(home: Path) -> dict[int, int]:
    """Every FHIR patient's key with the ``person_id`` that it stands for now."""
    return _known(home, FHIR)


def first_numbers(home: Path) -> dict[int, int]:
    """Every linked number's key with the ``person_id`` that it was first linked to, before any merge."""
    return _linked(home / "omop", NUMBER)


def merged(folder: Path) -> dict[int, int]:
    """Every person who was merged away, with who they are now (who was merged away no more).

    Where OMOP tables gave a merged number a person of their own, that person is meant too.

    Args:
        folder: where the OMOP tables are.
    """
    pairs = _linked(folder, MERGED)
    if not pairs:
        return {}
    numbers = _linked(folder, NUMBER, {*pairs, *pairs.values()})
    now: dict[int, int] = {}
    for gone, kept in pairs.items():
        target = _end(now, numbers.get(kept, kept))
        for one in (gone, numbers.get(gone, gone)):
            if (end := _end(now, one)) != target:
                now[end] = target
    return {person: _end(now, person) for person in now}


def add(home: Path, rows: Iterable[tuple[str, int, int]]) -> None:
    """Link keys to persons: (kind, key, person_id). A link that already leads to the same person stays as it is."""
    frame = pl.DataFrame(list(rows), schema=LINK.schema, orient="row")
    if frame.is_empty():
        return
    with store.writing(home / "omop"):
        if now := merged(home / "omop"):
            old = pl.scan_parquet(home / "omop" / "person_link.parquet").join(
                frame.lazy(), on=["kind", "key"], how="semi"
            )
            known = old.rename({"person_id": "was"}).collect()
            told = frame.join(known, on=["kind", "key"], how="left", maintain_order="left")
            same = pl.col("was").replace(now) == pl.col("person_id").replace(now)
            frame = told.filter(~same.fill_null(value=False) | (pl.col("kind") == MERGED)).drop("was")
        store.merge(home / "omop", LINK, frame)


def from_person_table(home: Path, persons: pl.DataFrame) -> None:
    """Link the numbers that a loaded person table keeps as ``person_source_value``."""
    if "person_source_value" not in persons.columns:
        return
    keyed = Keyed.load(home)
    sourced = persons.select("person_source_value", "person_id").drop_nulls()
    add(home, ((NUMBER, key_of(keyed, number), person_id) for number, person_id in sourced.iter_rows()))


def opt_out(home: Path, file: Path, *, replace: bool) -> tuple[int, list[int]]:
    """Take a list of patients' numbers who opted out, one a line (a comma and what follows it are not read).

    Args:
        home: the Trust's home.
        file: the list.
        replace: the list is the whole one, and who is not on it is no longer opted out; else they are added.

    Returns:
        How many numbers were taken, and the lines that hold none or an NHS number whose check digit is wrong.

    Raises:
        IngestError: the file cannot be read.
    """
    keyed = Keyed.load(home)
    taken: list[int] = []
    wrong: list[int] = []
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise IngestError(f"{file} cannot be read.", "Give a text file with one number a line.") from error
    for line, text in enumerate(lines, start=1):
        number = plain(text.partition(",")[0].strip('" '))
        if not number:
            continue
        (taken if is_number(number) else wrong).append(key_of(keyed, number) if is_number(number) else line)
    frame = pl.DataFrame({"key": taken}, schema=OPTED_OUT.schema)
    with store.writing(home / "omop"):
        if replace:
            store.write(home / "omop" / "opted_out.parquet", frame.unique().sort("key"))
        else:
            store.merge(home / "omop", OPTED_OUT, frame)
    return len(set(taken)), wrong


def opted_out_persons(folder: Path) -> pl.LazyFrame | None:
    """``person_id`` of everyone who opted out, in any of their numbers; None where nobody did.

    Of merged persons an opt-out of any counts for all, whichever rows were moved already.

    Args:
        folder: where the OMOP tables are.
    """
    listed, linked = folder / "opted_out.parquet", folder / "person_link.parquet"
    if not listed.exists():
        return None
    keys = pl.scan_parquet(listed)
    alone = keys.select(pl.col("key").alias("person_id"))
    if not linked.exists():
        return alone
    known = pl.scan_parquet(linked).filter(pl.col("kind") == NUMBER).join(keys, on="key", how="semi")
    listed_persons = pl.concat([alone, known.select("person_id")]).unique()
    return _with_merged(folder, listed_persons)


def is_number(number: str) -> bool:
    """Whether a number can be one; of ten digits, whether the NHS number's check digit is right.

    Source: NHS Data Dictionary, NHS NUMBER (modulus 11).
    """
    if not number.isalnum() or not any(mark.isdigit() for mark in number):
        return False
    if len(number) != 10 or not number.isdigit():
        return True
    check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(number[:9])) % 11
    return check % 11 == int(number[9]) and check != 10


def _known(home: Path, kind: str) -> dict[int, int]:
    now = merged(home / "omop")
    return {key: now.get(person, person) for key, person in _linked(home / "omop", kind).items()}


def _linked(folder: Path, kind: str, keys: set[int] | None = None) -> dict[int, int]:
    path = folder / "person_link.parquet"
    if not path.exists():
        return {}
    found = pl.scan_parquet(path).filter(pl.col("kind") == kind)
    if keys is not None:
        found = found.join(pl.LazyFrame({"key": list(keys)}, schema={"key": pl.Int64}), on="key", how="semi")
    return dict(found.select("key", "person_id").collect().iter_rows())


def _end(now: dict[int, int], person: int) -> int:
    while person in now:
        person = now[person]
    return person


def _with_merged(folder: Path, persons: pl.LazyFrame) -> pl.LazyFrame:
    now = merged(folder)
    if not now:
        return persons
    ends = pl.LazyFrame({"gone": list(now), "kept": list(now.values())}, schema={"gone": pl.Int64, "kept": pl.Int64})
    of_gone = ends.join(persons, left_on="gone", right_on="person_id", how="semi").select(person_id="kept")
    all_kept = pl.concat([persons, of_gone]).unique()
    all_gone = ends.join(all_kept, left_on="kept", right_on="person_id", how="semi").select(person_id="gone")
    return pl.concat([all_kept, all_gone]).unique()
