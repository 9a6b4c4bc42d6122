from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract import check_circe
from flip_trust.cohort.circe import evaluate
from flip_trust.cohort.resident import Bitmap
from flip_trust.cohort.resident.counting import by_year, followed
from flip_trust.cohort.resident.dates import day
from flip_trust.errors import SetupError
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.cohort.circe.small import cohort, concept_set, condition, on, people, person, who, write

ENTRY = cohort({"ConditionOccurrence": {"CodesetId": 0}}, sets=[concept_set(0, 11)])
MASKS = st.integers(0, 200).flatmap(
    lambda size: st.tuples(*[st.lists(st.booleans(), min_size=size, max_size=size)] * 2)
)


@pytest.fixture
def world():
    made = people(*(person(number, born=1900 + number) for number in (30, 10, 20)))
    made["condition_occurrence"] = [
        condition(30, 11, "2020-01-01"),
        condition(10, 12, "2020-02-01"),
        condition(20, 11, "2020-03-01"),
        condition(99, 11, "2020-03-01"),
    ]
    return made


@given(MASKS)
def test_bitmaps_are_sets(masks):
    one, other = (np.array(mask, dtype=bool) for mask in masks)
    left, right = Bitmap.of(one), Bitmap.of(other)

    assert len(left) == one.sum()
    assert (left & right).mask().tolist() == (one & other).tolist()
    assert (left | right).mask().tolist() == (one | other).tolist()
    assert (left - right).places().tolist() == np.flatnonzero(one & ~other).tolist()


def test_who_has_a_concept_between_two_days(world, tmp_path):
    resident = write(world, tmp_path)
    ids = resident.persons.ids

    def found(*concepts, **days):
        return set(ids[resident.bitmap("ConditionOccurrence", frozenset(concepts), **days).places()])

    assert found(11) == {20, 30}
    assert found(11, 12) == {10, 20, 30}
    assert found(11, since=day(on("2020-01-02"))) == {20}
    assert found(11, until=day(on("2020-01-01"))) == {30}
    assert found(13) == set()
    assert len(resident.demographic("gender_concept_id", [8507]) & resident.born(1910, 1920)) == 2


def test_another_file_in_place_is_seen(world, tmp_path):
    resident = write(world, tmp_path)
    assert who(ENTRY, resident) == {20, 30}

    world["condition_occurrence"].append(condition(10, 11, "2021-01-01"))
    write(world, tmp_path)

    assert who(ENTRY, resident) == {10, 20, 30}


def test_rows_of_persons_that_there_are_not_are_left_out(world, tmp_path):
    resident = write(world, tmp_path)

    assert len(resident.columns("ConditionOccurrence").keys) == 3


def test_memory_is_counted(world, tmp_path):
    resident = write(world, tmp_path)
    assert resident.nbytes == 0

    evaluate(check_circe.read(ENTRY), resident)

    core = resident.columns("ConditionOccurrence").nbytes + resident.persons.nbytes + resident.periods.nbytes
    assert resident.nbytes >= core > 0


def test_a_missing_table_is_named(world, tmp_path):
    resident = write(world, tmp_path)
    (tmp_path / "omop" / "condition_occurrence.parquet").unlink()

    with pytest.raises(SetupError):
        who(ENTRY, resident)


def test_a_missing_column_is_named(world, tmp_path):
    resident = write(world, tmp_path)
    path = tmp_path / "omop" / "condition_occurrence.parquet"
    pl.read_parquet(path).drop("condition_start_date").write_parquet(path)

    with pytest.raises(SetupError):
        who(ENTRY, resident)


def test_descendants_without_a_vocabulary_are_refused_rather_than_left_out(world, tmp_path):
    resident = write(world, tmp_path)
    (tmp_path / "vocabulary" / "concept_ancestor.parquet").unlink()
    asked = cohort({"ConditionOccurrence": {"CodesetId": 0}}, sets=[concept_set(0, 11, descendants=True)])

    with pytest.raises(SetupError):
        who(asked, resident)


def test_dates_with_times_are_dates(world, tmp_path):
    resident = write(world, tmp_path)
    path = tmp_path / "omop" / "condition_occurrence.parquet"
    frame = pl.read_parquet(path).with_columns(pl.col("condition_start_date").cast(pl.Datetime("us")))
    frame.write_parquet(path)

    assert who(ENTRY, resident) == {20, 30}


def test_persons_by_year_and_sex_count_once_a_year(world, tmp_path):
    world["condition_occurrence"] += [condition(20, 11, "2020-04-01"), condition(20, 12, "2021-04-01")]
    world["person"][0]["gender_concept_id"] = 8532
    resident = write(world, tmp_path)

    found = by_year(resident, "ConditionOccurrence", frozenset({11, 12}), "gender_concept_id")

    assert found == {(2020, 8507): 2, (2020, 8532): 1, (2021, 8507): 1}


def test_one_condition_followed_by_another(world, tmp_path):
    days = {10: ("2020-01-01", "2020-01-31"), 20: ("2020-01-01", "2020-02-01"), 30: ("2020-01-01", "2019-12-31")}
    pairs = [(who, first, then) for who, (first, then) in days.items()]
    world["condition_occurrence"] = [condition(who, 11, first) for who, first, _ in pairs]
    world["condition_occurrence"] += [condition(who, 12, then) for who, _, then in pairs]
    resident = write(world, tmp_path)
    early, late = (resident.keys("ConditionOccurrence", frozenset({concept})) for concept in (11, 12))

    found = followed(resident, early, late, 30)

    assert resident.persons.ids[found.places()].tolist() == [10]
