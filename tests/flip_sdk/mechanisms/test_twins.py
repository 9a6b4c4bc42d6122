"""A twin's numbers move by no more than their noise was made for, and people made up from them have its shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flip_sdk.accounting.composition import epsilon_of
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.twins import MOST_COLUMNS, OLDEST, Twin
from flip_sdk.mechanisms import twins
from flip_sdk.mechanisms.twins import Table, columns_of, debits_of_twin, measure
from flip_sdk.simulate.twins import correlation, made_up
from hypothesis import given, settings
from hypothesis import strategies as st

CONCEPTS = (
    CatalogueConcept(concept_id=2_000_000_001, name="a", domain="Measurement", low=0, high=10),
    CatalogueConcept(concept_id=2_000_000_002, name="b", domain="Measurement", low=-5, high=5),
    CatalogueConcept(concept_id=2_000_000_003, name="unbounded", domain="Measurement"),
    CatalogueConcept(concept_id=2_000_000_101, name="ill", domain="Condition"),
    CatalogueConcept(concept_id=2_000_000_201, name="woman", domain="Gender"),
)
GENDERS = (2_000_000_201,)
COLUMNS = columns_of(CONCEPTS)
numbers = st.floats(allow_nan=True, allow_infinity=True)


def people(count, seed=0):
    """The first measurement goes with the second and with the condition; a fifth of the second are missing."""
    random = np.random.default_rng(seed)
    ill = random.random(count) < 0.3
    first = np.clip(random.normal(3 + 4 * ill, 1), 0, 10)
    second = np.where(random.random(count) < 0.2, np.nan, np.clip(first - 5 + random.normal(0, 1, count), -5, 5))
    ages = random.integers(20, 90, count).astype(float)
    return Table(COLUMNS, (ages, first, second, ill.astype(float)), np.full(count, GENDERS[0]))


def test_columns_are_what_has_bounds_or_is_a_condition():
    assert [(c.kind, c.concept_id) for c in COLUMNS] == [
        ("age", None),
        ("measurement", 2_000_000_001),
        ("measurement", 2_000_000_002),
        ("condition", 2_000_000_101),
    ]
    many = [CatalogueConcept(concept_id=2_000_001_000 + i, name="x", domain="Condition") for i in range(300)]
    assert len(columns_of(many)) == MOST_COLUMNS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers, st.booleans()), min_size=1, max_size=6), st.data())
def test_one_person_moves_the_exact_numbers_by_no_more_than_the_noise_is_made_for(rows, data):
    values = tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))
    gone = data.draw(st.integers(0, len(rows) - 1))
    fewer = tuple(np.delete(column, gone) for column in values)
    moved = [twins.counts(c, v) - twins.counts(c, w) for c, v, w in zip(COLUMNS, values, fewer, strict=True)]
    assert all(np.abs(change).sum() == 1 for change in moved)
    noisy = measure(people(50), GENDERS, 1.0, 1e-5).columns
    change = twins.products_of(noisy, values) - twins.products_of(noisy, fewer)
    assert np.linalg.norm(change) <= len(COLUMNS) * (1 + 1e-9)


def test_everybody_is_of_one_gender():
    assert list(twins.gender_counts(np.array([7, 8, 8, 0]), (8, 9))) == [2, 0, 2]


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_it_costs_what_it_says(epsilon):
    events = {debit.event: 1 for debit in debits_of_twin(epsilon, 1e-5)}
    assert 0.98 * epsilon <= epsilon_of(events, 1e-5) <= epsilon


def test_the_noise_is_as_large_as_was_debited(monkeypatch):
    drawn = []
    honest = twins.add_gaussian
    monkeypatch.setattr(twins, "add_gaussian", lambda exact, scale: drawn.append(scale) or honest(exact, scale))
    twin = measure(people(100), GENDERS, 1.0, 1e-5)
    cells, products = (debit.event.noise_multiplier for debit in debits_of_twin(1.0, 1e-5))
    assert drawn == pytest.approx([cells * np.sqrt(len(COLUMNS) + 1), products * len(COLUMNS)])
    assert twin.noise == drawn[1]


def test_people_made_up_have_its_shape():
    real = people(20_000)
    twin = Twin.parse(measure(real, GENDERS, 4.0, 1e-5).canonical())
    values, genders = made_up(twin, 20_000, 20_000, np.random.default_rng(1))
    for place, own in enumerate(real.values):
        assert np.nanmean(values[place]) == pytest.approx(np.nanmean(own), abs=0.1 * np.nanstd(own))
        assert np.nanstd(values[place]) == pytest.approx(np.nanstd(own), rel=0.1)
    assert np.isnan(values[2]).mean() == pytest.approx(0.2, abs=0.02)
    assert np.isnan(values[1]).mean() < 0.02
    there = np.isfinite(values[1])
    age, first, ill = (values[place][there] for place in (0, 1, 3))
    assert np.corrcoef(first, ill)[0, 1] == pytest.approx(0.83, abs=0.15)
    assert abs(np.corrcoef(age, first)[0, 1]) < 0.05
    assert (genders == GENDERS[0]).mean() > 0.98


def test_noise_alone_makes_people_without_relations_within_the_bounds():
    nobody = Table(COLUMNS, tuple(np.zeros(0) for _ in COLUMNS), np.zeros(0, dtype=np.int64))
    twin = measure(nobody, GENDERS, 0.5, 1e-5)
    values, _ = made_up(twin, 0, 500, np.random.default_rng(0))
    assert np.nanmin(values[2]) >= -5
    assert np.nanmax(values[2]) <= 5
    assert values[0].max() <= OLDEST


def test_a_relation_within_the_doubt_of_the_noise_is_none():
    twin = measure(people(200), GENDERS, 1.0, 1e-5)
    doubtful = twin.model_copy(update={"products": tuple(2.9 * twin.noise for _ in twin.products)})
    assert np.allclose(correlation(doubtful, 200), np.eye(len(COLUMNS)))


def test_a_record_that_does_not_fit_together_is_refused():
    twin = measure(people(50), GENDERS, 1.0, 1e-5)
    with pytest.raises(ValueError, match="product for every two columns"):
        Twin.model_validate(twin.model_dump() | {"products": (1.0,)})
    replaced = twin.columns[1].model_dump() | {"cells": (1, 2)}
    with pytest.raises(ValueError, match="17 cells"):
        type(twin.columns[1]).model_validate(replaced)


def test_missing_and_extreme_values_are_counted_where_they_belong():
    odd = replace(people(3), values=tuple(np.array([np.nan, np.inf, -np.inf]) for _ in COLUMNS))
    assert twins.counts(COLUMNS[1], odd.values[1])[-1] == 3
    assert twins.counts(COLUMNS[3], odd.values[3]).sum() == 3
