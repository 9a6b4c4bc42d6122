"""Exact sums over persons for one release: each person's part is bounded as ``release_of`` says."""

from __future__ import annotations

import numpy as np

from flip_sdk.contract.statistics import (
    AnyQuestion,
    CrossTable,
    Description,
    Histogram,
    KaplanMeier,
    Mean,
    Quantiles,
    Table,
    cells_of,
)
from flip_sdk.mechanisms.statistics.columns import Columns, Floats, Integers
from flip_sdk.mechanisms.statistics.regression import Tensors, regression_sums, start, to_unit
from flip_sdk.mechanisms.statistics.release import CELLS


def exact(question: AnyQuestion, columns: Columns, coefficients: Floats | None = None) -> dict[str, Floats | Integers]:
    """The exact numbers of one release, which must not leave a Trust before they are noised.

    Args:
        question: what is asked.
        columns: the cohort's.
        coefficients: of a regression's round; its public start where left out.

    Raises:
        ValueError: columns or coefficients are not the question's.
    """
    columns.check(question)
    match question:
        case CrossTable() | Description() | Histogram() | Quantiles() | KaplanMeier():
            return {CELLS: _cells(question, columns)}
        case Mean():
            return dict(_mean(question, columns))
        case _:
            at = start(question) if coefficients is None else coefficients
            if at.shape != start(question).shape or not np.isfinite(at).all():
                raise ValueError("these are not the regression's coefficients")
            return dict(regression_sums(question, columns, at))


def _cells(question: Table, columns: Columns) -> Integers:
    shape = cells_of(question)
    match question:
        case CrossTable():
            where = tuple(columns.levels.T)
        case Description():
            first = np.cumsum([0, *(len(category.levels) for category in question.by[:-1])])
            where = ((columns.levels + first).ravel(),)
        case Histogram() | Quantiles():
            where = (_bin(question, columns.measurements[:, 0]),)
        case KaplanMeier():
            group = columns.levels[:, 0] if question.by is not None else np.zeros(len(columns), dtype=np.int64)
            where = (group, _outcome(question, columns))
    cells = np.zeros(shape, dtype=np.int64)
    np.add.at(cells, where, 1)
    return cells


def _bin(question: Histogram | Quantiles, values: Floats) -> Integers:
    """Bins first, then below, above, not measured. The last bin holds its upper end too."""
    low, high, bins = question.measurement.low, question.measurement.high, question.bins
    inside = np.clip(np.where(np.isfinite(values), values, low), low, high)
    place = np.minimum((inside - low) / (high - low) * bins, bins - 1).astype(np.int64)
    place = np.where(values < low, bins, np.where(values > high, bins + 1, place))
    return np.where(np.isfinite(values), place, bins + 2)


def _outcome(question: KaplanMeier, columns: Columns) -> Integers:
    """Event by interval, censored by interval, followed to the end, not followed."""
    intervals, most = question.follow_up.intervals, question.follow_up.maximum_days
    followed = np.isfinite(columns.days) & (columns.days >= 0)
    days = np.where(followed, columns.days, 0.0)
    which = np.minimum(days * intervals // most, intervals - 1).astype(np.int64)
    place = np.where(columns.events != 0, which, intervals + which)
    place = np.where(days >= most, 2 * intervals, place)
    return np.where(followed, place, 2 * intervals + 1)


def _mean(question: Mean, columns: Columns) -> Tensors:
    x = to_unit(columns.measurements, question.measurements)
    known = np.isfinite(x)
    x = np.where(known, x, 0.0)
    return {
        "persons": np.array([float(len(columns))]),
        "counts": known.sum(axis=0).astype(np.float64),
        "sums": x.sum(axis=0),
        "squares": np.where(known, np.square(x) - 0.5, 0.0).sum(axis=0),
    }
