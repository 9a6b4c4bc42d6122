"""Accuracy and AUC out of noisy histograms, with errors that are honest."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.mechanisms.aggregate import figures
from flip_sdk.mechanisms.aggregate.figures import noise_variance
from sklearn.metrics import accuracy_score, roc_auc_score

EXACT = 1e3
"""An epsilon at which there is no noise to speak of."""


def histogram(scores, labels, bins):
    return np.stack([np.histogram(scores[labels == label], bins, (0, 1))[0] for label in (0, 1)]).astype(float)


def world(random, count, bins=10, apart=2.5):
    labels = (random.random(count) < 0.4).astype(int)
    scores = 1 / (1 + np.exp(-random.normal(apart * (labels - 0.48), 1.0)))
    return scores, labels, histogram(scores, labels, bins)


def test_without_noise_they_are_what_scikit_learn_says():
    scores, labels, cells = world(np.random.default_rng(0), 4000, bins=100)
    (one, everybody) = figures({"a": cells}, EXACT)
    assert one.accuracy == pytest.approx(accuracy_score(labels, scores >= 0.5))
    assert one.auc == pytest.approx(roc_auc_score(labels, scores), abs=2e-3)
    assert one.majority == pytest.approx(max(labels.mean(), 1 - labels.mean()))
    assert one.persons == 4000
    assert everybody.trust == "all"


def test_bins_halved_by_the_threshold_count_half():
    cells = np.array([[2.0, 4.0, 0.0], [0.0, 2.0, 2.0]])
    assert figures({"a": cells}, EXACT)[0].accuracy == pytest.approx((2 + 2 + 1 + 2) / 10)


def test_everybody_is_the_sum_of_the_trusts():
    random = np.random.default_rng(1)
    parts = {name: world(random, count)[2] for name, count in (("b", 200), ("a", 100))}
    rows = figures(parts, 2.0)
    assert [row.trust for row in rows] == ["a", "b", "all"]
    assert rows[-1].persons == 300
    alone = figures({"x": sum(parts.values())}, EXACT)[0]
    assert rows[-1].auc == pytest.approx(alone.auc)
    assert rows[-1].accuracy_error > alone.accuracy_error


@pytest.mark.parametrize("worlds", [300, pytest.param(4000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("epsilon", "count"), [(0.3, 400), (2.0, 150)])
def test_standard_errors_are_as_large_as_the_scatter(epsilon, count, worlds):
    """Many worlds with fresh people and fresh noise: the scatter of each figure is what its error says.

    Over 15,000 worlds their ratio is between 0.98 and 1.00, and of n worlds it has a standard deviation of at most
    0.82 / √n: of the eight comparisons one is off by chance once in 10^6. An error without the variance of the noise is
    0.61 of the scatter at most at the smaller epsilon, one without that of the people 0.38 at the larger: with 300
    worlds either fault goes unnoticed about as seldom. Labels overlap, so that no AUC is cut off at 1.
    """
    random = np.random.default_rng(2)
    q, within = np.exp(-epsilon), 0.02 + 5.3 * 0.82 / np.sqrt(worlds)
    found = []
    for _ in range(worlds):
        cells = world(random, count, apart=1.2)[2]
        noise = random.geometric(1 - q, cells.shape) - random.geometric(1 - q, cells.shape)
        found.append(figures({"a": cells + noise}, epsilon)[0])
    for name in ("accuracy", "auc"):
        scatter = np.std([getattr(row, name) for row in found])
        claimed = np.sqrt(np.mean([getattr(row, f"{name}_error") ** 2 for row in found]))
        assert claimed == pytest.approx(scatter, rel=within), name


@pytest.mark.parametrize("times", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_noise_does_not_bias_them(times):
    random = np.random.default_rng(3)
    cells, q = world(random, 300)[2], np.exp(-1.0)
    true = figures({"a": cells}, EXACT)[0]
    noisy = [cells + random.geometric(1 - q, cells.shape) - random.geometric(1 - q, cells.shape) for _ in range(times)]
    rows = [figures({"a": h}, 1.0)[0] for h in noisy]
    assert np.mean([row.accuracy for row in rows]) == pytest.approx(true.accuracy, abs=3e-3)
    assert np.mean([row.auc for row in rows]) == pytest.approx(true.auc, abs=5e-3)


def test_noise_variance_is_discrete_laplaces():
    random, q = np.random.default_rng(4), np.exp(-0.7)
    noise = random.geometric(1 - q, 400_000) - random.geometric(1 - q, 400_000)
    assert noise_variance(0.7) == pytest.approx(noise.var(), rel=0.02)


@pytest.mark.parametrize("cells", [np.zeros((2, 10)), np.full((2, 10), -3.0)])
def test_nobody_left_is_suppressed(cells):
    row = figures({"a": cells}, 1.0)[0]
    assert row.suppressed
    assert row.accuracy is None


def test_one_label_alone_has_no_auc():
    row = figures({"a": np.array([[5.0, 5.0], [0.0, 0.0]])}, 1.0)[0]
    assert row.auc is None
    assert row.accuracy == pytest.approx(0.5)


def test_figures_stay_between_zero_and_one():
    row = figures({"a": np.array([[30.0, -5.0], [-5.0, 30.0]])}, 0.5)[0]
    assert row.accuracy == row.auc == 1.0


def test_no_trust_no_figures():
    assert figures({}, 1.0) == ()
