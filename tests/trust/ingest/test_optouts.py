from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from flip_sdk.contract.cohorts import Cohort
from flip_trust.cohort.members import members
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident import Resident
from flip_trust.ingest import links, omop
from flip_trust.ingest.fhir.load import load
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.ingest import samples

NOW = datetime(2025, 1, 1, tzinfo=UTC)
PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id,person_source_value\n"


@pytest.fixture
def people(home, tmp_path):
    """Two persons by OMOP, one of them with an NHS number, and one by FHIR with two numbers."""
    (tmp_path / "person.csv").write_text(PERSON + "1,2000000201,1970,0,0,401 023 2137\n2,2000000201,1980,0,0,X-2\n")
    omop.load(home, tmp_path / "person.csv")
    load(home, samples.bundle(tmp_path / "b.json", samples.PATIENT))
    return home


def chosen(home) -> set[int]:
    table = Omop(home / "omop")
    frozen = members(Cohort(), "all", "p", table, NOW)["person_id"]
    assert table.persons().select(pl.len()).collect().item() == len(frozen)
    return set(frozen)


def opt_out(home, tmp_path, text: str, *, replace: bool = False):
    (tmp_path / "list.csv").write_text(text)
    return links.opt_out(home, tmp_path / "list.csv", replace=replace)


def test_who_opted_out_is_in_no_new_cohort_and_no_count(people, tmp_path):
    before = chosen(people)
    assert len(before) == 3
    assert opt_out(people, tmp_path, f"4010232137,\n{samples.NHS_NUMBER}\n") == (2, [])
    assert chosen(people) == {2}
    assert opt_out(people, tmp_path, "x-2\n") == (1, [])
    assert chosen(people) == set()
    opt_out(people, tmp_path, "X-2\n", replace=True)
    assert chosen(people) == before - {2}


def test_who_comes_after_the_list_is_opted_out_too(home, tmp_path):
    opt_out(home, tmp_path, f"{samples.HOSPITAL_NUMBER}\n4010232137\n")
    (tmp_path / "person.csv").write_text(PERSON + "1,2000000201,1970,0,0,4010232137\n2,2000000201,1980,0,0,\n")
    omop.load(home, tmp_path / "person.csv")
    load(home, samples.bundle(tmp_path / "b.json", samples.PATIENT))

    assert chosen(home) == {2}


def test_lines_that_hold_no_number_are_told(people, tmp_path):
    assert opt_out(people, tmp_path, "4010232138\n\n4010232137\n???\nnobody\n") == (1, [1, 4, 5])


def test_no_number_is_on_the_disk(people, tmp_path):
    opt_out(people, tmp_path, f"{samples.NHS_NUMBER}\n")

    for path in (people / "omop").glob("*.parquet"):
        if path.stem in {"person_link", "opted_out"}:
            assert samples.NHS_NUMBER not in str(pl.read_parquet(path).rows())


@given(digits=st.lists(st.integers(0, 9), min_size=9, max_size=9))
def test_a_wrong_digit_in_an_nhs_number_is_seen(digits):
    total = sum(digit * (10 - at) for at, digit in enumerate(digits))
    sound = [mark for mark in range(10) if (total + mark) % 11 == 0]
    numbers = ["".join(map(str, digits)) + str(mark) for mark in range(10)]

    assert [number for number in numbers if links.is_number(number)] == [numbers[mark] for mark in sound]


def test_resident_columns_know_them_too(people, tmp_path):
    resident = Resident(people / "omop", people / "vocabulary")
    assert len(resident.persons.ids) == 3
    opt_out(people, tmp_path, "401 023 2137\n")
    resident.refresh()

    assert set(resident.persons.ids) == chosen(people)
    assert len(resident.persons.column("gender_concept_id")) == 2
