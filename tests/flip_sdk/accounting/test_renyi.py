from __future__ import annotations

import math

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.rdp import RdpAccountant
from flip_sdk.accounting import renyi
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.floats(0.3, 50), st.floats(1e-4, 0.999))
@settings(max_examples=25, deadline=None)
def test_sampled_gaussians_are_reckoned_as_dp_accounting_does(noise_multiplier, rate):
    orders = [int(order) for order in renyi.WHOLE_ORDERS[:40]]
    accountant = RdpAccountant(orders)
    accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise_multiplier)))

    ours = renyi.of_sampled(noise_multiplier, rate)[:40] / (np.array(orders) - 1)

    assert ours == pytest.approx(np.array(accountant.rdp), rel=1e-7, abs=1e-11)


@pytest.mark.parametrize(("noise_multiplier", "rate"), [(1e-200, 0.5), (1e-3, 1e-9), (1e9, 1e-9), (1e9, 0.5)])
def test_extremes_give_numbers(noise_multiplier, rate):
    moments = renyi.of_sampled(noise_multiplier, rate)

    assert not np.any(np.isnan(moments))
    assert np.all(moments >= 0)


def test_sampling_only_ever_lowers_the_cost():
    whole = renyi.of_gaussian(1 / 1.3**2, renyi.WHOLE_ORDERS.astype(float))

    assert np.all(renyi.of_sampled(1.3, 0.9) <= whole * (1 + 1e-9))


def test_vectors_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        renyi.of_sampled(1.0, 0.1)[0] = 0


@given(st.floats(0.01, 8), st.floats(1.05, 60))
@settings(max_examples=100, deadline=None)
def test_a_pure_release_costs_what_randomised_response_does(epsilon, order):
    kept = 1 / (1 + math.exp(-epsilon))
    lost = 1 - kept
    truth = math.log(kept**order * lost ** (1 - order) + lost**order * kept ** (1 - order))

    moment = renyi.of_pure(np.array([epsilon]), np.array([order]))[0, 0]
    assert moment == pytest.approx(truth, rel=1e-6, abs=1e-12)
    assert moment <= (order - 1) * epsilon


@given(st.floats(0.02, 30), st.sampled_from([1e-9, 1e-5, 1e-3]), st.floats(1.0001, 3))
@settings(max_examples=60, deadline=None)
def test_a_larger_budget_allows_what_a_smaller_one_does(epsilon, delta, factor):
    """For sums that are just inside: Gaussians, counts, and both."""
    for kind in (
        lambda size: lambda orders: renyi.of_gaussian(size, orders),
        lambda size: lambda orders: size * renyi.of_pure(np.array([0.3]), orders)[0],
        lambda size: lambda orders: renyi.of_gaussian(size, orders) + renyi.of_pure(np.array([1.0]), orders)[0],
    ):
        low, high = 1e-8, 1e5
        for _ in range(40):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if renyi.enough(kind(middle), epsilon, delta) else (low, middle)
        if low > 2e-8:
            assert renyi.enough(kind(low), factor * epsilon, delta)
            assert renyi.enough(kind(low), epsilon, min(factor * delta, 9e-3))


def test_the_weights_are_a_share_of_one():
    for epsilon in (1e-6, 0.1, 3.0, 1e5):
        for delta in (1e-300, 1e-5, 9e-3):
            orders, weights = renyi._mixture(epsilon, delta)
            assert 0.999 < weights.sum() <= 1
            assert np.all(orders > 1)
