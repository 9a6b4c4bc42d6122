"""Features against the same questions answered record by record."""

from __future__ import annotations

from datetime import date, timedelta
from typing import get_args

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.features import AgeFeature, EventFeature, Feature, SexFeature, Statistic, Window
from flip_trust.features.rows import each_once, several
from flip_trust.features.tabular import values_of

from tests.trust.features.world import EVENTS, FEMALE, LAB, NOW, inside, measured, records, write

WINDOWS = (None, Window(start=-365, end=0), Window(start=1, end=100), Window(start=None, end=-30), Window(end=None))


@pytest.fixture(scope="module")
def omop(tmp_path_factory):
    return write(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def rows(omop):
    """Every other person, each with an index date of their own."""
    ids = omop.persons().select("person_id").sort("person_id").collect()["person_id"].to_list()[::2]
    days = [NOW.date() - timedelta(days=11 * place) for place in range(len(ids))]
    return each_once(pl.DataFrame({"person_id": ids, "index_day": days}))


def each(rows):
    return rows.frame.select("person_id", "index_day").iter_rows()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("statistic", get_args(Statistic))
def test_a_measurements_number_is_that_of_its_records_in_the_window(omop, rows, statistic, window):
    feature = Feature(concept_id=LAB, low=0, high=10, statistic=statistic, window=window)
    expected = [measured(omop, feature, person, index) for person, index in each(rows)]

    assert np.array_equal(values_of((feature,), rows, omop)[:, 0], expected, equal_nan=True)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("domain", EVENTS)
def test_an_event_is_there_or_counted_by_its_days(omop, rows, domain, window):
    concepts = EVENTS[domain][-1]
    any_ = EventFeature(domain=domain, concept_ids=concepts, window=window)
    days = any_.model_copy(update={"statistic": "days", "most": 2})
    found = values_of((any_, days), rows, omop)
    dates = [
        [day for day in records(omop, domain, concepts, person) if inside(day, index, window)]
        for person, index in each(rows)
    ]

    assert found[:, 0].tolist() == [float(bool(those)) for those in dates]
    assert found[:, 1].tolist() == [float(min(2, len(set(those) - {None}))) for those in dates]


def test_ages_are_reckoned_to_the_index_date(omop, rows):
    born = {
        who: (y, m, d)
        for who, y, m, d in omop.table("person")
        .select("person_id", "year_of_birth", "month_of_birth", "day_of_birth")
        .collect()
        .iter_rows()
    }
    found = values_of((AgeFeature(),), rows, omop)[:, 0]
    for age, (person, index) in zip(found, each(rows), strict=True):
        year, month, day = born[person]
        if year is None:
            assert np.isnan(age)
            continue
        birth = date(year, month or 7, 1) + timedelta(days=(day or 1) - 1)
        assert age == pytest.approx((index - birth).days / 365.25)


def test_sex_is_one_or_not(omop, rows):
    known = dict(omop.persons().select("person_id", "gender_concept_id").collect().iter_rows())

    assert values_of((SexFeature(concept_id=FEMALE),), rows, omop)[:, 0].tolist() == [
        float(known[person] == FEMALE) for person, _ in each(rows)
    ]


def test_a_persons_rows_have_index_dates_of_their_own(omop):
    person = 1000
    days = [NOW.date() - timedelta(days=100 * n) for n in range(4)]
    rows = several(pl.DataFrame({"person_id": [person] * 4 + [1007], "index_day": [*days, days[0]]}))
    feature = Feature(concept_id=LAB, low=0, high=10, statistic="count", window=Window(start=-300, end=0))

    assert values_of((feature,), rows, omop)[:, 0].tolist() == [
        measured(omop, feature, *one) for one in [*((person, day) for day in days), (1007, days[0])]
    ]
    assert rows.owners.tolist() == [0, 0, 0, 0, 1]


def test_the_same_tables_in_another_order_give_the_same_numbers(omop, rows, tmp_path):
    features = tuple(
        Feature(concept_id=LAB, low=0, high=10, statistic=statistic, window=Window(start=-500, end=0))
        for statistic in get_args(Statistic)
    )
    before = values_of(features, rows, omop)
    other = write(tmp_path)
    table = omop.table("measurement").collect()
    table.sample(fraction=1, shuffle=True, seed=1).write_parquet(other.folder / "measurement.parquet")

    assert np.array_equal(values_of(features, rows, other), before, equal_nan=True)


def test_many_features_at_once_are_each_what_they_are_alone(omop, rows):
    features = (
        AgeFeature(),
        *(
            Feature(concept_id=concept, low=0, high=10, statistic=statistic, window=window)
            for window in WINDOWS
            for statistic in get_args(Statistic)
            for concept in (LAB, 2)
        ),
        SexFeature(concept_id=FEMALE),
    )
    together = values_of(features, rows, omop)

    for column, feature in enumerate(features):
        assert np.array_equal(together[:, [column]], values_of((feature,), rows, omop), equal_nan=True)


def test_nobody_has_no_values(omop):
    nobody = each_once(
        pl.DataFrame({"person_id": [], "index_day": []}, schema={"person_id": pl.Int64, "index_day": pl.Date})
    )
    features = (Feature(concept_id=LAB, low=0, high=1), AgeFeature(), SexFeature(concept_id=FEMALE))

    assert values_of(features, nobody, omop).shape == (0, 3)
