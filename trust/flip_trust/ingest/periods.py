"""``observation_period`` where the source gives none, which FHIR and HL7 never do and every expression needs.

One period a person, from the first thing recorded to the last, as the CDM's conventions infer it for hospital records
(OMOP CDM 5.4, OBSERVATION_PERIOD, ETL conventions; Themis). It ends with the death, where that is known, and no day
counts that lies in the future or before the year of birth. A person with a period of the source keeps that one alone.

A derived row's id is the complement of its ``person_id``: below 0 where the person's is not, as no source's is, so that
it is known again without a mark of its own and is the same each time.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from flip_trust.ingest import store
from flip_trust.ingest.cdm import definition
from flip_trust.ingest.report import MappingReport
from flip_trust.keys import write_private

DERIVED = "derived, from the first record to the last"
STAMP = ".periods.json"
"""Beside the tables: what they were when the periods were last derived."""
FROM_EHR = 32882
"""The period's type: "Standard algorithm from EHR", of the CDM's conventions."""
SPANS = {
    "visit_occurrence": ("visit_start_date", "visit_end_date"),
    "condition_occurrence": ("condition_start_date", "condition_end_date"),
    "drug_exposure": ("drug_exposure_start_date", "drug_exposure_end_date"),
    "device_exposure": ("device_exposure_start_date", "device_exposure_end_date"),
    "procedure_occurrence": ("procedure_date", "procedure_end_date"),
    "measurement": ("measurement_date",),
    "observation": ("observation_date",),
    "specimen": ("specimen_date",),
    "image_occurrence": ("image_occurrence_date",),
    "death": ("death_date",),
}
"""When something happened to a person, by table."""
_TABLE = definition("observation_period")
_START, _END = "observation_period_start_date", "observation_period_end_date"


def derive(home: Path, report: MappingReport | None = None, today: date | None = None) -> int:
    """Give each person without a period of the source the one that their records span.

    It is reckoned anew where a table changed, or the day, and a period that was derived before goes where the source
    gives one now. Doing it twice changes nothing.

    Args:
        home: the Trust's home.
        report: is told how many persons have a derived period, the source's, or none.
        today: no period ends later; the day that it is, where left out.

    Returns:
        How many persons have a derived period.
    """
    folder = home / "omop"
    if not (folder / "person.parquet").exists():
        return 0
    day = today or datetime.now(UTC).date()
    with store.writing(folder):
        told = _told(folder, day)
        if told is None:
            told = _derived(folder, day)
            kept = {"of": _state(folder, day), "told": told}
            write_private(folder / STAMP, json.dumps(kept).encode())
    if report is not None:
        report.periods.update(told)
    return told[DERIVED]


def is_derived() -> pl.Expr:
    """Whether a row of ``observation_period`` was made here."""
    return pl.col("observation_period_id") == -1 - pl.col("person_id")


def _derived(folder: Path, today: date) -> dict[str, int]:
    """Write the table; how many persons have which periods."""
    path = folder / f"{_TABLE.name}.parquet"
    old = store.read(path)
    given = _given(old)
    derived = _spans(folder, given, today)
    table = pl.concat([given, derived], how="diagonal_relaxed").sort(_TABLE.key)
    if old is None or not table.equals(old):
        store.write(path, table)
    persons = pl.scan_parquet(folder / "person.parquet").select(pl.len()).collect().item()
    sourced = given["person_id"].n_unique()
    none = max(persons - len(derived) - sourced, 0)
    return {DERIVED: len(derived), "as the source gives them": sourced, "none: nothing is recorded of them": none}


def _told(folder: Path, today: date) -> dict[str, int] | None:
    """What was told the last time, if nothing changed since."""
    path = folder / STAMP
    try:
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        found: dict[str, int] = kept["told"] if kept.get("of") == _state(folder, today) else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if DERIVED in found else None


def _state(folder: Path, today: date) -> list[str]:
    """What tells the tables, and the day, from others."""
    states = [today.isoformat()]
    for name in ("person", _TABLE.name, *SPANS):
        path = folder / f"{name}.parquet"
        about = path.stat() if path.exists() else None
        states.append(f"{name} {about.st_size} {about.st_mtime_ns} {about.st_ino}" if about else name)
    return states


def _given(old: pl.DataFrame | None) -> pl.DataFrame:
    return pl.DataFrame(schema=_TABLE.schema) if old is None else old.filter(~is_derived())


def _spans(folder: Path, given: pl.DataFrame, today: date) -> pl.DataFrame:
    persons = pl.scan_parquet(folder / "person.parquet").select(
        pl.col("person_id").cast(pl.Int64), pl.date(pl.col("year_of_birth").cast(pl.Int64), 1, 1).alias("born")
    )
    wanted = persons.join(given.lazy().select("person_id"), on="person_id", how="anti")
    days = [part for table, columns in SPANS.items() for part in _days(folder / f"{table}.parquet", columns)]
    if not days:
        return pl.DataFrame(schema=_TABLE.schema)
    likely = (pl.col("day") <= today) & (pl.col("day") >= pl.col("born").fill_null(pl.col("day")))
    spans = pl.concat(days).join(wanted, on="person_id").filter(likely).group_by("person_id")
    found = spans.agg(pl.col("day").min().alias(_START), pl.col("day").max().alias("last"))
    died = _deaths(folder / "death.parquet")
    ended = found.join(died, on="person_id", how="left", maintain_order="none").with_columns(
        # bookings and results may follow a death; nobody is observed after it
        pl.max_horizontal(pl.min_horizontal("last", "died"), _START).alias(_END)
    )
    return ended.select(
        (-1 - pl.col("person_id")).alias("observation_period_id"),
        "person_id",
        _START,
        _END,
        pl.lit(FROM_EHR, dtype=pl.Int64).alias("period_type_concept_id"),
    ).collect(engine="streaming")


def _days(path: Path, columns: tuple[str, ...]) -> list[pl.LazyFrame]:
    """The first and the last day of each person in each column of a table."""
    if not path.exists():
        return []
    frame = pl.scan_parquet(path)
    have = frame.collect_schema()
    person = pl.col("person_id").cast(pl.Int64)
    parts = []
    for column in columns:
        if column in have:
            part = frame.select(person, pl.col(column).cast(pl.Date, strict=False).alias("day")).drop_nulls()
            parts.append(part)
    return parts


def _deaths(path: Path) -> pl.LazyFrame:
    if not path.exists():
        return pl.LazyFrame(schema={"person_id": pl.Int64(), "died": pl.Date()})
    day = pl.col("death_date").cast(pl.Date, strict=False).alias("died")
    died = pl.scan_parquet(path).select(pl.col("person_id").cast(pl.Int64), day).drop_nulls()
    return died.group_by("person_id").agg(pl.col("died").min())
