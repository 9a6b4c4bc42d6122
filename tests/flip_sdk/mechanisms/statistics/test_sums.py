from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.contract.statistics import categories_of, is_pure, measurements_of
from flip_sdk.mechanisms.statistics.columns import Columns
from flip_sdk.mechanisms.statistics.regression import packed, start, unpacked
from flip_sdk.mechanisms.statistics.release import CELLS, release_of
from flip_sdk.mechanisms.statistics.sums import exact
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flip_sdk.mechanisms.statistics.cases import (
    COX,
    CURVE,
    DESCRIPTION,
    EVERY,
    HISTOGRAM,
    LINEAR,
    LOGISTIC,
    MEAN,
    TABLE,
)

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
INSIDE = st.floats(-6, 12, allow_nan=False)
DAYS = st.one_of(st.floats(-10, 3000, allow_nan=False), st.just(math.nan), st.just(math.inf))


@st.composite
def cohorts(draw, question, most: int = 4) -> Columns:
    """A few persons, with whatever a table may hold."""
    persons = draw(st.integers(1, most))

    def column(values):
        return draw(st.lists(values, min_size=persons, max_size=persons))

    levels = [column(st.integers(0, len(category.levels) - 1)) for category in categories_of(question)]
    measured = [column(st.one_of(INSIDE, ANY)) for _ in measurements_of(question)]
    return Columns.of(
        persons,
        measurements=np.array(measured, dtype=np.float64).reshape(-1, persons).T,
        levels=np.array(levels, dtype=np.int64).reshape(-1, persons).T,
        outcome=np.array(column(st.integers(0, 1)), dtype=np.int64),
        days=np.array(column(DAYS), dtype=np.float64),
        events=np.array(column(st.integers(0, 1)), dtype=np.int64),
    )


def without_first(columns: Columns) -> Columns:
    return Columns(**{name: value[1:] for name, value in vars(columns).items()})


def moved(question, columns: Columns, coefficients=None) -> float:
    """How far the first person moves the release, in the norm that its sensitivity is told in."""
    release = release_of(question)
    both = exact(question, columns, coefficients), exact(question, without_first(columns), coefficients)
    difference = {name: both[0][name].astype(np.float64) - both[1][name] for name in both[0]}
    if is_pure(question):
        return float(np.abs(difference[CELLS]).sum())
    return math.sqrt(sum(float(np.square(release.weights[n] * d).sum()) for n, d in difference.items()))


@pytest.mark.parametrize("question", EVERY, ids=lambda question: question.kind)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_person_moves_a_release_by_its_sensitivity_at_most(question, data) -> None:
    columns = data.draw(cohorts(question))

    assert moved(question, columns) <= release_of(question).sensitivity * (1 + 1e-9)


@pytest.mark.parametrize("question", [LOGISTIC, COX], ids=lambda question: question.kind)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_the_coefficients(question, data) -> None:
    columns = data.draw(cohorts(question))
    size = len(start(question))
    at = np.array(data.draw(st.lists(st.floats(-1e6, 1e6), min_size=size, max_size=size)))

    assert moved(question, columns, at) <= release_of(question).sensitivity * (1 + 1e-9)


@pytest.mark.parametrize("question", EVERY, ids=lambda question: question.kind)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_a_table_holds_the_sums_are_finite(question, data) -> None:
    sums = exact(question, data.draw(cohorts(question)))

    assert {name: value.shape for name, value in sums.items()} == dict(release_of(question).shapes)
    assert all(np.isfinite(value).all() for value in sums.values())


@pytest.mark.parametrize("question", [LINEAR, MEAN, LOGISTIC], ids=lambda question: question.kind)
def test_the_sensitivity_is_reached_or_nearly(question) -> None:
    """A looser bound would be noise for nothing."""
    largest = 0.0
    for corner in (0.0, 10.0):
        measured = (
            np.full((1, len(measurements_of(question))), corner) * np.array([1, 1, 4])[: len(measurements_of(question))]
        )
        levels = np.ones((1, len(categories_of(question))), dtype=np.int64)
        columns = Columns.of(1, measurements=measured, levels=levels, outcome=np.array([0]))
        at = np.full(len(start(question)), 100.0) if question is LOGISTIC else None
        largest = max(largest, moved(question, columns, at))

    assert largest > 0.98 * release_of(question).sensitivity


def test_everybody_is_in_one_cell_of_each_table_of_a_description() -> None:
    levels = np.array([[0, 0, 0], [1, 3, 1], [2, 0, 1]])

    assert list(exact(DESCRIPTION, Columns.of(3, levels=levels))[CELLS]) == [1, 1, 1, 2, 0, 0, 1, 1, 2]


@pytest.mark.parametrize("question", [TABLE, HISTOGRAM, CURVE], ids=lambda question: question.kind)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_everybody_is_in_exactly_one_cell(question, data) -> None:
    columns = data.draw(cohorts(question))

    assert int(exact(question, columns)[CELLS].sum()) == len(columns)


def test_bins_hold_their_lower_ends_and_the_last_one_its_upper_end() -> None:
    values = [0.0, 1.9999, 2.0, 10.0, 10.0001, -0.0001, math.nan, math.inf]
    cells = exact(HISTOGRAM, Columns.of(len(values), measurements=np.array(values)[:, None]))[CELLS]

    assert cells.tolist() == [2, 1, 0, 0, 1, 1, 1, 2]


def test_follow_up_ends_in_one_of_four_ways() -> None:
    days = np.array([0.0, 199.0, 200.0, 999.0, 1000.0, 5000.0, math.nan, -1.0])
    events = np.array([1, 0, 1, 0, 1, 0, 1, 1])
    levels = np.zeros((len(days), 1), dtype=np.int64)
    cells = exact(CURVE, Columns.of(len(days), levels=levels, days=days, events=events))[CELLS]

    assert cells[0].tolist() == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 2]
    assert not cells[1].any()


def test_who_has_a_value_missing_takes_no_part_in_a_regression() -> None:
    measured = np.array([[5.0, 0.0, 20.0], [math.nan, 0.0, 20.0], [5.0, 0.0, math.inf]])
    sums = exact(LINEAR, Columns.of(3, measurements=measured, levels=np.zeros((3, 1), dtype=np.int64)))

    assert sums["persons"] == 3
    assert unpacked(sums["information"])[0, 0] == 1


def test_columns_of_another_question_are_refused() -> None:
    fitting = Columns.of(1, measurements=np.zeros((1, 2)), levels=np.zeros((1, 1), dtype=np.int64))
    wrong = [
        (TABLE, Columns.of(3), None),
        (TABLE, Columns.of(1, levels=np.array([[3, 0]])), None),
        (LOGISTIC, fitting, np.zeros(7)),
        (LOGISTIC, fitting, np.full(4, math.nan)),
    ]
    for question, columns, coefficients in wrong:
        with pytest.raises(ValueError):  # noqa: PT011 (tests match no words)
            exact(question, columns, coefficients)


def test_columns_are_kept_as_they_are() -> None:
    columns = Columns.of(2, measurements=np.array([[1.0], [math.nan]]), days=np.array([3.0, math.nan]))
    again = Columns.from_bytes(columns.to_bytes())

    assert all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(vars(columns).values(), vars(again).values(), strict=True)
    )


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_packing_keeps_a_symmetric_matrix_and_its_norm(size: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    matrix = matrix + matrix.T

    assert np.allclose(unpacked(packed(matrix)), matrix)
    assert np.linalg.norm(packed(matrix)) == pytest.approx(np.linalg.norm(matrix))
