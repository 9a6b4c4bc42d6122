"""The discrete Gaussian: its distribution, its tails, and that no decision is left to floating point."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flip_sdk.mechanisms import integer_noise
from flip_sdk.mechanisms.noise import discrete_gaussian
from scipy.stats import chi2

DRAWS = 200_000
CHANCE = 1e-6


def misfit(drawn, sigma: float) -> float:
    """How likely a misfit this large is, by chi-square against the exact probabilities, rare values together."""
    reach = math.ceil(12 * sigma) + 3
    weight = np.array([math.exp(-k * k / (2 * sigma * sigma)) for k in range(-reach, reach + 1)])
    expected = drawn.size * weight / weight.sum()
    counts = np.bincount(drawn + reach, minlength=2 * reach + 1).astype(np.float64)
    rare = expected < 10
    cells = [(counts[~rare], expected[~rare]), (counts[rare].sum(keepdims=True), expected[rare].sum(keepdims=True))]
    observed, wanted = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    wanted = np.maximum(wanted, 1e-9)
    statistic = float((np.square(observed - wanted) / np.maximum(wanted, 1.0)).sum())
    return float(chi2.sf(statistic, observed.size - 1))


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0, 1.7, 4.0, 10.3, 60.0])
def test_its_distribution_is_the_discrete_gaussian(sigma):
    assert misfit(discrete_gaussian((DRAWS,), sigma), sigma) > CHANCE


@pytest.mark.parametrize("draws", [2000, pytest.param(40_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("sigma", [0.5, 1.7, 5.0])
def test_the_exact_decision_gives_the_same_distribution(sigma, draws, monkeypatch):
    """Every coin by decimal arithmetic, as it is where floating point is in doubt."""
    monkeypatch.setattr(integer_noise, "_DOUBT", 2.0)

    assert misfit(discrete_gaussian((draws,), sigma), sigma) > CHANCE


def decided(monkeypatch, exponents, bits):
    """The coins for these bits, and which of them were decided exactly."""
    asked: set[int] = set()

    def exactly(index: int) -> Fraction:
        asked.add(index)
        return Fraction(float(exponents[index]))

    monkeypatch.setattr(integer_noise, "_runs", lambda count: np.full(count, 10_000))
    monkeypatch.setattr(integer_noise, "_words", lambda count, kind: bits.copy())
    return integer_noise._coins(exponents, exactly), asked


def test_floating_point_decides_only_what_it_cannot_get_wrong(monkeypatch):
    """Bits within 2^-22 of the probability are decided exactly; all others alike by floating point and exactly."""
    exponents = np.concatenate([np.random.default_rng(1).random(2000) * 30, np.arange(40) / 8, [1e-300, 2**-40]])
    edges = np.exp(-(exponents - np.maximum(np.floor(exponents - 2.0**-20), 0))) * 2**32
    for shift, doubted in ((3, True), (-3, True), (1000, True), (2000, False), (-2000, False), (-(2**20), False)):
        bits = np.clip(edges + shift, 0, 2**32 - 1).astype(np.uint32)
        coins, asked = decided(monkeypatch, exponents, bits)
        clipped = edges + shift >= 2**32

        assert {*np.flatnonzero(~clipped)} <= asked if doubted else not asked - {*np.flatnonzero(clipped)}
        assert (coins == (shift < 0))[~clipped].all()
        with monkeypatch.context() as patch:
            patch.setattr(integer_noise, "_DOUBT", 2.0)
            # the last word of all reaches up to 1, so that its coin is thrown with the bits behind it
            assert (decided(patch, exponents, bits)[0] == coins)[~clipped].all()


@pytest.mark.parametrize("sigma", [100.0, 12345.6, 2.0**30, 2.0**50])
def test_its_size_and_centre_for_large_sigma(sigma):
    drawn = discrete_gaussian((DRAWS,), sigma) / sigma

    assert abs(drawn.mean()) < 5 / math.sqrt(DRAWS)
    assert abs(drawn.std() - 1) < 5 / math.sqrt(2 * DRAWS)
    # kurtosis tells a Gaussian from the Laplace candidates it is made of
    assert abs(float((drawn**4).mean()) - 3) < 5 * math.sqrt(96 / DRAWS)
    assert np.abs(drawn).max() > 3.5


def test_no_tail_is_left_out(monkeypatch):
    """A candidate 40 deviations out is kept with its own probability: not with none, as 32 bits alone would have it."""
    sigma, far = 10.0, 400
    exponent = (far - sigma * sigma / 11) ** 2 / (2 * sigma * sigma)
    monkeypatch.setattr(integer_noise, "_runs", lambda count: np.full(count, 10**6))
    kept = integer_noise._coins(np.full(4000, exponent), lambda _: Fraction(exponent))
    rest = exponent - math.floor(exponent)

    assert abs(kept.mean() - math.exp(-rest)) < 5 * 0.5 / math.sqrt(4000)


def test_the_laplace_candidates_run_on_without_an_end():
    runs = integer_noise._runs(DRAWS)

    assert abs((runs >= 3).mean() - math.exp(-3)) < 5 * math.sqrt(math.exp(-3) / DRAWS)
    assert runs.max() > 8


def test_uniform_integers_have_no_bias():
    drawn = integer_noise._below(DRAWS, 3)
    assert set(drawn.tolist()) == {0, 1, 2}
    assert float(np.square(np.bincount(drawn) - DRAWS / 3).sum() / (DRAWS / 3)) < chi2.isf(CHANCE, 2)
    assert integer_noise._below(1000, 2**50 + 1).max() <= 2**50


def test_shapes_and_independence():
    assert discrete_gaussian((3, 4), 5.0).shape == (3, 4)
    assert discrete_gaussian((0,), 5.0).shape == (0,)
    assert discrete_gaussian((), 5.0).shape == ()
    one, two = discrete_gaussian((DRAWS,), 1000.0), discrete_gaussian((DRAWS,), 1000.0)
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / math.sqrt(DRAWS)
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 5 / math.sqrt(DRAWS)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 2.0**51])
def test_sigmas_that_cannot_be(sigma):
    with pytest.raises(ValueError, match="sigma"):
        discrete_gaussian((1,), sigma)
