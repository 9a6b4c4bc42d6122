"""Several records of one person: a row for each date, so many at most, drawn at random and then frozen."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.visits import rows_of

RADIUS, TEXTURE = 1, 2
PERSONS = pl.DataFrame({"person_id": [10, 20, 30, 40]})
FIRST = date(2025, 1, 1)


def measured(person, day, concept, value):
    when = FIRST + timedelta(days=day)
    return {
        "person_id": person,
        "measurement_concept_id": concept,
        "measurement_date": when,
        "value_as_number": float(value),
    }


@pytest.fixture
def omop(tmp_path) -> Omop:
    rows = [
        *(measured(10, day, RADIUS, 100 + day) for day in range(8)),
        *(measured(10, day, TEXTURE, 200 + day) for day in range(0, 8, 2)),
        measured(20, 3, TEXTURE, 7),
        measured(20, 3, TEXTURE, 8),
        measured(40, 5, RADIUS, 9),
        measured(99, 5, RADIUS, 9),
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "measurement.parquet")
    return Omop(tmp_path)


def rows_by_person(omop, most):
    features, persons = rows_of(PERSONS, omop, [TEXTURE, RADIUS], most)
    return [features[persons == person] for person in range(len(PERSONS))]


def test_a_date_is_a_row_and_what_is_missing_then_is_missing(omop):
    ten, twenty, thirty, forty = rows_by_person(omop, 100)
    assert ten.shape == (8, 2)
    assert sorted(ten[:, 1]) == [100 + day for day in range(8)]
    both = ten[~np.isnan(ten[:, 0])]
    assert np.array_equal(both[:, 0] - 100, both[:, 1])
    assert len(both) == 4
    assert np.array_equal(twenty, [[8, np.nan]], equal_nan=True)
    assert np.array_equal(thirty, [[np.nan, np.nan]], equal_nan=True)
    assert np.array_equal(forty, [[np.nan, 9]], equal_nan=True)


def test_nobody_has_more_rows_than_allowed(omop):
    assert [len(rows) for rows in rows_by_person(omop, 3)] == [3, 1, 1, 1]


def test_which_rows_is_drawn_evenly(omop):
    drawn = np.concatenate([rows_by_person(omop, 2)[0][:, 1] for _ in range(400)]).astype(int)
    counts = np.bincount(drawn - 100, minlength=8)
    assert counts.sum() == 800
    # eight dates, 100 draws expected of each, standard deviation below 9
    assert np.abs(counts - 100).max() < 50


def test_times_of_a_day_are_one_date(omop):
    path = omop.folder / "measurement.parquet"
    pl.read_parquet(path).with_columns(pl.col("measurement_date").cast(pl.Datetime)).write_parquet(path)
    assert [len(rows) for rows in rows_by_person(omop, 100)] == [8, 1, 1, 1]


def test_measurements_without_a_date_are_one_row(omop):
    path = omop.folder / "measurement.parquet"
    pl.read_parquet(path).with_columns(measurement_date=pl.lit(None, dtype=pl.Date)).write_parquet(path)
    assert [len(rows) for rows in rows_by_person(omop, 100)] == [1, 1, 1, 1]


def test_a_cohort_without_anybody(omop):
    features, persons = rows_of(PERSONS.clear(), omop, [RADIUS], 5)
    assert features.shape == (0, 1)
    assert persons.shape == (0,)
