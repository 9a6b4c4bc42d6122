from __future__ import annotations

import math

import pytest
from flip_sdk.meaning import meaning, right_at_most


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0, 5.0, 50.0, 800.0])
def test_the_share_of_right_guesses_is_the_exact_bound(epsilon: float) -> None:
    odds = math.exp(min(epsilon, 700.0))
    assert right_at_most(epsilon) == pytest.approx(odds / (1 + odds), abs=1e-15)
    assert right_at_most(epsilon, 1e-5) == pytest.approx((odds + 1e-5) / (1 + odds), abs=1e-12)


def test_randomised_response_reaches_the_bound() -> None:
    # whoever tells the truth with e^ε / (1 + e^ε) is ε-private, and is guessed right exactly that often
    truth = math.exp(1.5) / (1 + math.exp(1.5))
    assert right_at_most(1.5) == pytest.approx(truth)


def test_it_is_said_in_words_and_never_rounded_to_certainty() -> None:
    assert "73.2 %" in meaning(1.0, 1e-5)[0]
    assert "100 %" not in meaning(10.0, 1e-5)[0]
    assert "1 in 100,000" in meaning(1.0, 1e-5)[2]
    assert "promises little" in meaning(10.0, 1e-5)[1]
