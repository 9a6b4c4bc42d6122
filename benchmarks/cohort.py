"""How long does a Trust of 5 million persons and 50 million conditions need to answer a cohort question?

Ours is the Trust's own: resident columns, one after the other, once cold and then warm. The peer is DuckDB on the same
Parquet files in the same run, with as many threads as there are processors. Answers have to be equal. The tables are
generated once and kept in build/benchmarks. ``FLIP_BENCHMARK_PERSONS=200000`` gives a quick form.
"""

# ruff: noqa: S608 - the peer's queries are made of this file's own constants
from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import polars as pl
from flip_sdk.contract import check_circe
from flip_trust.cohort.circe import evaluate
from flip_trust.cohort.resident import Resident
from flip_trust.cohort.resident.columns import day_of, place_of
from flip_trust.cohort.resident.counting import by_year, followed
from flip_trust.cohort.resident.dates import day, years

from benchmarks.rows import Row

PERSONS = int(os.environ.get("FLIP_BENCHMARK_PERSONS", "5000000"))
EACH = 10
PORTION = 500_000
CONCEPTS, CHILDREN = 1000, 20
FIRST = 2_000_000_000
FEMALE, MALE = 8532, 8507
A, B = FIRST + 5010, FIRST + 5025
"""Ancestors of 20 concepts each: 2.1 % and 1.4 % of all rows."""
MOST_WARM, MOST_CIRCE = 50.0, 2000.0
ROUNDS = 9
CONDITION = "ConditionOccurrence"
_ROOT = Path(__file__).resolve().parents[1] / "build" / "benchmarks"
_START, _END = np.datetime64("2005-01-01"), np.datetime64("2025-01-01")


def run() -> Iterator[Row]:
    """A row a question, then loading and memory."""
    home = _home()
    resident = Resident(home / "omop", home / "vocabulary")
    peer = _connect(home)
    loading = _seconds(lambda: resident.columns(CONDITION))
    for name, ours, query in _interactive(resident):
        yield from _rows(name, ours, peer, query, MOST_WARM)
    for name, asked, query in _expressions():
        content = json.dumps(asked)
        yield from _rows(name, partial(_answered, content, resident), peer, query, MOST_CIRCE)
    scale = PERSONS / 5_000_000
    yield Row("cohort/seconds to load the tables", loading, None, "s", None, "stated", True)
    gigabytes = resident.nbytes / 1e9
    yield Row("cohort/resident memory", gigabytes, None, "GB", None, f"<= {2 * scale:g}", gigabytes <= 2 * scale + 0.1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    yield Row("cohort/peak memory of the whole run, DuckDB's included", peak, None, "GB", None, "stated", True)


def _rows(
    name: str, ours: Callable[[], Any], peer: duckdb.DuckDBPyConnection, query: str, most: float
) -> Iterator[Row]:
    begun = time.perf_counter()
    found = ours()
    cold = 1000 * (time.perf_counter() - begun)
    same = peer.execute(query).fetchall() in (found, [(found,)])
    warm = 1000 * median(_seconds(ours) for _ in range(ROUNDS))
    other = 1000 * median(_seconds(lambda: peer.execute(query).fetchall()) for _ in range(3))
    bar = f"< {most:g} ms and the same answer as DuckDB"
    yield Row(f"cohort/{name}", warm, other, "ms", warm / other, bar, warm < most and same)
    yield Row(f"cohort/{name}, asked for the first time", cold, other, "ms", cold / other, "stated", True)


def _interactive(resident: Resident) -> Iterator[tuple[str, Callable[[], Any], str]]:
    a, b = (frozenset(resident.vocabulary.descendants(ancestor)) for ancestor in (A, B))

    def temporal() -> int:
        first, then = resident.keys(CONDITION, a), resident.keys(CONDITION, b)
        keys = first[resident.demographic("gender_concept_id", [FEMALE]).mask()[place_of(first)]]
        age = years(day_of(keys)) - resident.persons.born[place_of(keys)]
        return len(followed(resident, keys[(age >= 40) & (age <= 70)], then, 365))

    def window() -> int:
        since, until = day(date(2015, 1, 1)), day(date(2019, 12, 31))
        women = resident.demographic("gender_concept_id", [FEMALE]) & resident.born(1950, 1980)
        return len((women & resident.bitmap(CONDITION, a, since, until)) - resident.bitmap(CONDITION, b))

    def cells() -> list[tuple[int, int, int]]:
        return [(*cell, count) for cell, count in sorted(by_year(resident, CONDITION, a, "gender_concept_id").items())]

    yield (
        "Q1 ancestor count",
        lambda: len(resident.bitmap(CONDITION, a)),
        f"SELECT count(DISTINCT person_id) FROM {_of(A)}",
    )
    yield "Q2 one condition after another, age and sex", temporal, _TEMPORAL
    yield "Q3 year by sex", cells, _CELLS
    yield "Q4 demographics, a condition in a window, not another", window, _WINDOW


def _of(ancestor: int) -> str:
    return (
        "(SELECT c.* FROM condition_occurrence c JOIN concept_ancestor a ON c.condition_concept_id ="
        f" a.descendant_concept_id WHERE a.ancestor_concept_id = {ancestor})"
    )


_TEMPORAL = f"""
SELECT count(DISTINCT x.person_id) FROM {_of(A)} x JOIN person p USING (person_id)
JOIN {_of(B)} y ON y.person_id = x.person_id
 AND y.condition_start_date BETWEEN x.condition_start_date AND x.condition_start_date + 365
WHERE p.gender_concept_id = {FEMALE} AND year(x.condition_start_date) - p.year_of_birth BETWEEN 40 AND 70"""
_CELLS = f"""
SELECT year(x.condition_start_date), p.gender_concept_id, count(DISTINCT x.person_id)
FROM {_of(A)} x JOIN person p USING (person_id) GROUP BY 1, 2 ORDER BY 1, 2"""
_WINDOW = f"""
SELECT count(*) FROM person p WHERE gender_concept_id = {FEMALE} AND year_of_birth BETWEEN 1950 AND 1980
 AND person_id IN (SELECT person_id FROM {_of(A)} WHERE condition_start_date BETWEEN '2015-01-01' AND '2019-12-31')
 AND person_id NOT IN (SELECT person_id FROM {_of(B)})"""


def _expressions() -> Iterator[tuple[str, dict[str, Any], str]]:
    around = {"Start": {"Days": 0, "Coeff": -1}, "End": {"Days": 365, "Coeff": 1}}
    before = {"Start": {"Coeff": -1}, "End": {"Days": 1, "Coeff": -1}}
    other = {"ConditionOccurrence": {"CodesetId": 1}}
    adult = {"Age": {"Value": 18, "Op": "gte"}, "Gender": [{"CONCEPT_ID": FEMALE}]}
    new = _group([(other, before, 0, 0)], [adult])
    later = _group([(other, around, 2, 1)], [adult])
    within = "BETWEEN x.start AND x.start + 365"
    entry = f"""WITH x AS (SELECT c.person_id, c.condition_start_date AS start, p.year_of_birth, p.gender_concept_id
 FROM {_of(A)} c JOIN person p USING (person_id) JOIN observation_period o ON o.person_id = c.person_id
 AND c.condition_start_date BETWEEN o.observation_period_start_date + 365 AND o.observation_period_end_date
 QUALIFY row_number() OVER (PARTITION BY c.person_id ORDER BY c.condition_start_date, c.condition_occurrence_id) = 1)
SELECT count(*) FROM x WHERE year(start) - year_of_birth >= 18 AND gender_concept_id = {FEMALE}"""
    near = f"EXISTS (SELECT 1 FROM {_of(B)} y WHERE y.person_id = x.person_id AND y.condition_start_date"
    yield "CIRCE first condition, none of another before", _cohort(new), f"{entry} AND NOT {near} < x.start)"
    yield (
        "CIRCE first condition, another within a year",
        _cohort(later),
        f"{entry} AND {near} {within})",
    )


def _cohort(group: dict[str, Any]) -> dict[str, Any]:
    def concepts(number: int, ancestor: int) -> dict[str, Any]:
        item = {"concept": {"CONCEPT_ID": ancestor}, "includeDescendants": True}
        return {"id": number, "name": str(number), "expression": {"items": [item]}}

    return {
        "ConceptSets": [concepts(0, A), concepts(1, B)],
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
            "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "First"},
        },
        "InclusionRules": [{"name": "all of these", "expression": group}],
    }


def _group(criteria: list[tuple[Any, Any, int, int]], people: list[Any]) -> dict[str, Any]:
    listed = [
        {"Criteria": asked, "StartWindow": window, "Occurrence": {"Type": kind, "Count": count}}
        for asked, window, kind, count in criteria
    ]
    return {"Type": "ALL", "CriteriaList": listed, "DemographicCriteriaList": people}


def _answered(expression: str, resident: Resident) -> int:
    """From the JSON, so that reading and checking it is counted too."""
    return len(evaluate(check_circe.read(expression), resident))


def _connect(home: Path) -> duckdb.DuckDBPyConnection:
    peer = duckdb.connect()
    for path in sorted(home.glob("*/*.parquet")):
        peer.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM read_parquet('{path}')")
    return peer


def _home() -> Path:
    home = _ROOT / f"cohort-{PERSONS}"
    if not home.exists():
        making = home.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        (making / "omop").mkdir(parents=True)
        (making / "vocabulary").mkdir()
        _make(making, np.random.default_rng(1))
        making.rename(home)
    return home


def _make(home: Path, random: np.random.Generator) -> None:
    ids = np.arange(PERSONS, dtype=np.int64) * 3 + 1
    omop = home / "omop"
    pl.DataFrame(
        {
            "person_id": ids,
            "gender_concept_id": random.choice(np.array([FEMALE, MALE]), PERSONS),
            "year_of_birth": random.integers(1930, 2011, PERSONS),
        }
    ).write_parquet(omop / "person.parquet")
    periods = pl.DataFrame({"observation_period_id": ids, "person_id": ids}).with_columns(
        pl.lit("2000-01-01").str.to_date().alias("observation_period_start_date"),
        pl.lit("2025-12-31").str.to_date().alias("observation_period_end_date"),
        pl.lit(1).alias("period_type_concept_id"),
    )
    periods.write_parquet(omop / "observation_period.parquet")
    portions = home / "portions"
    portions.mkdir()
    for number, low in enumerate(range(0, PERSONS, PORTION)):
        frame = _conditions(random, ids, EACH * min(PORTION, PERSONS - low), EACH * low)
        frame.write_parquet(portions / f"{number:05}.parquet")
    pl.scan_parquet(portions / "*.parquet").sink_parquet(omop / "condition_occurrence.parquet")
    shutil.rmtree(portions)
    children = np.arange(CONCEPTS)
    ancestors = pl.DataFrame(
        {"ancestor_concept_id": FIRST + 5000 + children // CHILDREN, "descendant_concept_id": FIRST + children}
    )
    ancestors.write_parquet(home / "vocabulary" / "concept_ancestor.parquet")


def _conditions(random: np.random.Generator, ids: np.ndarray, rows: int, first: int) -> pl.DataFrame:
    """Concepts are as uneven as in life: the commonest is 30 times as common as the median one."""
    length = int((_END - _START).astype(int))
    return pl.DataFrame(
        {
            "condition_occurrence_id": np.arange(first, first + rows),
            "person_id": ids[random.integers(0, len(ids), rows)],
            "condition_concept_id": FIRST + (CONCEPTS * random.random(rows) ** 2).astype(np.int64),
            "condition_start_date": _START + random.integers(0, length, rows).astype("m8[D]"),
        }
    ).with_columns(pl.col("condition_start_date").cast(pl.Date))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
