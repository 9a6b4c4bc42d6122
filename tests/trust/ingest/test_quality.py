from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from flip_trust.ingest.fhir.load import load
from flip_trust.ingest.quality import checks, page, persons
from flip_trust.ingest.quality.checks import KINDS, WORDS, Tables, outcomes

from tests.trust.ingest import samples

TODAY = date(2025, 6, 1)


@pytest.fixture
def folder(home):
    """Two persons; of their conditions each fails one check."""
    omop = home / "omop"
    omop.mkdir()
    person = {"person_id": [1, 2], "gender_concept_id": [8507, 0], "year_of_birth": [1970, 1800]}
    pl.DataFrame(person | {"race_concept_id": 0, "ethnicity_concept_id": 0}).write_parquet(omop / "person.parquet")
    pl.DataFrame({"person_id": [1], "death_date": [date(2020, 1, 1)]}).write_parquet(omop / "death.parquet")
    rows = [
        (1, 1, 5, date(2019, 1, 1), date(2019, 1, 2)),
        (2, 9, 5, date(2019, 1, 1), None),
        (3, 1, 0, date(2019, 1, 1), None),
        (4, 1, 5, date(2026, 1, 1), None),
        (5, 1, 5, date(1950, 1, 1), None),
        (6, 1, 5, date(2019, 1, 1), date(2018, 1, 1)),
        (6, 1, 5, None, None),
    ]
    names = [
        "condition_occurrence_id",
        "person_id",
        "condition_concept_id",
        "condition_start_date",
        "condition_end_date",
    ]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    frame.with_columns(condition_type_concept_id=pl.lit("EHR")).write_parquet(omop / "condition_occurrence.parquet")
    return omop


EXPECTED = {
    ("required", "condition_start_date"): 1,
    ("required", "condition_concept_id"): 0,
    ("typed", "condition_type_concept_id"): 1,
    ("typed", "condition_start_date"): 0,
    ("unique", "condition_occurrence_id"): 1,
    ("known_person", "person_id"): 1,
    ("mapped", "condition_concept_id"): 1,
    ("covers_persons", "person_id"): 1,
    ("not_future", "condition_start_date"): 1,
    ("after_birth", "condition_start_date"): 1,
    ("before_death", "condition_start_date"): 1,
    ("ordered", "condition_start_date"): 1,
}


def test_each_check_finds_what_is_wrong_and_nothing_else(folder):
    found = {
        (one.check.kind, one.check.column): one.failed
        for one in outcomes(folder, TODAY)
        if one.check.table == "condition_occurrence"
    }

    assert {place: found[place] for place in EXPECTED} == EXPECTED
    born = [one for one in outcomes(folder, TODAY) if (one.check.kind, one.check.table) == ("between", "person")]
    assert [(one.failed, one.rows, one.passed) for one in born] == [(1, 2, False)]


def test_a_column_that_is_missing_altogether_fails(folder):
    pl.read_parquet(folder / "death.parquet").drop("death_date").write_parquet(folder / "death.parquet")
    failed = [one for one in outcomes(folder, TODAY) if not one.passed and one.check.table == "death"]

    assert [(one.check.column, one.failed, one.rows) for one in failed] == [("death_date", 1, 1)]


def test_what_was_loaded_from_fhir_conforms(with_vocabulary, tmp_path):
    load(with_vocabulary, samples.bundle(tmp_path / "b.json", *samples.RESOURCES))
    found = outcomes(with_vocabulary / "omop", TODAY)
    wrong = [one for one in found if one.check.category == "conformance" and one.check.kind != "standard"]

    assert [one.words for one in wrong if not one.passed] == []
    assert {"completeness", "plausibility", "conformance"} == {one.check.category for one in found}


def test_of_somebody_who_is_listed_twice_the_first_row_counts(tmp_path):
    rows = 200_000
    person = pl.DataFrame({"person_id": [row * 7919 % 200_003 % 25_000 for row in range(rows)]}).with_columns(
        year_of_birth=pl.when(pl.col("person_id").is_first_distinct()).then(1970).otherwise(1700),
        gender_concept_id=8507,
        race_concept_id=0,
        ethnicity_concept_id=0,
    )
    person.write_parquet(tmp_path / "person.parquet", row_group_size=10_000)
    everybody = person.select("person_id", year_of_birth=1970).unique().lazy()
    # rows come in another order from time to time: looked at more than once
    found = pl.concat([persons.failing(Tables(tmp_path, TODAY), everybody) for _ in range(8)])

    places = {place for place, check in enumerate(persons.checks()) if check.column == "year_of_birth"}
    assert places
    assert found.filter(pl.col("cell").is_in(list(places))).is_empty()


def test_the_page_has_plots_and_no_script(folder):
    text = page.report(outcomes(folder, TODAY), folder, TODAY)

    assert text.count("<svg role=img aria-label=") >= 4
    assert "<script" not in text
    assert "condition_occurrence: rows by year" in text


def test_names_are_escaped():
    drawn = page.bars("<b>", [("<i>", 1.0)])

    assert "<b>" not in drawn
    assert "<i>" not in drawn


def test_every_kind_has_words():
    assert KINDS.keys() == WORDS.keys()
    assert checks.DAYS_AFTER_DEATH > 0
