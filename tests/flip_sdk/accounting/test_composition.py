from __future__ import annotations

import math

import pytest
from dp_accounting import GaussianDpEvent, LaplaceDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from flip_sdk.accounting.composition import alone, counted, epsilon_of, sum_of, together, within
from flip_sdk.accounting.events import Gaussian, PoissonGaussian, Pure, SharedGaussian, parse_event
from flip_sdk.accounting.gaussian import delta_of, epsilon_at
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

DELTA = 1e-5
gaussians = st.builds(Gaussian, noise_multiplier=st.floats(0.3, 100), steps=st.integers(1, 50))
shares = st.builds(
    SharedGaussian, noise_multiplier=st.floats(0.3, 100), honest=st.integers(2, 20), steps=st.integers(1, 50)
)
pures = st.builds(Pure, epsilon=st.floats(0.01, 10))
samples = st.builds(
    PoissonGaussian,
    noise_multiplier=st.sampled_from([0.6, 1.0, 3.0]),
    sampling_rate=st.sampled_from([0.01, 0.1, 0.5, 1.0]),
    steps=st.sampled_from([1, 100]),
)
events = st.one_of(gaussians, shares, pures, samples)
extremes = st.one_of(
    st.builds(Gaussian, noise_multiplier=st.sampled_from([1e-300, 1e-9, 1e9]), steps=st.sampled_from([1, 10**7])),
    st.builds(
        SharedGaussian,
        noise_multiplier=st.sampled_from([1e-300, 1e-3, 3e-3, 1e9]),
        honest=st.sampled_from([2, 200]),
        steps=st.sampled_from([1, 10**7]),
    ),
    st.builds(Pure, epsilon=st.sampled_from([1e-300, 1e-9, 700.1, 1000.0])),
    st.builds(
        PoissonGaussian,
        noise_multiplier=st.sampled_from([1e-300, 1e-9, 1e9]),
        sampling_rate=st.sampled_from([1e-300, 1e-9, 0.999999999, 1.0]),
        steps=st.sampled_from([1, 10**7]),
    ),
)


@given(st.lists(events, max_size=6), events)
@settings(max_examples=80, deadline=None)
def test_a_further_release_never_costs_less_than_nothing(before, one):
    assert epsilon_of(counted([*before, one]), DELTA) >= epsilon_of(counted(before), DELTA) * (1 - 1e-6)


@given(st.lists(events, min_size=2, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_releases_does_not_matter(some, random):
    """Not even in the last bit: each side reckons over its own copy, in its own order."""
    shuffled = random.sample(some, len(some))

    assert sum_of(counted(some)) == sum_of(counted(shuffled))
    assert epsilon_of(counted(some), DELTA) == epsilon_of(counted(shuffled), DELTA)


@given(st.lists(events, min_size=1, max_size=5), st.floats(1.00001, 2))
@settings(max_examples=60, deadline=None)
def test_what_it_costs_is_where_it_begins_to_be_within(some, factor):
    total = sum_of(counted(some))
    cost = epsilon_of(counted(some), DELTA)

    assert within(total, cost, DELTA)
    assert within(total, cost * factor, DELTA)
    assert not within(total, cost / factor, DELTA)


@given(st.lists(st.one_of(extremes, events), min_size=1, max_size=4), st.sampled_from([1, 10**9]))
@settings(max_examples=150, deadline=None)
def test_no_event_breaks_it(some, times):
    """Extremes cost a lot, at worst an infinity, and are then within no budget."""
    ledger = dict.fromkeys(some, times)
    cost = epsilon_of(ledger, DELTA)

    assert cost >= 0
    assert not math.isnan(cost)
    if cost > 1e5:
        assert not within(sum_of(ledger), 1e5, DELTA)


@given(st.floats(0.5, 20), st.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_gaussian_releases_cost_exactly_what_they_do_at_their_half_of_delta(noise_multiplier, steps):
    accountant = PLDAccountant(value_discretization_interval=1e-3)
    exact = accountant.compose(GaussianDpEvent(noise_multiplier), steps).get_epsilon(DELTA / 2)
    ours = epsilon_of({Gaussian(noise_multiplier=noise_multiplier, steps=steps): 1}, DELTA)

    assert ours == pytest.approx(exact, rel=1e-3, abs=1e-3)


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

    assert exact - 1e-3 <= epsilon_of({Pure(epsilon=epsilon): times}, DELTA) <= times * epsilon * (1 + 1e-12)


@given(st.floats(0.7, 5), st.floats(0.05, 3), st.integers(0, 1))
@settings(max_examples=8, deadline=None)
def test_mixed_ledgers_are_never_under_reported(noise_multiplier, epsilon, sampled):
    ledger = {Gaussian(noise_multiplier=noise_multiplier): 2, Pure(epsilon=epsilon): 3}
    accountant = PLDAccountant(value_discretization_interval=1e-3)
    accountant.compose(GaussianDpEvent(noise_multiplier), 2).compose(LaplaceDpEvent(1 / epsilon), 3)
    if sampled:
        ledger[PoissonGaussian(noise_multiplier=1.0, sampling_rate=0.1, steps=50)] = 1
        accountant.compose(PoissonSampledDpEvent(0.1, GaussianDpEvent(1.0)), 50)

    assert epsilon_of(ledger, DELTA) >= accountant.get_epsilon(DELTA) - 1e-2


@pytest.mark.parametrize("cap", [0.5, 1.0, 4.0, 10.0])
@pytest.mark.parametrize("first", [0.2, 0.5, 0.8])
def test_whoever_chooses_by_what_they_saw_gains_nothing(cap, first):
    """After a Gaussian release, whichever allowed end looks worst from the loss so far: still (cap, δ) in all."""
    opening = Gaussian(noise_multiplier=1 / math.sqrt(first * most(cap)))
    squared = opening.squared_noise**-1
    ends = [gaussian_end(opening, cap)] + [pure_end(opening, cap, times) for times in (1, 3, 10)]

    def worst(z: float) -> float:
        return max(end(squared / 2 + math.sqrt(squared) * z) for end in ends) * norm.pdf(z)

    reached = quad(worst, -10, 14, points=(2, 4, 6, 8), epsabs=1e-12, limit=800)[0]
    assert 0.4 * DELTA < reached <= DELTA


def most(cap: float) -> float:
    """The largest Σμ² of Gaussians within a cap."""
    return largest(lambda squared: {Gaussian(noise_multiplier=squared**-0.5): 1}, cap, 1e-6, 1e3)


def largest(ledger, cap, low, high):
    for _ in range(50):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if within(sum_of(ledger(middle)), cap, DELTA) else (low, middle)
    return low


def gaussian_end(opening, cap):
    left = largest(lambda x: counted([opening, Gaussian(noise_multiplier=x**-0.5)]), cap, 1e-9, 1e3)
    return lambda loss: delta_of(cap - loss, left)


def pure_end(opening, cap, times):
    """So many randomised responses: each adds or takes its ε, more often what hurts."""
    epsilon = largest(lambda x: together({opening: 1}, {Pure(epsilon=x): times}), cap, 1e-9, 100.0)
    kept = 1 / (1 + math.exp(-epsilon))
    chances = [math.comb(times, k) * kept**k * (1 - kept) ** (times - k) for k in range(times + 1)]

    def end(loss: float) -> float:
        return sum(p * max(1 - math.exp(cap - loss - (2 * k - times) * epsilon), 0) for k, p in enumerate(chances))

    return end


@given(st.floats(0.01, 20))
def test_one_pure_release_costs_its_epsilon_and_no_more(epsilon):
    cost = epsilon_of({Pure(epsilon=epsilon): 1}, DELTA)

    # δ buys a little back at small ε, as it should
    assert epsilon - 3e-4 <= cost <= epsilon


def test_many_counts_cost_far_less_than_their_sum():
    assert epsilon_of({Pure(epsilon=0.1): 1000}, DELTA) < 25


def test_nothing_costs_nothing():
    assert epsilon_of({}, DELTA) == 0
    assert within(sum_of({}), 1e-9, DELTA)


def test_equal_events_are_reckoned_together():
    event = Gaussian(noise_multiplier=2.0)

    assert epsilon_of({event: 50}, DELTA) == pytest.approx(
        epsilon_of({Gaussian(noise_multiplier=2.0, steps=50): 1}, DELTA)
    )


def test_full_samples_are_no_samples():
    steps = {"noise_multiplier": 3.0, "steps": 7}

    assert epsilon_of({PoissonGaussian(sampling_rate=1.0, **steps): 1}, DELTA) == epsilon_of(
        {Gaussian(**steps): 1}, DELTA
    )


@given(shares)
@settings(max_examples=40, deadline=None)
def test_a_share_alone_protects_less_than_the_shares_together(share):
    under, left = ({share: 1}, alone({share: 1}))

    assert epsilon_of(left, DELTA) > epsilon_of(under, DELTA)
    assert epsilon_of(under, DELTA) == pytest.approx(
        epsilon_at(share.steps / share.together**2, DELTA / 2), rel=1e-3, abs=1e-9
    )


def test_alone_changes_nothing_else():
    ledger = {Gaussian(noise_multiplier=2.0): 3, Pure(epsilon=0.5): 2}

    assert alone(ledger) == ledger


def test_events_survive_being_stored():
    for event in (
        Gaussian(noise_multiplier=1.25, steps=3),
        Pure(epsilon=0.1),
        SharedGaussian(noise_multiplier=1.1, honest=3),
        PoissonGaussian(noise_multiplier=1.1, sampling_rate=0.1, steps=7),
    ):
        assert parse_event(event.canonical()) == event
