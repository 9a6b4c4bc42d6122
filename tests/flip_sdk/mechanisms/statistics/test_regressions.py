"""Regressions agree with the textbook's where there is next to no noise, and their intervals hold where there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.contract.features import Label
from flip_sdk.contract.statistics import LogisticRegression, Predictors
from flip_sdk.mechanisms.statistics.columns import Columns
from scipy.optimize import minimize

from tests.flip_sdk.mechanisms.statistics.cases import (
    COX,
    LINEAR,
    LOGISTIC,
    RADIUS,
    SEX,
    fitted,
    linear,
    logistic,
    survival,
    together,
)

NEXT_TO_NONE = 1e-7
MU = 0.73
"""What all releases of a job for ε = 3 and δ = 1e-5 have together, as one Gaussian release."""


def matrix(columns: Columns, intercept: bool = True) -> np.ndarray:
    parts = [columns.measurements[:, :2], columns.levels]
    return np.column_stack(([np.ones(len(columns))] if intercept else []) + parts)


def least_squares(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    x, y = matrix(columns), columns.measurements[:, 2]
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ y
    return b, np.sqrt(np.diag(inverse) * np.square(y - x @ b).sum() / (len(y) - len(b)))


def most_likely(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood of a logistic regression, with errors of the Fisher information."""
    x, y = matrix(columns), columns.outcome
    found = minimize(lambda b: np.logaddexp(0, x @ b).sum() - y @ x @ b, np.zeros(4), method="BFGS", tol=1e-8)
    p = 1 / (1 + np.exp(-x @ found.x))
    return found.x, np.sqrt(np.diag(np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)))


def partial_likelihood(columns: Columns) -> np.ndarray:
    """Cox's, with Breslow's ties, over the follow-up's 1000 days."""
    x, days = matrix(columns, intercept=False), np.minimum(columns.days, 1000)
    x = x - x.mean(axis=0)
    order = np.argsort(-days, kind="stable")
    x, days = x[order], days[order]
    events = ((columns.events == 1) & (columns.days < 1000))[order]
    last = np.searchsorted(-days, -days, side="right") - 1

    def loss(b: np.ndarray) -> float:
        at_risk = np.logaddexp.accumulate(x @ b)
        return float(-(x @ b - at_risk[last])[events].sum())

    return minimize(loss, np.zeros(3), method="BFGS").x


def test_a_linear_regression_is_least_squares() -> None:
    random = np.random.default_rng(1)
    columns = linear(random, 3000)
    found = together(fitted(random, LINEAR, [columns], NEXT_TO_NONE))
    coefficients, errors = least_squares(columns)

    assert [e.of for e in found] == [("intercept",), ("radius",), ("texture",), ("treated",)]
    assert [e.estimate for e in found] == pytest.approx(coefficients, rel=1e-3)
    assert [e.standard_error for e in found] == pytest.approx(errors, rel=1e-2)


def test_a_logistic_regression_is_most_likely() -> None:
    random = np.random.default_rng(2)
    columns = logistic(random, 3000)
    found = together(fitted(random, LOGISTIC, [columns], NEXT_TO_NONE))
    coefficients, errors = most_likely(columns)

    assert [e.estimate for e in found] == pytest.approx(coefficients, rel=1e-3)
    assert [e.standard_error for e in found] == pytest.approx(errors, rel=1e-2)


def test_a_cox_regression_is_near_to_the_partial_likelihoods() -> None:
    random = np.random.default_rng(3)
    columns = survival(random, 6000)
    found = together(fitted(random, COX, [columns], NEXT_TO_NONE))

    assert [e.of for e in found] == [("radius",), ("texture",), ("treated",)]
    for e, expected in zip(found, partial_likelihood(columns), strict=True):
        # it follows nobody beyond the first event that was to be expected, so it knows a little less
        assert e.estimate == pytest.approx(expected, abs=e.standard_error)


def test_trusts_together_are_as_one() -> None:
    random = np.random.default_rng(4)
    columns = logistic(random, 3000)
    parts = [Columns(**{name: value[i::3] for name, value in vars(columns).items()}) for i in range(3)]
    apart, whole = (
        together(fitted(np.random.default_rng(0), LOGISTIC, one, NEXT_TO_NONE)) for one in (parts, [columns])
    )

    assert [e.estimate for e in apart] == pytest.approx([e.estimate for e in whole], rel=1e-4)
    assert [e.standard_error for e in apart] == pytest.approx([e.standard_error for e in whole], rel=1e-4)


def test_each_trust_has_estimates_of_its_own() -> None:
    random = np.random.default_rng(5)
    cohorts = [logistic(random, 4000), logistic(random, 2000)]
    found = fitted(random, LOGISTIC, cohorts, NEXT_TO_NONE)
    first = [e for e in found if e.trust == "trust0"]
    coefficients, errors = most_likely(cohorts[0])

    assert len(found) == 3 * 4
    assert [e.estimate for e in first] == pytest.approx(coefficients, abs=float(errors.min()))


def test_levels_are_compared_with_the_first_and_unknown_is_left_out() -> None:
    question = LogisticRegression(
        outcome=Label(condition_concept_ids=(5,)), predictors=Predictors(measurements=(RADIUS,), categories=(SEX,))
    )
    random = np.random.default_rng(6)
    persons = 4000
    sex, radius = random.integers(0, 3, persons), random.uniform(0, 10, persons)
    odds = np.exp(-2 + 0.3 * radius + 0.9 * (sex == 1) - 5.0 * (sex == 2))
    outcome = (random.random(persons) < odds / (1 + odds)).astype(np.int64)
    columns = Columns.of(persons, measurements=radius[:, None], levels=sex[:, None], outcome=outcome)
    found = together(fitted(random, question, [columns], NEXT_TO_NONE))

    assert [e.of[0] for e in found] == ["intercept", "radius", "female"]
    assert found[2].estimate == pytest.approx(0.9, abs=4 * found[2].standard_error)


@pytest.mark.parametrize(
    ("question", "cohort", "persons", "truth", "releases"),
    [
        (LINEAR, linear, 1000, [10, 2, -1, 3], 1),
        (LOGISTIC, logistic, 800, [-3, 0.4, -0.3, 0.8], 8),
        (COX, survival, 1200, [0.2, -0.1, 0.7], 10),
    ],
    ids=["linear", "logistic", "cox"],
)
@pytest.mark.parametrize(("times", "within"), [(24, 0.06), pytest.param(120, 0.035, marks=pytest.mark.slow)])
def test_intervals_hold_the_true_coefficients(question, cohort, persons, truth, releases, times, within) -> None:
    random = np.random.default_rng(11)
    held, distances = [], []
    for _ in range(times):
        cohorts = [cohort(random, persons) for _ in range(4)]
        found = together(fitted(random, question, cohorts, math.sqrt(releases) / MU))
        assert all(e.estimate is not None for e in found)
        held.append([e.low <= value <= e.high for e, value in zip(found, truth, strict=True)])
        distances.append([(e.estimate - value) / e.standard_error for e, value in zip(found, truth, strict=True)])

    assert np.mean(held) == pytest.approx(0.95, abs=within)
    assert np.abs(np.mean(distances, axis=0)).max() < 3 / math.sqrt(times)


@pytest.mark.parametrize(
    ("question", "cohort"), [(LINEAR, linear), (LOGISTIC, logistic), (COX, survival)], ids=["linear", "logistic", "cox"]
)
def test_too_few_persons_for_the_noise_tell_nothing(question, cohort) -> None:
    random = np.random.default_rng(12)
    found = fitted(random, question, [cohort(random, 40) for _ in range(2)], 5.0)

    assert {(e.estimate, e.standard_error, e.low, e.high) for e in found} == {(None,) * 4}


def test_a_predictor_without_any_spread_is_not_determined() -> None:
    random = np.random.default_rng(13)
    columns = logistic(random, 2000)
    same = Columns.of(
        2000, measurements=columns.measurements, levels=np.zeros_like(columns.levels), outcome=columns.outcome
    )

    assert {e.estimate for e in fitted(random, LOGISTIC, [same], 0.01)} == {None}
