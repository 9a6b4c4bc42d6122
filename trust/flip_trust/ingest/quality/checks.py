"""The checks: each counts the rows of a table that fail it, and fails where their share is over its threshold."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

import polars as pl

from flip_trust.ingest.cdm import VOCABULARY_TABLES, definitions
from flip_trust.ingest.quality.rows import BORN, DAYS_AFTER_DEATH, DIED, FAILS, day

_PERSON = ("person", "person_id")
_NEEDED = {
    "known_person": (_PERSON,),
    "covers_persons": (_PERSON,),
    "after_birth": (_PERSON, ("person", "year_of_birth")),
    "before_death": (("death", "person_id"), ("death", "death_date")),
}


@dataclass(frozen=True)
class Check:
    """One row of ``checks.csv``.

    Attributes:
        kind: how it is reckoned: a key of ``KINDS``.
        category: completeness, plausibility or conformance.
        table: where.
        column: of what.
        other: a second column, where the kind compares two.
        low: least value.
        high: greatest value; ``today`` for this year.
        threshold: percent of the rows that may fail.
    """

    kind: str
    category: str
    table: str
    column: str
    other: str
    low: str
    high: str
    threshold: float


@dataclass(frozen=True)
class Outcome:
    """What a check found: how many of how many rows fail it."""

    check: Check
    failed: int
    rows: int

    @property
    def percent(self) -> float:
        """Of the rows, that fail."""
        return 100 * self.failed / self.rows if self.rows else 0.0

    @property
    def passed(self) -> bool:
        """Whether they are few enough."""
        return self.percent <= self.check.threshold

    @property
    def words(self) -> str:
        """The check in words."""
        return WORDS[self.check.kind].format(**vars(self.check))


@dataclass(frozen=True)
class Tables:
    """The tables that a check may look at."""

    folder: Path
    today: date

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        return (self.folder / f"{table}.parquet").exists()

    def scan(self, table: str) -> pl.LazyFrame:
        """A table, not read yet."""
        return pl.scan_parquet(self.folder / f"{table}.parquet")

    def columns(self, table: str) -> dict[str, pl.DataType]:
        """Its columns with their types."""
        return dict(self.scan(table).collect_schema())


def outcomes(folder: Path, today: date) -> list[Outcome]:
    """Every check on every table that there is.

    Args:
        folder: where the OMOP tables are.
        today: no date is later.
    """
    tables = Tables(folder, today)
    return [outcome for check in _expanded(tables) if (outcome := _outcome(check, tables)) is not None]


def _outcome(check: Check, tables: Tables) -> Outcome | None:
    columns = tables.columns(check.table)
    wanted = [name for name in (check.column, check.other) if name]
    if check.kind not in {"required", "typed", "unique"} and set(wanted) - set(columns):
        return None
    for table, column in _NEEDED.get(check.kind, ()):
        if not tables.has(table) or column not in tables.columns(table):
            return None
    failed, rows = KINDS[check.kind](check, tables)
    return Outcome(check, failed, rows)


def _expanded(tables: Tables) -> Iterator[Check]:
    known = [name for name in definitions() if tables.has(name) and name not in VOCABULARY_TABLES]
    text = resources.files(__package__).joinpath("checks.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        check = Check(**(row | {"threshold": float(row["threshold"])}))  # type: ignore[arg-type]
        if check.table != "*":
            yield from [check] if tables.has(check.table) else []
            continue
        for table in known:
            yield from _each_column(Check(**(vars(check) | {"table": table})), tables)


def _each_column(check: Check, tables: Tables) -> Iterator[Check]:
    table, have = definitions()[check.table], tables.columns(check.table)
    if check.column != "*":
        wanted = [check.column] if check.column in have and check.table != "person" else []
    elif check.kind == "required":
        wanted = [column.name for column in table.columns if column.required]
    elif check.kind == "unique":
        wanted = [", ".join(table.key)] if set(table.key) <= set(have) else []
    elif check.kind == "standard":
        wanted = [n for n in have if n.endswith("_concept_id") and "source" not in n] if tables.has("concept") else []
    else:
        wanted = [column.name for column in table.columns if column.name in have]
    for name in wanted:
        yield Check(**(vars(check) | {"column": name}))


def _count(frame: pl.LazyFrame, fails: pl.Expr) -> tuple[int, int]:
    counted = frame.select(fails.fill_null(value=False).sum().alias("failed"), pl.len().alias("rows")).collect()
    failed, rows = counted.row(0)
    return int(failed or 0), int(rows)


def _required(check: Check, tables: Tables) -> tuple[int, int]:
    frame = tables.scan(check.table)
    if check.column in tables.columns(check.table):
        return _count(frame, pl.col(check.column).is_null())
    rows = int(frame.select(pl.len()).collect().item())
    return rows, rows


def _typed(check: Check, tables: Tables) -> tuple[int, int]:
    found, wanted = tables.columns(check.table)[check.column], definitions()[check.table].schema[check.column]
    numbers = (found.is_integer() and wanted.is_integer()) or (found.is_numeric() and wanted.is_float())
    times = isinstance(found, pl.Datetime) and isinstance(wanted, pl.Datetime)
    same = numbers or times or found in {wanted, pl.Null()}
    return int(not same), 1


def _unique(check: Check, tables: Tables) -> tuple[int, int]:
    return _count(tables.scan(check.table), pl.struct(check.column.split(", ")).is_first_distinct().not_())


def _known_person(check: Check, tables: Tables) -> tuple[int, int]:
    known = tables.scan("person").select(pl.col("person_id").cast(pl.Int64))
    rows = tables.scan(check.table).select(pl.col(check.column).cast(pl.Int64).alias("person_id"))
    lost = rows.join(known, on="person_id", how="anti").select(pl.len()).collect().item()
    return int(lost), int(rows.select(pl.len()).collect().item())


def _standard(check: Check, tables: Tables) -> tuple[int, int]:
    concepts = tables.scan("concept")
    if "standard_concept" in tables.columns("concept"):
        concepts = concepts.filter(pl.col("standard_concept") == "S")
    rows = tables.scan(check.table).select(pl.col(check.column).cast(pl.Int64).alias("concept_id"))
    rows = rows.filter((pl.col("concept_id") != 0) & pl.col("concept_id").is_not_null())
    known = concepts.select(pl.col("concept_id").cast(pl.Int64))
    lost = rows.join(known, on="concept_id", how="anti").select(pl.len()).collect().item()
    return int(lost), int(rows.select(pl.len()).collect().item())


def _covers_persons(check: Check, tables: Tables) -> tuple[int, int]:
    persons = tables.scan("person").select(pl.col("person_id").cast(pl.Int64))
    having = tables.scan(check.table).select(pl.col("person_id").cast(pl.Int64)).unique()
    without = persons.join(having, on="person_id", how="anti").select(pl.len()).collect().item()
    return int(without), int(persons.select(pl.len()).collect().item())


def _by_row(check: Check, tables: Tables) -> tuple[int, int]:
    return _count(_frame(check, tables), FAILS[check.kind](check, tables.today))


def _frame(check: Check, tables: Tables) -> pl.LazyFrame:
    """The table, with what the check compares its rows with."""
    frame = tables.scan(check.table)
    if check.kind == "after_birth":
        born = tables.scan("person").select(pl.col("person_id").cast(pl.Int64), BORN)
        return _own(frame, check).join(born, on="person_id")
    if check.kind == "before_death":
        died = tables.scan("death").select(pl.col("person_id").cast(pl.Int64), day("death_date").alias(DIED))
        return _own(frame, check).join(died, on="person_id", how="left", maintain_order="none")
    return frame


def _own(frame: pl.LazyFrame, check: Check) -> pl.LazyFrame:
    return frame.select(pl.col("person_id").cast(pl.Int64), day(check.column))


KINDS: dict[str, Callable[[Check, Tables], tuple[int, int]]] = {
    "required": _required,
    "typed": _typed,
    "unique": _unique,
    "known_person": _known_person,
    "standard": _standard,
    "covers_persons": _covers_persons,
    **dict.fromkeys(FAILS, _by_row),
}
WORDS = {
    "required": "{column} is there in each row",
    "typed": "{column} has its type",
    "unique": "{column} tells rows apart",
    "known_person": "each row is a known person's",
    "standard": "{column} is a standard concept of the vocabulary",
    "present": "{column} is known",
    "mapped": "{column} is mapped",
    "covers_persons": "each person has a row",
    "between": "{column} lies between {low} and {high}",
    "ordered": "{column} is not after {other}",
    "not_future": "{column} is not in the future",
    "after_birth": "{column} is not before the birth",
    "before_death": f"{{column}} is not {DAYS_AFTER_DEATH} days after the death",
}
