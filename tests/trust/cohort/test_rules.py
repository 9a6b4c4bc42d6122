"""Rules answered from resident columns, and by scanning: the same persons."""

from __future__ import annotations

import threading
from itertools import combinations

import polars as pl
import pytest
from flip_sdk.contract.cohorts import AgeBetween, Cohort, HasCondition, MeasurementBetween, SexIs
from flip_trust.cohort import rules
from flip_trust.cohort.criteria import persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident import resident

from tests.trust.world import BENIGN, FEMALE, MALIGNANT, RADIUS

YEAR = 2026
ASKED = [
    AgeBetween(low=40, high=60),
    AgeBetween(low=40, high=60, negate=True),
    SexIs(concept_ids=(FEMALE,)),
    HasCondition(concept_ids=(MALIGNANT,)),
    HasCondition(concept_ids=(MALIGNANT, BENIGN), negate=True),
    MeasurementBetween(concept_id=RADIUS, low=10, high=14),
    MeasurementBetween(concept_id=RADIUS, low=10, high=14, negate=True),
]
CHOSEN = [*[(one,) for one in ASKED], *combinations(ASKED, 2)]


@pytest.fixture
def omop(trust, monkeypatch) -> Omop:
    monkeypatch.setattr(rules, "LARGE", 10**9)
    found = Omop(trust.config.omop)
    # somebody of whom neither birth nor sex is recorded
    person = pl.read_parquet(found.folder / "person.parquet")
    unknown = person.head(1).with_columns(
        pl.lit(10**6).cast(person.schema["person_id"]).alias("person_id"),
        pl.lit(None).cast(person.schema["year_of_birth"]).alias("year_of_birth"),
        pl.lit(None).cast(person.schema["gender_concept_id"]).alias("gender_concept_id"),
    )
    pl.concat([person, unknown]).write_parquet(found.folder / "person.parquet")
    path = found.folder / "condition_occurrence.parquet"
    day = pl.lit("2020-05-01").str.to_date().alias("condition_start_date")
    pl.read_parquet(path).with_columns(day).write_parquet(path)
    return found


def who(omop: Omop, criteria: tuple[object, ...]) -> list[int]:
    found: list[int] = persons_in(Cohort(criteria=criteria), omop, YEAR).collect()["person_id"].to_list()
    return found


def test_both_ways_find_the_same_persons(omop):
    assert rules.ready(omop) is None
    scanned = [who(omop, criteria) for criteria in CHOSEN]

    rules.load(resident(omop.folder))

    assert rules.ready(omop) is not None
    assert [who(omop, criteria) for criteria in CHOSEN] == scanned
    assert len({len(found) for found in scanned}) > len(ASKED)


def test_new_files_are_seen(omop):
    rules.load(resident(omop.folder))
    ill = who(omop, (HasCondition(concept_ids=(MALIGNANT,)),))
    path = omop.folder / "condition_occurrence.parquet"
    pl.read_parquet(path).filter(pl.col("person_id") != ill[0]).write_parquet(path)

    assert who(omop, (HasCondition(concept_ids=(MALIGNANT,)),)) == ill[1:]


class Exchanging(Omop):
    """Tables that are exchanged while a rule is looked up in them, and that another thread then asks about."""

    def latest(self, concept_ids):
        path = self.folder / "person.parquet"
        person = pl.read_parquet(path)
        first = person.head(1).with_columns(pl.lit(0).cast(person.schema["person_id"]).alias("person_id"))
        pl.concat([first, person]).write_parquet(path)
        another = threading.Thread(target=rules.ready, args=(Omop(self.folder),))
        another.start()
        another.join()
        return super().latest(concept_ids)


def test_columns_are_not_exchanged_between_two_rules_of_one_question(omop):
    asked = HasCondition(concept_ids=(MALIGNANT,)), MeasurementBetween(concept_id=RADIUS, low=10, high=20)
    expected = who(omop, asked)
    rules.load(resident(omop.folder))

    assert who(Exchanging(omop.folder), asked) == expected
    assert len(expected) > 5
    assert 0 in who(omop, (AgeBetween(low=0, high=150),))


def test_conditions_without_a_date_are_scanned_for(omop):
    path = omop.folder / "condition_occurrence.parquet"
    frame = pl.read_parquet(path)
    date = pl.when(pl.int_range(pl.len()) > 0).then(pl.col("condition_start_date"))
    frame.with_columns(date.alias("condition_start_date")).write_parquet(path)

    rules.load(resident(omop.folder))

    assert rules.ready(omop) is None


def test_large_tables_are_loaded_while_questions_are_answered(omop, monkeypatch):
    monkeypatch.setattr(rules, "LARGE", 1)
    held = resident(omop.folder)
    expected = who(omop, ASKED[:1])
    with held.lock:  # the load is over, or has not begun
        rules.load(held)
    assert held.is_loaded(rules.CONDITION)
    assert who(omop, ASKED[:1]) == expected


def test_a_table_that_cannot_be_loaded_ends_nothing(omop):
    (omop.folder / "condition_occurrence.parquet").write_bytes(b"PAR1 no table")

    rules.load(resident(omop.folder))

    assert not resident(omop.folder).is_loaded(rules.CONDITION)
