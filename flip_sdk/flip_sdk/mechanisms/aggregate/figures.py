"""Accuracy, AUC, calibration and majority share out of noisy histograms of scores by true label, with honest errors.

Histograms are used as they came, negative cells included: accuracy and AUC are linear in each label's cells, so that
the noise does not bias them, where cutting it off at zero would. Standard errors add up two variances: of the sample of
people (binomial; DeLong for the AUC) and of the noise (delta method over the cells' known noise variance).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.api import TrustFigures
from flip_sdk.mechanisms.aggregate.calibration import calibration

Array = npt.NDArray[np.float64]
ALL = "all"


def figures(histograms: Mapping[str, npt.NDArray[np.float64]], epsilon: float) -> tuple[TrustFigures, ...]:
    """One row per Trust in the order of their names, and ``all`` over their sum.

    Args:
        histograms: by Trust, ``(2, bins)`` noisy persons: row = true label, column = bin of the predicted probability.
        epsilon: of each release; the noise of every cell is discrete Laplace of scale 1/epsilon.
    """
    noise = noise_variance(epsilon)
    rows = [_figures(trust, np.asarray(histograms[trust], dtype=np.float64), noise) for trust in sorted(histograms)]
    if histograms:
        total = np.sum([np.asarray(h, dtype=np.float64) for h in histograms.values()], axis=0)
        rows.append(_figures(ALL, total, noise * len(histograms)))
    return tuple(rows)


def noise_variance(epsilon: float) -> float:
    """Variance of discrete Laplace noise of scale 1/epsilon: ``2 q / (1 - q)²`` with ``q = exp(-epsilon)``."""
    q = math.exp(-epsilon)
    return 2 * q / (1 - q) ** 2


def _figures(trust: str, cells: Array, noise: float) -> TrustFigures:
    persons = float(cells.sum())
    if persons < 1:
        return TrustFigures(trust=trust, suppressed=True)
    accuracy, accuracy_error = _accuracy(cells, persons, noise)
    auc, auc_error = _auc(cells, noise)
    return TrustFigures(
        trust=trust,
        persons=persons,
        accuracy=accuracy,
        accuracy_error=accuracy_error,
        auc=auc,
        auc_error=auc_error,
        majority=_share(float(cells.sum(axis=1).max()) / persons),
        calibration=calibration(cells, noise),
    )


def _accuracy(cells: Array, persons: float, noise: float) -> tuple[float, float]:
    """At a threshold of 0.5; a bin that the threshold halves counts half."""
    bins = cells.shape[1]
    above = np.clip(np.arange(bins) + 1 - bins / 2, 0.0, 1.0)
    weights = np.stack([1 - above, above])
    share = _share(float((cells * weights).sum()) / persons)
    variance = share * (1 - share) / persons + noise * float(np.square(weights - share).sum()) / persons**2
    return share, math.sqrt(variance)


def _auc(cells: Array, noise: float) -> tuple[float | None, float | None]:
    """Probability that somebody with label 1 scores higher than somebody with label 0; equal bins count half."""
    without, having = cells
    n, m = float(without.sum()), float(having.sum())
    if n < 1 or m < 1:
        return None, None
    lower = (np.cumsum(without) - without / 2) / n
    higher = (having.sum() - np.cumsum(having) + having / 2) / m
    auc = _share(float(having @ lower) / m)
    by_person = _spread(having, lower, auc) / m + _spread(without, higher, auc) / n
    by_noise = noise * (float(np.square((lower - auc) / m).sum()) + float(np.square((higher - auc) / n).sum()))
    return auc, math.sqrt(by_person + by_noise)


def _spread(counts: Array, placements: Array, mean: float) -> float:
    # with negative cells too: cut off at zero, noise in empty cells would count as people far from the mean
    return max(0.0, float(counts @ np.square(placements - mean))) / float(counts.sum())


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
