"""Who is who: keyed numbers of the identifiers that a person is known by, beside ``person_id``, and who opted out.

Both tables lie beside the OMOP tables: ``person_link.parquet`` (kind, key, person_id) and ``opted_out.parquet`` (key).
They hold no identifier: a key is :meth:`flip_trust.deidentification.keyed.Keyed.number` of one.
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
NUMBER, FHIR = "number", "fhir"
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
    """Every linked number's key with its ``person_id``."""
    return _known(home, NUMBER)


def known_resources(home: Path) -> dict[int, int]:
    """Every FHIR patient's key with its ``person_id``."""
    return _known(home, FHIR)


def add(home: Path, rows: Iterable[tuple[str, int, int]]) -> None:
    """Link keys to persons: (kind, key, person_id)."""
    frame = pl.DataFrame(list(rows), schema=LINK.schema, orient="row")
    if frame.is_empty():
        return
    with store.writing(home / "omop"):
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
    return pl.concat([alone, known.select("person_id")]).unique()


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
    frame = store.read(home / "omop" / "person_link.parquet")
    if frame is None:
        return {}
    return dict(frame.filter(pl.col("kind") == kind).select("key", "person_id").iter_rows())
