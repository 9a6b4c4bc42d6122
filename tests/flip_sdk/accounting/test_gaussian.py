from __future__ import annotations

import math

import pytest
from flip_sdk.accounting.gaussian import delta_of, epsilon_at, squared_at, squared_of_pure
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm


def integrated(epsilon: float, mu: float) -> float:
    """δ(ε) of telling N(0, 1) from N(μ, 1), by its definition."""

    def beyond(x: float) -> float:
        return max(norm.pdf(x, mu) - math.exp(epsilon) * norm.pdf(x), 0.0)

    start = epsilon / mu + mu / 2
    return quad(beyond, start, start + 12, epsabs=0, epsrel=1e-11, limit=400)[0]


@given(st.floats(0, 12), st.floats(0.05, 4))
@settings(max_examples=60, deadline=None)
def test_delta_is_the_integral(epsilon, mu):
    truth = integrated(epsilon, mu)

    assert delta_of(epsilon, mu**2) == pytest.approx(truth, rel=1e-7, abs=1e-300)


@pytest.mark.parametrize(("epsilon", "mu"), [(1, 0.268), (3, 0.719), (8, 1.666)])
def test_published_figures(epsilon, mu):
    assert math.sqrt(squared_at(epsilon, 1e-5)) == pytest.approx(mu, abs=6e-4)


@given(st.floats(1e-12, 1e4), st.sampled_from([1e-300, 1e-30, 1e-12, 1e-5, 9e-3]))
@settings(max_examples=200, deadline=None)
def test_epsilon_and_squared_are_inverse_and_on_the_safe_side(squared, delta):
    epsilon = epsilon_at(squared, delta)

    assert 0 <= epsilon < math.inf
    assert delta_of(epsilon, squared) <= delta
    if epsilon > 1e-9:
        assert squared_at(epsilon, delta) == pytest.approx(squared, rel=1e-5)
        assert delta_of(epsilon * (1 - 1e-6), squared) > delta * (1 - 1e-6)


@given(st.floats(0, 50), st.floats(1e-14, 1e3), st.floats(1, 4))
@settings(max_examples=200, deadline=None)
def test_more_never_costs_less(epsilon, squared, factor):
    assert delta_of(epsilon, squared * factor) >= delta_of(epsilon, squared) * (1 - 1e-9)
    assert delta_of(epsilon * factor, squared) <= delta_of(epsilon, squared) * (1 + 1e-9)


@pytest.mark.parametrize("squared", [0.0, 1e-320, 1e-30, 1e-10, 0.999e-10, 1.001e-10, 1e6, 1e300, math.inf, math.nan])
@pytest.mark.parametrize("epsilon", [0.0, 1e-300, 1e-5, 1.0, 700.0, 1000.0, 1e6])
def test_no_number_breaks_it(epsilon, squared):
    assert 0 <= delta_of(epsilon, squared) <= 1


def test_the_small_and_the_ordinary_formula_meet():
    below, above = (delta_of(3e-5, (1e-5 * factor) ** 2) for factor in (0.999999, 1.000001))

    assert below == pytest.approx(above, rel=2e-5)


@given(st.floats(1e-6, 60))
@settings(max_examples=100, deadline=None)
def test_a_pure_release_is_never_taken_for_less_than_it_is(epsilon):
    """The Gaussian's δ is above randomised response's, at every ε."""
    squared = squared_of_pure(epsilon)
    for share in (0, 0.1, 0.3, 0.6, 0.9, 0.99):
        at = share * epsilon
        kept = 1 / (1 + math.exp(-epsilon))
        randomised_response = kept - math.exp(at) * (1 - kept)
        assert delta_of(at, squared) >= randomised_response * (1 - 1e-6)


def test_a_huge_pure_epsilon_is_no_gaussian():
    assert squared_of_pure(1000.0) == math.inf
    assert epsilon_at(math.inf, 1e-5) == math.inf
