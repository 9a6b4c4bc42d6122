"""Calibration out of a noisy histogram of scores by true label; it costs nothing beyond the histogram.

Scores count as the middle of their bins. Brier score and log-loss are means of fixed numbers per cell, so noise does
not bias them. The expected calibration error adds up distances, which noise and chance only ever make larger: so what
they would make of a model that is right is told beside it. Slope and intercept: Cox, Biometrika 45 (1958) 562.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.calibration import Calibration, ReliabilityBin

Array = npt.NDArray[np.float64]
_LARGE = 3.0
_STEPS = 25
_MOST = 50.0


def calibration(cells: Array, noise: float) -> Calibration | None:
    """The calibration of one histogram; None where noise is too large for the number of persons.

    Args:
        cells: ``(2, bins)`` noisy persons: row = true label, column = bin of the predicted probability.
        noise: variance of the noise in each cell.
    """
    persons, bins = float(cells.sum()), cells.shape[1]
    if persons <= _LARGE * math.sqrt(noise * cells.size) or persons < 2:
        return None
    middle = (np.arange(bins) + 0.5) / bins
    brier = _mean(cells, np.stack([middle**2, (1 - middle) ** 2]), noise)
    log_loss = _mean(cells, -np.log(np.stack([1 - middle, middle])), noise)
    error, by_chance = _distance(cells, middle, persons, noise)
    line = _line(cells, middle, noise)
    return Calibration(
        brier=brier[0],
        brier_error=brier[1],
        log_loss=log_loss[0],
        log_loss_error=log_loss[1],
        expected_calibration_error=error,
        by_chance=by_chance,
        slope=line[1][0] if line else None,
        slope_error=line[1][1] if line else None,
        intercept=line[0][0] if line else None,
        intercept_error=line[0][1] if line else None,
        bins=tuple(_bin(cells[:, place], place, bins, noise) for place in range(bins)),
    )


def _mean(cells: Array, values: Array, noise: float) -> tuple[float, float]:
    """Mean over persons of a number that each cell has, and its standard error of sample and noise."""
    persons = float(cells.sum())
    mean = float((cells * values).sum()) / persons
    spread = max(float((cells * np.square(values - mean)).sum()) / persons, 0.0)
    return mean, math.sqrt(spread / persons + noise * float(np.square(values - mean).sum()) / persons**2)


def _distance(cells: Array, middle: Array, persons: float, noise: float) -> tuple[float, float]:
    having, there = cells[1], cells.sum(axis=0)
    error = float(np.abs(having - middle * there).sum()) / persons
    # the mean distance of a normal number from 0 is its deviation times √(2/π)
    variance = noise * ((1 - middle) ** 2 + middle**2) + np.maximum(there, 0.0) * middle * (1 - middle)
    return error, math.sqrt(2 / math.pi) * float(np.sqrt(variance).sum()) / persons


def _bin(column: Array, place: int, bins: int, noise: float) -> ReliabilityBin:
    low, high, persons = place / bins, (place + 1) / bins, float(column.sum())
    if persons <= _LARGE * math.sqrt(2 * noise) or persons < 1:
        return ReliabilityBin(low=low, high=high, persons=persons)
    share = min(max(float(column[1]) / persons, 0.0), 1.0)
    error = math.sqrt(share * (1 - share) / persons + noise * (share**2 + (1 - share) ** 2) / persons**2)
    return ReliabilityBin(low=low, high=high, persons=persons, observed=share, observed_error=error)


def _line(cells: Array, middle: Array, noise: float) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Intercept and slope with their errors; None where they do not stand out from the noise."""
    rows = np.stack([np.ones_like(middle), np.log(middle / (1 - middle))], axis=1)
    there, at = cells.sum(axis=0), np.array([0.0, 1.0])
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(rows @ at, -30, 30)))
        weight = expected * (1 - expected)
        information = (rows * (there * weight)[:, None]).T @ rows
        unclear = math.sqrt(2 * noise * float(np.square(weight * np.square(rows).sum(axis=1)).sum()))
        if float(np.linalg.eigvalsh(information)[0]) <= max(_LARGE / 2 * unclear, 1e-9):
            return None
        step = np.linalg.solve(information, rows.T @ (cells[1] - there * expected))
        at = at + step
        if float(np.abs(at).max()) > _MOST:
            return None
        if float(np.abs(step).max()) < 1e-9:
            break
    inverse = np.linalg.inv(information)
    noisy = noise * (rows * ((1 - expected) ** 2 + expected**2)[:, None]).T @ rows
    errors = np.sqrt(np.maximum(np.diag(inverse @ (information + noisy) @ inverse), 0.0))
    return (float(at[0]), float(errors[0])), (float(at[1]), float(errors[1]))
