"""Accuracy, recalls and precisions out of noisy tables of true classes by the model's, with honest errors.

Tables are used as they came, negative cells included, as in ``figures``. A share is linear in its own row's (or
column's) cells; its variance is that of the sample (binomial) and of the noise (delta method) together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.api import ClassFigures, TrustFigures
from flip_sdk.mechanisms.aggregate.figures import ALL, noise_variance

Array = npt.NDArray[np.float64]


def class_figures(
    tables: Mapping[str, npt.NDArray[np.float64]], epsilon: float, names: Sequence[str]
) -> tuple[TrustFigures, ...]:
    """One row per Trust in the order of their names, and ``all`` over their sum.

    Args:
        tables: by Trust, ``(classes, classes)`` noisy persons: row = true class, column = the model's.
        epsilon: of each release; the noise of every cell is discrete Laplace of scale 1/epsilon.
        names: of the classes.
    """
    noise = noise_variance(epsilon)
    given = {trust: np.asarray(tables[trust], dtype=np.float64) for trust in sorted(tables)}
    rows = [_figures(trust, table, noise, names) for trust, table in given.items()]
    if given:
        rows.append(_figures(ALL, np.sum(list(given.values()), axis=0), noise * len(given), names))
    return tuple(rows)


def _figures(trust: str, table: Array, noise: float, names: Sequence[str]) -> TrustFigures:
    persons = float(table.sum())
    if persons < 1:
        return TrustFigures(trust=trust, suppressed=True)
    right = np.eye(len(table))
    accuracy, accuracy_error = _share(table.ravel(), right.ravel(), noise)
    recalls = [_share(table[k], right[k], noise) for k in range(len(table))]
    precisions = [_share(table[:, k], right[k], noise) for k in range(len(table))]
    balanced, balanced_error = _mean(recalls)
    return TrustFigures(
        trust=trust,
        persons=persons,
        accuracy=accuracy,
        accuracy_error=accuracy_error,
        balanced_accuracy=balanced,
        balanced_accuracy_error=balanced_error,
        majority=min(1.0, max(0.0, float(table.sum(axis=1).max()) / persons)),
        classes=tuple(
            ClassFigures(
                name=name,
                persons=float(table[k].sum()),
                recall=recalls[k][0],
                recall_error=recalls[k][1],
                precision=precisions[k][0],
                precision_error=precisions[k][1],
            )
            for k, name in enumerate(names)
        ),
        confusion=tuple(tuple(map(float, row)) for row in table),
    )


def _share(cells: Array, right: Array, noise: float) -> tuple[float | None, float | None]:
    """The share of persons in the right cells, and its standard error; None where there is nobody."""
    persons = float(cells.sum())
    if persons < 1:
        return None, None
    share = min(1.0, max(0.0, float(cells @ right) / persons))
    variance = share * (1 - share) / persons + noise * float(np.square(right - share).sum()) / persons**2
    return share, math.sqrt(variance)


def _mean(shares: Sequence[tuple[float | None, float | None]]) -> tuple[float | None, float | None]:
    """Of shares that are independent of each other; None where one of them is not known."""
    values = [value for value, _ in shares if value is not None]
    if len(values) < len(shares):
        return None, None
    return float(np.mean(values)), math.sqrt(sum((error or 0.0) ** 2 for _, error in shares)) / len(shares)
