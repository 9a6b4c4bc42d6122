"""Persons by cell: noisy counts, small ones kept back, with a total over all cells.

Keeping small cells back is for the eye only. The guarantee is the noise's: every cell is ε-DP as it is, so nothing has
to be hidden by hiding its neighbours, and the total is of all noisy cells, kept back or not. A total of the shown ones
would be too small on average.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from flip_sdk.contract.statistics import ConditionRecorded, CrossTable, Description, Estimate, Histogram
from flip_sdk.mechanisms.statistics.columns import Floats
from flip_sdk.mechanisms.statistics.intervals import interval, undetermined

SMALL = 10
"""Noisy counts below this are kept back."""
TOTAL = "total"
OUTSIDE = ("below", "above", "not measured")


def description(question: Description, trust: str, cells: Floats, variance: float) -> Iterator[Estimate]:
    """How many persons there are, then one estimate a level; of a condition, who has it.

    Each table's sum is the number of persons once more: the more cells, the noisier, and so much less it counts.
    """
    parts = np.split(cells, np.cumsum([len(category.levels) for category in question.by])[:-1])
    weights = np.array([1 / part.size for part in parts])
    persons = float(weights @ np.array([part.sum() for part in parts]) / weights.sum())
    yield _persons(trust, persons, variance / float(weights.sum()), {"of": (TOTAL,)})
    for category, part in zip(question.by, parts, strict=True):
        for level, value in zip(category.levels, part, strict=True):
            if isinstance(category, ConditionRecorded) and level != category.levels[-1]:
                continue
            at = {"of": (category.kind, level)}
            small = value < SMALL
            yield undetermined(trust, "persons", **at) if small else _persons(trust, float(value), variance, at)


def table(question: CrossTable | Histogram, trust: str, cells: Floats, variance: float) -> Iterator[Estimate]:
    """One estimate a cell, and the total.

    Args:
        question: what was asked.
        trust: of which Trust, or ``all``.
        cells: noisy persons.
        variance: of each cell's noise.
    """
    for at, value in zip(_places(question), cells.ravel(), strict=True):
        if value < SMALL:
            yield undetermined(trust, "persons", **at)
        else:
            yield _persons(trust, float(value), variance, at)
    yield _persons(trust, float(cells.sum()), variance * cells.size, {"of": (TOTAL,)})


def _persons(trust: str, value: float, variance: float, at: Mapping[str, object]) -> Estimate:
    return interval(trust, "persons", value, math.sqrt(variance), bounds=(0.0, math.inf), **at)


def _places(question: CrossTable | Histogram) -> Iterator[Mapping[str, object]]:
    if isinstance(question, CrossTable):
        for levels in itertools.product(*(category.levels for category in question.by)):
            yield {"of": levels}
        return
    edges = np.linspace(question.measurement.low, question.measurement.high, question.bins + 1)
    for low, high in itertools.pairwise(edges):
        yield {"at": float(low), "to": float(high)}
    yield from ({"of": (words,)} for words in OUTSIDE)
