from __future__ import annotations

import math

import pytest
from flip_sdk.mechanisms.floors import CHANCE, least_told
from scipy.stats import binom, dlaplace


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(("floor", "rounding"), [(10, 5), (10, 1), (3, 5)])
def test_a_part_under_the_floor_is_rarely_taken_for_a_large_one(epsilon, floor, rounding):
    least = least_told(floor, epsilon, rounding, 0.7)
    smallest = next(n for n in range(10**6) if rounding * round(n / rounding) >= least)

    for persons in range(200):
        told_as_large = dlaplace.sf(smallest - persons - 1, epsilon)
        assert binom.cdf(floor - 1, persons, 0.7) * told_as_large <= CHANCE


def test_a_number_next_to_exact_asks_for_little_more_than_the_part_does():
    assert least_told(10, 50.0, 1, 1.0) == 10.5
    assert 10 / 0.7 < least_told(10, 50.0, 1, 0.7) < 30
    assert math.isfinite(least_told(1, 0.01, 5, 0.3))
