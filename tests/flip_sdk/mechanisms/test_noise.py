"""Noise has the promised size, is never the same twice, and its low bits tell nothing."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from flip_sdk.mechanisms.noise import GaussianSteps, add_gaussian, discrete_laplace, gaussian, grid, uniform
from scipy.stats import kstest

MANY = 200_000


def test_gaussian_noise_has_its_size_within_two_percent():
    noise = gaussian((MANY,), 3.5)
    assert noise.std() == pytest.approx(3.5, rel=0.02)
    assert abs(noise.mean()) < 5 * 3.5 / math.sqrt(MANY)
    assert kstest(noise / 3.5, "norm").pvalue > 1e-6


def test_its_tails_are_there():
    beyond = (np.abs(gaussian((1_000_000,), 1.0)) > 4).mean()
    assert 2e-5 < beyond < 1.2e-4


def test_two_calls_share_nothing():
    first, second = gaussian((MANY,), 1.0), gaussian((MANY,), 1.0)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(MANY)
    assert len(np.intersect1d(first, second)) < 5


def test_seeds_do_not_reach_it():
    drawn = []
    for _ in range(2):
        random.seed(1)
        np.random.seed(1)
        drawn.append(gaussian((4,), 1.0))
    assert not np.array_equal(*drawn)


def test_a_fresh_process_draws_other_noise():
    code = "from flip_sdk.mechanisms.noise import gaussian; print(gaussian((3,), 1.0))"
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(said) == 2


def test_a_noisy_sum_lies_on_a_grid_that_does_not_depend_on_the_data():
    for value in (0.0, 1 / 3, 1e-9, 12345.678):
        noisy = add_gaussian(np.full(1000, value), 0.37)
        multiples = noisy / grid(0.37)
        assert np.array_equal(multiples, np.rint(multiples))
    assert math.log2(grid(0.37)).is_integer()
    assert grid(0.37) < 0.37 * 2**-19


def test_a_noisy_sum_is_centred_and_as_wide_as_promised():
    noisy = add_gaussian(np.full(MANY, 7.25), 2.0)
    assert noisy.mean() == pytest.approx(7.25, abs=0.05)
    assert noisy.std() == pytest.approx(2.0, rel=0.02)


def test_it_keeps_the_shape():
    assert add_gaussian(np.zeros((2, 3, 4)), 1.0).shape == (2, 3, 4)
    assert add_gaussian(np.zeros((0,)), 1.0).shape == (0,)


def test_results_of_several_steps_get_their_own_noise_drawn_at_once_or_not():
    """Numbers of ten steps are more than are drawn at once."""
    noise = GaussianSteps(40_000, 2.0, 10)
    noisy = [noise.add(np.full(40_000, value)) for value in (3.0, *([-1.0] * 9))]
    assert {value.shape for value in noisy} == {(40_000,)}
    assert noisy[0].std() == pytest.approx(2.0, rel=0.02)
    assert noisy[9].mean() == pytest.approx(-1.0, abs=0.05)
    assert all(value.std() == pytest.approx(2.0, rel=0.02) for value in noisy)
    assert all(not (value / grid(2.0) % 1).any() for value in noisy)
    alike = np.corrcoef(noisy) - np.eye(10)
    assert np.abs(alike).max() < 6 / 200
    with pytest.raises(StopIteration):
        noise.add(np.zeros(40_000))


@pytest.mark.parametrize("epsilon", [0.2, 1.0, 2.0])
def test_discrete_laplace_noise_has_its_size(epsilon):
    noise = discrete_laplace(np.full(20_000, 40), 1 / epsilon) - 40
    q = math.exp(-epsilon)
    assert noise.dtype == np.int64
    assert noise.var() == pytest.approx(2 * q / (1 - q) ** 2, rel=0.08)
    assert (noise == 0).mean() == pytest.approx((1 - q) / (1 + q), rel=0.08)


def test_counts_may_become_negative_and_keep_their_shape():
    noisy = discrete_laplace(np.zeros((2, 500), dtype=np.int64), 5.0)
    assert noisy.shape == (2, 500)
    assert (noisy < 0).any()


def test_two_histograms_get_other_noise():
    zeros = np.zeros((2, 50), dtype=np.int64)
    assert not np.array_equal(discrete_laplace(zeros, 3.0), discrete_laplace(zeros, 3.0))


def test_uniform_numbers_are_uniform():
    numbers = uniform(MANY)
    assert kstest(numbers, "uniform").pvalue > 1e-6
    assert numbers.min() >= 0
    assert numbers.max() < 1


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_no_noise_is_not_noise(scale):
    for draw in (lambda: gaussian((1,), scale), lambda: add_gaussian(np.zeros(1), scale)):
        with pytest.raises(ValueError, match="noise"):
            draw()
    with pytest.raises(ValueError, match="noise"):
        discrete_laplace(np.zeros(1, dtype=np.int64), scale)
