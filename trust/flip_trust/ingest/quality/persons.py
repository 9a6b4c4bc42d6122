"""How records fare in the checks, person by person: what a catalogue's figures of quality are made of.

``flip-trust quality`` counts rows, exactly, for the Trust alone; who has ten thousand rows weighs ten thousand times as
much there as who has one. Here each person has one weight, the share of their rows that fail, which is what can be
released under differential privacy. Only checks that a person's own rows pass or fail are among these, and which ones
does not depend on the tables: those of the catalogue's tables in ``checks.csv``, and each column that has to be there.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

import polars as pl
from flip_sdk.contract.holdings import TABLES
from flip_sdk.mechanisms import holdings

from flip_trust.ingest.cdm import definition
from flip_trust.ingest.quality.checks import WORDS, Check, Tables
from flip_trust.ingest.quality.rows import BORN, DIED, FAILS, day

PERSON = "person"
_COVERS, _REQUIRED = "covers_persons", "required"


@cache
def checks() -> tuple[Check, ...]:
    """The checks that a catalogue tells of."""
    text = resources.files(__package__).joinpath("checks.csv").read_text("utf-8")
    declared = [Check(**(row | {"threshold": float(row["threshold"])})) for row in csv.DictReader(text.splitlines())]  # type: ignore[arg-type]
    told = (PERSON, *TABLES)
    found = [check for check in declared if check.table in told and check.kind in {*FAILS, _COVERS}]
    for table in told:
        needed = (column.name for column in definition(table).columns if column.required)
        found += [Check(_REQUIRED, "conformance", table, name, "", "", "", 0.0) for name in needed]
    return tuple(found)


def public_checks() -> tuple[holdings.Check, ...]:
    """The same as the mechanism knows them."""
    return tuple(
        holdings.Check(
            check.category,  # type: ignore[arg-type]
            check.table,  # type: ignore[arg-type]
            WORDS[check.kind].format(**vars(check)),
            check.threshold,
            check.kind == _COVERS,
        )
        for check in checks()
    )


def failing(tables: Tables, persons: pl.LazyFrame) -> pl.DataFrame:
    """``person_id``, ``cell`` (the place in :func:`checks`) and ``share`` of the person's rows that fail, above 0.

    Args:
        tables: the Trust's.
        persons: ``person_id`` and ``year_of_birth`` of those who count.
    """
    found = [_of_table(table, tables, persons) for table in (PERSON, *TABLES) if tables.has(table)]
    empty = pl.DataFrame(schema={"person_id": pl.Int64, "cell": pl.Int64, "share": pl.Float64})
    return pl.concat([empty, *found])


def _of_table(table: str, tables: Tables, persons: pl.LazyFrame) -> pl.DataFrame:
    columns = tables.columns(table)
    shares = [
        fails.fill_null(value=False).mean().cast(pl.Float64).alias(str(place))
        for place, check in enumerate(checks())
        if check.table == table and (fails := _fails(check, columns, tables)) is not None
    ]
    frame = tables.scan(table).with_columns(pl.col("person_id").cast(pl.Int64))
    if table == PERSON:
        frame = frame.unique("person_id", keep="first").join(persons.select("person_id"), on="person_id", how="semi")
    else:
        frame = frame.drop(BORN, DIED, strict=False).join(persons, on="person_id")
    if tables.has("death"):
        died = tables.scan("death").select(pl.col("person_id").cast(pl.Int64), day("death_date").alias(DIED))
        died = died.unique("person_id", keep="first")
        frame = frame.join(died, on="person_id", how="left", maintain_order="none")
    counted = frame.group_by("person_id").agg(shares).collect(engine="streaming")
    long = counted.unpivot(index="person_id", variable_name="cell", value_name="share").filter(pl.col("share") > 0)
    return long.select("person_id", pl.col("cell").cast(pl.Int64), "share")


def _fails(check: Check, columns: dict[str, pl.DataType], tables: Tables) -> pl.Expr | None:
    """What a row that fails is like; None where there is nothing to tell by."""
    if check.kind == _REQUIRED:
        return pl.col(check.column).is_null() if check.column in columns else pl.lit(value=True)
    there = {check.column, check.other} - {""} <= set(columns)
    if check.kind == _COVERS or not there or (check.kind == "before_death" and not tables.has("death")):
        return None
    return FAILS[check.kind](check, tables.today)
