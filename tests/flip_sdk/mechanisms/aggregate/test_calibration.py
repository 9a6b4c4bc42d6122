from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.mechanisms.aggregate.calibration import calibration
from flip_sdk.mechanisms.aggregate.figures import figures, noise_variance
from scipy.optimize import minimize

BINS = 10
MIDDLE = (np.arange(BINS) + 0.5) / BINS


def scored(random: np.random.Generator, persons: int, slope: float = 1.0, intercept: float = 0.0) -> np.ndarray:
    """Persons by label and bin; the label's log odds are ``intercept + slope ·`` those of the bin's middle."""
    place = random.integers(0, BINS, persons)
    odds = np.exp(intercept + slope * np.log(MIDDLE / (1 - MIDDLE)))[place]
    label = random.random(persons) < odds / (1 + odds)
    return np.stack([np.bincount(place[label == k], minlength=BINS) for k in (False, True)]).astype(float)


def noisy(random: np.random.Generator, cells: np.ndarray, epsilon: float) -> np.ndarray:
    p = 1 - math.exp(-epsilon)
    return cells + random.geometric(p, cells.shape) - random.geometric(p, cells.shape)


def test_scores_without_noise_are_the_textbooks() -> None:
    cells = scored(np.random.default_rng(1), 3000, slope=0.7, intercept=-0.3)
    found, persons = calibration(cells, 0.0), cells.sum()
    predicted, label = np.tile(MIDDLE, 2), np.repeat([0, 1], BINS)
    counts = cells.ravel()

    assert found.brier == pytest.approx((counts * (predicted - label) ** 2).sum() / persons)
    likelihood = np.where(label == 1, predicted, 1 - predicted)
    assert found.log_loss == pytest.approx(-(counts * np.log(likelihood)).sum() / persons)
    observed = cells[1] / cells.sum(axis=0)
    expected = (cells.sum(axis=0) / persons * np.abs(observed - MIDDLE)).sum()
    assert found.expected_calibration_error == pytest.approx(expected)
    assert [one.observed for one in found.bins] == pytest.approx(observed)


def test_slope_and_intercept_are_most_likely() -> None:
    cells = scored(np.random.default_rng(2), 3000, slope=0.7, intercept=-0.3)
    found = calibration(cells, 0.0)
    x = np.log(MIDDLE / (1 - MIDDLE))

    def loss(b: np.ndarray) -> float:
        z = b[0] + b[1] * x
        return float((cells.sum(axis=0) * np.logaddexp(0, z)).sum() - cells[1] @ z)

    assert (found.intercept, found.slope) == pytest.approx(tuple(minimize(loss, np.zeros(2)).x), abs=1e-4)


def test_intervals_hold_the_truth_with_noise() -> None:
    random, epsilon, held = np.random.default_rng(3), 1.0, []
    everybody = scored(random, 4_000_000, slope=0.7, intercept=-0.3)
    truth = calibration(everybody, 0.0)
    for _ in range(300):
        found = calibration(noisy(random, scored(random, 600, 0.7, -0.3), epsilon), noise_variance(epsilon))
        held.append(
            [
                abs(found.brier - truth.brier) <= 1.96 * found.brier_error,
                abs(found.log_loss - truth.log_loss) <= 1.96 * found.log_loss_error,
                abs(found.slope - 0.7) <= 1.96 * found.slope_error,
                abs(found.intercept + 0.3) <= 1.96 * found.intercept_error,
            ]
        )

    assert np.mean(held, axis=0) == pytest.approx(0.95, abs=0.04)


def test_a_model_that_is_right_is_off_by_chance_alone() -> None:
    random, epsilon = np.random.default_rng(4), 1.0
    found = [calibration(noisy(random, scored(random, 600), epsilon), noise_variance(epsilon)) for _ in range(200)]

    off = np.mean([one.expected_calibration_error for one in found])
    assert off == pytest.approx(np.mean([one.by_chance for one in found]), rel=0.05)


def test_noise_alone_tells_nothing() -> None:
    random, epsilon = np.random.default_rng(5), 0.5
    found = [calibration(noisy(random, np.zeros((2, BINS)), epsilon), noise_variance(epsilon)) for _ in range(200)]

    assert sum(one is not None for one in found) <= 3


def test_a_sparse_bin_is_left_open_and_a_one_sided_model_has_no_slope() -> None:
    cells = np.zeros((2, BINS))
    cells[:, 2] = 300, 100
    found = calibration(cells, noise_variance(1.0))

    assert [one.observed is None for one in found.bins] == [place != 2 for place in range(BINS)]
    assert found.slope is None


def test_figures_carry_it_for_each_trust_and_all() -> None:
    cells = scored(np.random.default_rng(6), 3000)
    rows = figures({"a": cells, "b": 2 * cells}, 1.0)

    assert [row.trust for row in rows] == ["a", "b", "all"]
    assert all(row.calibration is not None for row in rows)
    assert rows[2].calibration.brier == pytest.approx(rows[0].calibration.brier)
    assert rows[2].calibration.brier_error < rows[0].calibration.brier_error
