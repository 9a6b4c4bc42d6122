from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.mechanisms.aggregate import class_figures
from flip_sdk.mechanisms.noise import discrete_laplace
from sklearn.metrics import balanced_accuracy_score, precision_score, recall_score

NAMES = ("well", "ill", "worse")


def table(seed: int, persons: int = 900) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice(3, persons, p=[0.5, 0.3, 0.2])
    given = np.where(random.random(persons) < 0.7, labels, random.choice(3, persons))
    return np.bincount(3 * labels + given, minlength=9).reshape(3, 3).astype(np.float64), labels, given


def test_without_noise_the_figures_are_scikit_learns():
    cells, labels, given = table(1)
    one = class_figures({"a": cells}, 1e6, NAMES)[0]

    assert one.accuracy == pytest.approx((labels == given).mean())
    assert one.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, given))
    assert [c.recall for c in one.classes] == pytest.approx(recall_score(labels, given, average=None))
    assert [c.precision for c in one.classes] == pytest.approx(precision_score(labels, given, average=None))
    assert one.majority == pytest.approx(max(np.bincount(labels)) / len(labels))
    assert one.confusion == tuple(map(tuple, cells))
    assert one.auc is None


def test_errors_tell_how_far_noise_and_chance_go():
    exact = [table(seed)[0] for seed in range(300)]
    noisy = [
        class_figures({"a": cells + discrete_laplace(np.zeros((3, 3), np.int64), 10)}, 0.1, NAMES)[0] for cells in exact
    ]
    for name in ("accuracy", "balanced_accuracy"):
        values = [getattr(row, name) for row in noisy]
        errors = [getattr(row, f"{name}_error") for row in noisy]
        # over 300 tables the spread itself varies by 4%, and balanced accuracy's error is told 6% too large
        assert np.std(values) == pytest.approx(np.mean(errors), rel=0.25)


def test_all_is_of_the_sum_and_nobody_has_no_figures():
    rows = class_figures({"b": table(1)[0], "a": table(2)[0], "c": np.zeros((3, 3))}, 1.0, NAMES)

    assert [row.trust for row in rows] == ["a", "b", "c", "all"]
    assert rows[2].suppressed
    assert rows[3].confusion == tuple(map(tuple, table(1)[0] + table(2)[0]))


def test_a_class_of_nobody_has_no_recall():
    (one, _) = class_figures({"a": np.array([[5.0, 1, 0], [1, 5, 0], [0, 0, 0]])}, 1.0, NAMES)

    assert one.classes[2].recall is one.classes[2].precision is one.balanced_accuracy is None
    assert one.accuracy == pytest.approx(10 / 12)
