"""What one release of a question holds, and how far one person can move it: from public values alone.

Tables of disjoint cells: one person more or less changes one cell by 1, so discrete Laplace noise of scale 1/ε makes
all cells together ε-DP (Dwork et al., TCC 2006). In k tables they change k cells, and the noise's scale is k/ε.

Sums (means, regressions): Gaussian noise on blocks of numbers. Each block has a weight; its noise has the standard
deviation ``noise_multiplier · sensitivity / weight``, where the sensitivity is the largest L2 norm of one person's
blocks, each times its weight. So what matters more gets less noise, at the same cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flip_sdk.contract.statistics import (
    AnyQuestion,
    CoxRegression,
    LinearRegression,
    LogisticRegression,
    Mean,
    Regression,
    cells_of,
    coefficients_of,
    tables_of,
)

CELLS = "cells"
_GOLDEN = (1 + math.sqrt(5)) / 2


@dataclass(frozen=True)
class Release:
    """The blocks of one release.

    Attributes:
        shapes: of the blocks, by name.
        weights: of the blocks; none for a table of cells.
        sensitivity: L1 for cells (1, or as many as there are tables), L2 of the weighted blocks otherwise.
    """

    shapes: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, float]
    sensitivity: float

    def deviation(self, block: str, noise_multiplier: float) -> float:
        """Standard deviation of a block's Gaussian noise."""
        return noise_multiplier * self.sensitivity / self.weights[block]


def release_of(question: AnyQuestion) -> Release:
    """The blocks of one release of a question.

    ``cells``: persons by cell. Means: ``persons``, and for each measurement, mapped to [-1, 1] by its public bounds,
    ``counts`` (measured), ``sums`` of x and ``squares`` of x² - ½. Regressions: ``persons``, ``score`` (p,), the upper
    triangle ``information`` (p (p + 1) / 2,) of a symmetric matrix with what is off its diagonal times √2, so that its
    L2 norm is the matrix's; for a linear regression ``squares`` of the outcome.
    """
    match question:
        case Mean():
            return _mean(len(question.measurements))
        case LinearRegression() | LogisticRegression() | CoxRegression():
            return _regression(question)
        case _:
            return Release({CELLS: cells_of(question)}, {}, float(tables_of(question)))


def norm_bound(question: Regression) -> float:
    """Largest L2 norm of (1, one person's columns)."""
    return math.sqrt(1 + question.predictors.squared_norm)


def _mean(measurements: int) -> Release:
    shapes = {"persons": (1,), **dict.fromkeys(("counts", "sums", "squares"), (measurements,))}
    # 1 + x² + (x² - ½)² is largest at x = ±1, where it is 9/4: with x² alone it would be 3
    return Release(shapes, dict.fromkeys(shapes, 1.0), math.sqrt(1 + 9 / 4 * measurements))


def _regression(question: Regression) -> Release:
    p, bound = coefficients_of(question), norm_bound(question)
    shapes = {"persons": (1,), "score": (p,), "information": (p * (p + 1) // 2,)}
    match question:
        case LinearRegression():
            # norms of at most: zzᵀ bound², z·y bound, y² 1
            weights = {"persons": 1.0, "score": 1.0, "information": 1 / bound, "squares": 1.0}
            return Release({**shapes, "squares": (1,)}, weights, math.sqrt(2 * bound**2 + 2))
        case LogisticRegression():
            # With q = |y - probability| a person's score is q·z and their information q(1 - q)·zzᵀ. As
            # q²·(1 + φ⁵(1 - q)²) ≤ 1 with φ the golden ratio, this much of the information costs nothing.
            weights = {"persons": bound / 4, "score": 1.0, "information": _GOLDEN**2.5 / bound}
            return Release(shapes, weights, bound * math.sqrt(1 + 1 / 16))
        case CoxRegression():
            # With E_j expected events of a person in interval j, Σ E_j ≤ 1: score Σ_j (d_j - E_j)·(e_j, x) of a norm
            # of at most √(2 + |x|²), which is one event after all that was expected, and information of bound².
            weights = {"persons": bound / 4, "score": 1.0, "information": 3 / (4 * bound)}
            return Release(shapes, weights, math.sqrt(1 + bound**2 * (1 + 9 / 16 + 1 / 16)))
