from __future__ import annotations

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, LaplaceDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from flip_sdk.accounting.composition import ORDERS, counted, epsilon_of, rdp
from flip_sdk.accounting.events import Gaussian, PoissonGaussian, Pure, parse_event
from hypothesis import given, settings
from hypothesis import strategies as st

DELTA = 1e-5
gaussians = st.builds(Gaussian, noise_multiplier=st.floats(0.3, 100), steps=st.integers(1, 50))
pures = st.builds(Pure, epsilon=st.floats(0.01, 10))
samples = st.builds(
    PoissonGaussian,
    noise_multiplier=st.sampled_from([0.6, 1.0, 3.0]),
    sampling_rate=st.sampled_from([0.01, 0.1, 0.5]),
    steps=st.sampled_from([1, 100]),
)
events = st.one_of(gaussians, pures, samples)


@given(st.lists(events, max_size=6), events)
@settings(max_examples=60, deadline=None)
def test_a_further_release_never_costs_less_than_nothing(before, one):
    assert epsilon_of(counted([*before, one]), DELTA) >= epsilon_of(counted(before), DELTA) - 1e-9


@given(st.lists(events, min_size=2, max_size=6), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_releases_does_not_matter(some, random):
    shuffled = random.sample(some, len(some))

    assert epsilon_of(counted(some), DELTA) == pytest.approx(epsilon_of(counted(shuffled), DELTA), rel=1e-9)


@given(st.floats(0.5, 20), st.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_gaussian_releases_are_never_under_reported(noise_multiplier, steps):
    exact = PLDAccountant().compose(GaussianDpEvent(noise_multiplier), steps).get_epsilon(DELTA)

    assert epsilon_of({Gaussian(noise_multiplier=noise_multiplier, steps=steps): 1}, DELTA) >= exact - 1e-3


@pytest.mark.parametrize(
    ("noise", "rate", "steps"), [(0.8, 0.05, 200), (1.5, 0.2, 50), (4.0, 0.5, 500), (1.0, 1.0, 10)]
)
def test_sampled_releases_are_never_under_reported(noise, rate, steps):
    event = SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
    exact = PLDAccountant(value_discretization_interval=1e-3).compose(event).get_epsilon(DELTA)
    ours = epsilon_of({PoissonGaussian(noise_multiplier=noise, sampling_rate=rate, steps=steps): 1}, DELTA)

    assert exact - 1e-2 <= ours <= 1.6 * exact + 0.3


@given(st.floats(0.05, 5), st.integers(1, 40))
@settings(max_examples=8, deadline=None)
def test_pure_releases_are_never_under_reported(epsilon, times):
    exact = PLDAccountant().compose(LaplaceDpEvent(1 / epsilon), times).get_epsilon(DELTA)

    assert epsilon_of({Pure(epsilon=epsilon): times}, DELTA) >= exact - 1e-3


@given(st.floats(0.01, 20))
def test_one_pure_release_costs_its_epsilon_and_no_more(epsilon):
    cost = epsilon_of({Pure(epsilon=epsilon): 1}, DELTA)

    # δ buys a little back at small ε, as it should
    assert epsilon - 3e-4 <= cost <= epsilon


def test_many_counts_cost_far_less_than_their_sum():
    assert epsilon_of({Pure(epsilon=0.1): 1000}, DELTA) < 25


def test_nothing_costs_nothing():
    assert epsilon_of({}, DELTA) == 0


def test_equal_events_are_reckoned_together():
    event = Gaussian(noise_multiplier=2.0)

    assert epsilon_of({event: 50}, DELTA) == pytest.approx(
        epsilon_of({Gaussian(noise_multiplier=2.0, steps=50): 1}, DELTA)
    )


def test_ten_thousand_events_are_reckoned_once():
    many = {Gaussian(noise_multiplier=1 + i / 1000): 1 for i in range(10_000)}
    first = epsilon_of(many, DELTA)
    reckoned = rdp.cache_info().misses

    assert epsilon_of(many, DELTA) == first
    assert rdp.cache_info().misses == reckoned


def test_vectors_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        rdp(Pure(epsilon=1.0))[0] = 0


def test_events_survive_being_stored():
    for event in (Gaussian(noise_multiplier=1.25, steps=3), Pure(epsilon=0.1)):
        assert parse_event(event.canonical()) == event
    sampled = PoissonGaussian(noise_multiplier=1.1, sampling_rate=0.1, steps=7)
    assert np.array_equal(rdp(parse_event(sampled.canonical())), rdp(sampled))
    assert len(rdp(sampled)) == len(ORDERS)
