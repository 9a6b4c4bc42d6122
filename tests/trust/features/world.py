"""Made-up dated records of a few persons, and the same questions answered record by record."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
from flip_trust.cohort.omop import Omop

LAB, ILL, WORSE, DRUG, PROCEDURE, SMOKES, INPATIENT, MALE, FEMALE = 1, 11, 12, 21, 31, 41, 51, 8507, 8532
NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS = {
    "condition": ("condition_occurrence", "condition_concept_id", "condition_start_date", (ILL, WORSE)),
    "drug": ("drug_exposure", "drug_concept_id", "drug_exposure_start_date", (DRUG,)),
    "procedure": ("procedure_occurrence", "procedure_concept_id", "procedure_date", (PROCEDURE,)),
    "observation": ("observation", "observation_concept_id", "observation_date", (SMOKES,)),
    "visit": ("visit_occurrence", "visit_concept_id", "visit_start_date", (INPATIENT,)),
}
DOMAINS = {LAB: "Measurement", ILL: "Condition", WORSE: "Condition", DRUG: "Drug", PROCEDURE: "Procedure"}
DOMAINS |= {SMOKES: "Observation", INPATIENT: "Visit", MALE: "Gender", FEMALE: "Gender"}


def write(home: Path, persons: int = 60, seed: int = 3) -> Omop:
    """Tables of made-up people; some records have no date, some values are no numbers."""
    draw = random.Random(seed)
    folder = home / "omop"
    folder.mkdir(parents=True, exist_ok=True)
    ids = [1000 + 7 * i for i in range(persons)]

    def day() -> date | None:
        return None if draw.random() < 0.05 else NOW.date() - timedelta(days=draw.randint(-200, 900))

    person = [
        {
            "person_id": i,
            "gender_concept_id": draw.choice([MALE, FEMALE, None]),
            "year_of_birth": None if draw.random() < 0.1 else draw.randint(1930, 2010),
            "month_of_birth": draw.choice([None, 2, 11]),
            "day_of_birth": draw.choice([None, 1, 30]),
        }
        for i in ids
    ]
    pl.DataFrame(person, infer_schema_length=None).write_parquet(folder / "person.parquet")
    labs = [(i, LAB, day(), draw.choice([1.5, 2.0, 7.25, float("nan"), None]), n) for n, i in enumerate(ids * 5)]
    names = ["person_id", "measurement_concept_id", "measurement_date", "value_as_number", "measurement_id"]
    pl.DataFrame(labs, schema=names, orient="row", infer_schema_length=None).write_parquet(
        folder / "measurement.parquet"
    )
    for table, concept, start, concepts in EVENTS.values():
        rows = [(draw.choice(ids), draw.choice([*concepts, 999]), day()) for _ in range(2 * persons)]
        schema = {"person_id": pl.Int64, concept: pl.Int64, start: pl.Date}
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / f"{table}.parquet")
    names = {
        "concept_id": list(DOMAINS),
        "concept_name": [f"c{i}" for i in DOMAINS],
        "domain_id": list(DOMAINS.values()),
    }
    pl.DataFrame(names).write_parquet(folder / "concept.parquet")
    return Omop(folder)


def records(omop: Omop, domain: str, concepts: tuple[int, ...], person: int) -> list[date | None]:
    """The dates of a person's events."""
    table, concept, start, _ = EVENTS[domain]
    rows = pl.read_parquet(omop.folder / f"{table}.parquet").select("person_id", concept, start).iter_rows()
    return [day for who, what, day in rows if who == person and what in concepts]


def inside(day: date | None, index: date, window) -> bool:
    """Whether a day is in a window around an index date."""
    if window is None:
        return True
    if day is None:
        return False
    since = (day - index).days
    return (window.start is None or since >= window.start) and (window.end is None or since <= window.end)


def measured(omop: Omop, feature, person: int, index: date) -> float:
    """A measurement's number, record by record."""
    rows = pl.read_parquet(omop.folder / "measurement.parquet").iter_rows()
    found = [
        (day, number, value)
        for who, what, day, value, number in rows
        if who == person
        and what == LAB
        and math.isfinite(value or 0)
        and value is not None
        and inside(day, index, feature.window)
    ]
    values = [value for *_, value in found]
    if feature.statistic == "count":
        return float(len(values))
    if not values:
        return float("nan")
    dated = sorted((found_ for found_ in found if found_[0] is not None), key=lambda one: one[:2])
    undated = sorted((found_ for found_ in found if found_[0] is None), key=lambda one: one[1])
    if feature.statistic == "latest":
        return (dated[-1] if dated else undated[-1])[2]
    if feature.statistic == "first":
        return (dated[0] if dated else undated[0])[2]
    return {"mean": sum(sorted(values)) / len(values), "minimum": min(values), "maximum": max(values)}[
        feature.statistic
    ]
