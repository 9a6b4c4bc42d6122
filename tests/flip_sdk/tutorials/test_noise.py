from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.tutorials import many_questions, noisy_count, with_and_without
from flip_sdk.tutorials.noise import chances, reach, right

OFF = np.arange(-4000, 4001)


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 1, 5])
def test_95_in_100_answers_are_within_reach_and_not_within_less(epsilon: float) -> None:
    told = chances(OFF, epsilon)

    assert told.sum() == pytest.approx(1)
    assert told[np.abs(OFF) <= reach(epsilon)].sum() >= 0.95
    assert told[np.abs(OFF) < reach(epsilon)].sum() < 0.95


@pytest.mark.parametrize("epsilon", [0.1, 1, 3])
def test_the_best_guess_from_one_count_is_as_good_as_the_bound_allows(epsilon: float) -> None:
    with_her, without = chances(OFF - 1, epsilon), chances(OFF, epsilon)
    best = np.maximum(with_her, without).sum() / 2

    assert best == pytest.approx(right(epsilon))


def test_the_figures_of_the_privacy_page() -> None:
    assert [round(100 * right(epsilon)) for epsilon in (0.5, 1, 3)] == [62, 73, 95]


def test_drawings_say_in_words_what_they_show() -> None:
    assert "within 6 of the truth" in noisy_count(0.5, 100).caption
    assert "73 of 100" in with_and_without(1).caption
    assert "plain sum 20" in many_questions(0.25, 80).caption


def test_no_guess_is_said_to_be_certain() -> None:
    assert "100.0" not in many_questions(1, 100).caption
