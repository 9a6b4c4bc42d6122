from __future__ import annotations

import math

import numpy as np
import pytest
from flip_sdk.errors import EncodingError
from flip_sdk.secure_sum.encoding import LARGEST_DEVIATION, MOST_PERSONS, SMALLEST_DEVIATION, Encoding, tau
from hypothesis import given
from hypothesis import strategies as st

SENSITIVITIES = st.floats(1e-6, 1e6)
SIZES = st.integers(1, 10**8)


@given(SENSITIVITIES, SIZES)
def test_rounding_costs_at_most_a_thousandth(sensitivity, size):
    encoding = Encoding.for_sum(sensitivity, size)
    exact = sensitivity / encoding.step

    assert exact + math.sqrt(size) <= encoding.integer_sensitivity <= exact * 1.00101
    assert math.frexp(encoding.step)[0] == 0.5


@given(SENSITIVITIES, st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_neighbours_stay_within_the_integer_sensitivity(sensitivity, size, seed):
    """Two sums that differ by one person's contribution of exactly the sensitivity, in any direction."""
    random = np.random.default_rng(seed)
    encoding = Encoding.for_sum(sensitivity, size)
    total = random.normal(size=size) * sensitivity * random.choice([1e-3, 1.0, 1e3])
    direction = random.normal(size=size)
    person = sensitivity * direction / np.linalg.norm(direction)

    distance = np.linalg.norm((encoding.encode(total + person) - encoding.encode(total)).astype(np.float64))

    assert distance <= encoding.integer_sensitivity


def test_the_worst_rounding_is_accounted_for():
    """Every coordinate of one sum just under half a step, of the other just over: rounding moves each by a step."""
    size = 10_000
    encoding = Encoding.for_sum(1.0, size)
    nearly = np.full(size, 0.4999 * encoding.step)

    distance = np.linalg.norm(encoding.encode(nearly + 0.0002 * encoding.step) - encoding.encode(nearly))

    assert distance == math.sqrt(size)
    assert encoding.integer_sensitivity >= 1.0 / encoding.step + math.sqrt(size)


@given(SENSITIVITIES, st.integers(1, 1000))
def test_numbers_come_back_to_within_half_a_step(sensitivity, size):
    encoding = Encoding.for_sum(sensitivity, size)
    values = np.linspace(-100 * sensitivity, 100 * sensitivity, size)

    assert np.abs(encoding.decode(encoding.encode(values)) - values).max() <= encoding.step / 2


@given(SENSITIVITIES, SIZES, st.floats(0.05, 1e4))
def test_ten_million_persons_and_two_hundred_shares_of_noise_fit(sensitivity, size, noise_multiplier):
    encoding = Encoding.for_sum(sensitivity, size)
    noise = 100 * math.sqrt(200) * encoding.deviation(noise_multiplier)

    assert MOST_PERSONS * sensitivity / encoding.step + noise < 2**63 - 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e300, 1.2e7])
def test_numbers_that_no_sum_can_have(value):
    with pytest.raises(EncodingError):
        Encoding.for_sum(1.0, 2).encode(np.array([0.0, value]))


@pytest.mark.parametrize(
    ("sensitivity", "size"), [(0.0, 1), (-1.0, 1), (math.nan, 1), (math.inf, 1), (1.0, 0), (1.0, 2**90)]
)
def test_sums_that_cannot_be(sensitivity, size):
    with pytest.raises(EncodingError):
        Encoding.for_sum(sensitivity, size)


def test_noise_too_small_or_too_large_to_share():
    encoding = Encoding.for_sum(1.0, 1)
    for deviation in (0.0, SMALLEST_DEVIATION * 0.99, LARGEST_DEVIATION * 1.01, math.nan, math.inf):
        with pytest.raises(EncodingError):
            encoding.deviation(deviation / encoding.integer_sensitivity)


def test_shares_add_up_to_a_gaussian_for_all_that_is_allowed():
    """τ·√d of Kairouz, Liu and Steinke, at the smallest noise, with most Trusts and more numbers than any model has."""
    assert tau(SMALLEST_DEVIATION, 200) * math.sqrt(10**8) < 1e-60


def test_tau_by_hand():
    assert tau(0.5, 3) == pytest.approx(10 * (math.exp(-(math.pi**2) / 4) + math.exp(-(math.pi**2) / 3)))
