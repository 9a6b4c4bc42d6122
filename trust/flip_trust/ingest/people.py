"""Who somebody is, by the numbers they are known by, and the tables of persons and their visits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links, store
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.events import UnusableError
from flip_trust.ingest.report import MappingReport

_SEEN = {"visit_occurrence_id": pl.Int64(), "seen": pl.Date()}
_OWN = {"MR", "PI"}
_OTHERS = {"NH", "NHS", "NI", "SS", "HC"}
"""HL7 table 0203: types of numbers that stand for one person: the hospital's own, and the country's."""


def ranked(numbers: Iterable[tuple[str, set[str]]]) -> list[str]:
    """The numbers that tell a person from others, the hospital's own first: images have that one.

    Numbers of other types are left out; where no number has a type, the first one counts.
    """
    given = list(numbers)
    own = [value for value, types in given if types & _OWN]
    others = [value for value, types in given if types & _OTHERS and not types & _OWN]
    untyped = [value for value, types in given if not types]
    return own + others or untyped[:1]


def identify(keyed: Keyed, numbers: Iterable[str], known: dict[int, int], otherwise: int = 0) -> int:
    """``person_id`` of someone known by these numbers; new numbers are added to ``known``.

    Args:
        keyed: for the numbers' keys.
        numbers: the first one names the person where none is known yet.
        known: ``person_id`` by a number's key.
        otherwise: the person, where there is no number.

    Raises:
        UnusableError: two of the numbers are two persons' here.
    """
    keys = [links.key_of(keyed, number) for number in numbers]
    persons = {known[key] for key in keys if key in known}
    if len(persons) > 1:
        raise UnusableError("its numbers are of different persons here: mend the identifiers at their source")
    person = persons.pop() if persons else keys[0] if keys else otherwise
    known.update(dict.fromkeys(keys, person))
    return person


def in_table(home: Path) -> set[int]:
    """Every ``person_id`` of the table of persons."""
    path = home / "omop" / "person.parquet"
    return set(pl.read_parquet(path, columns=["person_id"])["person_id"]) if path.exists() else set()


def merge_visits(home: Path, rows: list[dict[str, Any]], report: MappingReport, reopened: Collection[int] = ()) -> None:
    """Merge visits. Call it inside :func:`flip_trust.ingest.store.writing`.

    OMOP wants a beginning and an end: until they are told, a visit begins on the day it was first ``seen`` and ends on
    the day it began.

    Args:
        home: the Trust's home.
        rows: a row without a value keeps the value there was.
        report: is told how many.
        reopened: visits whose end was taken back: the end that there was is kept no more.
    """
    if not rows:
        return
    table = definition("visit_occurrence")
    _reopen(home / "omop" / f"{table.name}.parquet", reopened)
    known = store.typed(rows, table)
    known = known.with_columns(
        pl.lit(None, dtype=table.schema[name]).alias(name)
        for name in ("visit_start_date", "visit_end_date")
        if name not in known.columns
    )
    report.loaded[table.name] += store.merge(home / "omop", table, known, amend=True)
    path = home / "omop" / f"{table.name}.parquet"
    merged = pl.read_parquet(path)
    seen = {row["visit_occurrence_id"]: row["seen"] for row in reversed(rows) if "seen" in row}
    first = pl.DataFrame({"visit_occurrence_id": list(seen), "seen": list(seen.values())}, schema=_SEEN)
    whole = merged.join(first, on="visit_occurrence_id", how="left", maintain_order="left")
    whole = whole.with_columns(pl.col("visit_start_date").fill_null(pl.col("seen"))).drop("seen")
    whole = whole.with_columns(pl.col("visit_end_date").fill_null(pl.col("visit_start_date")))
    if not whole.equals(merged):
        store.write(path, whole)


def _reopen(path: Path, visits: Collection[int]) -> None:
    if not visits or not path.exists():
        return
    old = pl.read_parquet(path)
    theirs = pl.col("visit_occurrence_id").is_in(pl.Series(list(visits), dtype=pl.Int64).implode())
    ends = [name for name in ("visit_end_date", "visit_end_datetime") if name in old.columns]
    new = old.with_columns(pl.when(~theirs).then(pl.col(name)).alias(name) for name in ends)
    if not new.equals(old):
        store.write(path, new)


def merge(home: Path, name: str, rows: list[dict[str, Any]], report: MappingReport, *, amend: bool = False) -> None:
    """Merge rows of a table. Call it inside :func:`flip_trust.ingest.store.writing`."""
    if rows:
        table = definition(name)
        report.loaded[name] += store.merge(home / "omop", table, store.typed(rows, table), amend=amend)
