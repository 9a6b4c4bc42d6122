"""Each person's part of a regression's sums, bounded by ``release_of``'s sensitivity.

Newton's method on sums with noise, with intervals that know of it: Avella-Medina, Bradshaw and Loh, "Differentially
private inference via noisy optimization", Annals of Statistics 51 (2023), arXiv 2103.11003. Linear: noisy products
(Wang, UAI 2018, arXiv 1803.02596). Cox: proportional hazards with a baseline that is constant in each interval, whose
likelihood is a Poisson regression's (Holford, Biometrics 36 (1980) 299; Laird and Olivier, JASA 76 (1981) 231).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.features import Feature
from flip_sdk.contract.statistics import (
    CoxRegression,
    LinearRegression,
    LogisticRegression,
    Regression,
    known_levels,
)
from flip_sdk.mechanisms.statistics.columns import Columns, Floats

_LARGEST = 20.0
"""Linear predictors are held within this, so that no coefficient makes a number that is not finite."""
_EVENTS_PER_INTERVAL = 0.05
"""Hazard per interval from which a Cox regression's first step starts."""
Tensors = dict[str, Floats]


def to_unit(values: Floats, features: tuple[Feature, ...]) -> Floats:
    """Measurements clamped to their public bounds and mapped to [-1, 1]; nan where they are not finite."""
    low, high = np.array([f.low for f in features]), np.array([f.high for f in features])
    finite = np.where(np.isfinite(values), values, np.nan)
    unit: Floats = (np.clip(finite, low, high) - (low + high) / 2) / ((high - low) / 2)
    return unit


def start(question: Regression) -> Floats:
    """The coefficients of the first round: public ones."""
    width = question.predictors.width
    if isinstance(question, CoxRegression):
        baseline = np.full(question.follow_up.intervals, math.log(_EVENTS_PER_INTERVAL))
        return np.concatenate([baseline, np.zeros(width)])
    return np.zeros(1 + width)


def regression_sums(question: Regression, columns: Columns, coefficients: Floats) -> Tensors:
    """Exact sums of one round.

    Args:
        question: which regression.
        columns: the cohort's.
        coefficients: at which score and information are reckoned; a linear regression's are 0.
    """
    rows, complete = design(question, columns)
    match question:
        case LinearRegression():
            return _linear(question, columns, rows, complete)
        case LogisticRegression():
            return _logistic(columns, rows, complete, coefficients)
        case CoxRegression():
            return _cox(question, columns, rows, complete, coefficients)


def design(question: Regression, columns: Columns) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """One row ``(1, columns)`` a person, and who has them all; rows of the others are zero."""
    predictors = question.predictors
    numbers = to_unit(columns.measurements[:, : len(predictors.measurements)], predictors.measurements)
    complete = np.asarray(np.isfinite(numbers).all(axis=1))
    parts = [np.ones((len(columns), 1)), numbers]
    for category, level in zip(predictors.categories, columns.levels.T, strict=True):
        known = len(known_levels(category))
        complete &= level < known
        parts.append((level[:, None] == np.arange(1, known)[None, :]).astype(np.float64))
    rows = np.concatenate(parts, axis=1)
    return np.where(complete[:, None], rows, 0.0), complete


def packed(matrix: Floats) -> Floats:
    """Upper triangle of a symmetric matrix, off-diagonal numbers times √2."""
    above = np.triu_indices(len(matrix))
    return matrix[above] * np.where(above[0] == above[1], 1.0, math.sqrt(2))


def unpacked(triangle: Floats) -> Floats:
    """The inverse of :func:`packed`."""
    size = int((math.isqrt(8 * len(triangle) + 1) - 1) // 2)
    above = np.triu_indices(size)
    matrix = np.zeros((size, size))
    matrix[above] = triangle / np.where(above[0] == above[1], 1.0, math.sqrt(2))
    return matrix + np.triu(matrix, 1).T


def _linear(question: LinearRegression, columns: Columns, rows: Floats, complete: npt.NDArray[np.bool_]) -> Tensors:
    outcome = to_unit(columns.measurements[:, -1:], (question.outcome,))[:, 0]
    usable = complete & np.isfinite(outcome)
    rows, outcome = rows[usable], outcome[usable]
    sums = _sums(columns, rows.T @ outcome, rows.T @ rows)
    return sums | {"squares": np.array([float(outcome @ outcome)])}


def _logistic(columns: Columns, rows: Floats, complete: npt.NDArray[np.bool_], coefficients: Floats) -> Tensors:
    expected = 1 / (1 + np.exp(-_held(rows @ coefficients)))
    residual = np.where(complete, (columns.outcome != 0) - expected, 0.0)
    weight = np.where(complete, expected * (1 - expected), 0.0)
    return _sums(columns, rows.T @ residual, (rows * weight[:, None]).T @ rows)


def _cox(
    question: CoxRegression,
    columns: Columns,
    rows: Floats,
    complete: npt.NDArray[np.bool_],
    coefficients: Floats,
) -> Tensors:
    intervals = question.follow_up.intervals
    exposure, event = _follow_up(question, columns, complete)
    x = rows[:, 1:]
    hazard = np.exp(_held(coefficients[None, :intervals] + (x @ coefficients[intervals:])[:, None]))
    expected, event = _until_one(exposure * hazard, event)
    residual, across = event - expected, expected.T @ x
    score = np.concatenate([residual.sum(axis=0), x.T @ residual.sum(axis=1)])
    among = (x * expected.sum(axis=1)[:, None]).T @ x
    information = np.block([[np.diag(expected.sum(axis=0)), across], [across.T, among]])
    return _sums(columns, score, information)


def _until_one(expected: Floats, event: Floats) -> tuple[Floats, Floats]:
    """Follow each person only until one event was to be expected of them.

    That bounds what a person adds. As the moment follows from columns and coefficients alone and not from what
    happened to the person, the score's mean stays zero at the true coefficients: nothing is biased by it.
    """
    room = np.clip(1 - (np.cumsum(expected, axis=1) - expected), 0.0, None)
    return np.minimum(expected, room), event * (expected <= room)


def _follow_up(question: CoxRegression, columns: Columns, complete: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Share of each interval that a person was followed in, and the event in the interval in which it was."""
    intervals, most = question.follow_up.intervals, question.follow_up.maximum_days
    followed = complete & np.isfinite(columns.days) & (columns.days >= 0)
    days = np.where(followed, columns.days, 0.0)
    # in units of intervals; half a day, as an event on day 0 happened at some time of that day
    length = np.minimum((days + 0.5) * intervals / most, intervals)
    exposure = np.clip(length[:, None] - np.arange(intervals)[None, :], 0.0, 1.0) * followed[:, None]
    inside = followed & (columns.events != 0) & (days < most)
    which = np.minimum((days * intervals) // most, intervals - 1).astype(np.int64)
    event = (which[:, None] == np.arange(intervals)[None, :]) & inside[:, None]
    return exposure.astype(np.float64), event.astype(np.float64)


def _sums(columns: Columns, score: Floats, information: Floats) -> Tensors:
    persons = np.array([float(len(columns))])
    return {"persons": persons, "score": score, "information": packed(information)}


def _held(values: Floats) -> Floats:
    return np.clip(values, -_LARGEST, _LARGEST)
