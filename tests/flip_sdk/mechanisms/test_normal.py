"""The sampler is normal in every part of it: rectangles, slivers and tails; and no two arrays share a word."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from flip_sdk.mechanisms import normal
from flip_sdk.mechanisms.randomness import Stream, words
from scipy.stats import chi2, norm

MANY = 2_000_000


@pytest.fixture(scope="module")
def drawn():
    numbers = np.empty(MANY)
    normal.fill(numbers)
    return numbers


def chi_square(numbers, edges):
    found, _ = np.histogram(numbers, edges)
    expected = np.diff(norm.cdf(edges)) * len(numbers)
    return chi2.sf((np.square(found - expected) / expected).sum(), len(expected) - 1)


def test_every_half_of_a_slab_has_its_share(drawn):
    edges = np.concatenate([[-np.inf], np.arange(-3.75, 3.751, 1 / 64), [np.inf]])
    assert chi_square(drawn, edges) > 1e-6


def test_within_the_slabs_it_falls_as_it_should(drawn):
    # places within a slab, over all slabs on the right of 0.5, where the density falls fastest
    right = drawn[(drawn > 0.5) & (drawn < 2.5)]
    slopes = np.linspace(0, 1, 9)
    found, _ = np.histogram(right * 32 % 1, slopes)
    slabs = np.arange(16, 80)
    expected = np.array([(norm.cdf((slabs + b) / 32) - norm.cdf((slabs + a) / 32)).sum() for a, b in pairwise(slopes)])
    expected *= MANY
    assert chi2.sf((np.square(found - expected) / expected).sum(), len(expected)) > 1e-6


def test_tails_are_there_on_both_sides(drawn):
    for beyond in (3.9, 4.0, 4.2):
        for side in (drawn > beyond, drawn < -beyond):
            assert side.sum() == pytest.approx(MANY * norm.sf(beyond), abs=6 * np.sqrt(MANY * norm.sf(beyond)))


def test_moments(drawn):
    assert abs(drawn.mean()) < 5 / np.sqrt(MANY)
    assert drawn.var() == pytest.approx(1, abs=5 * np.sqrt(2 / MANY))
    assert (drawn**4).mean() == pytest.approx(3, abs=5 * np.sqrt(96 / MANY))


def test_neighbours_are_not_correlated(drawn):
    for distance in (1, 2, 7, 16384):
        assert abs((drawn[:-distance] * drawn[distance:]).mean()) < 5 / np.sqrt(MANY)


def test_all_numbers_are_different(drawn):
    assert len(np.unique(drawn)) > MANY - 3


@pytest.mark.parametrize("count", [0, 1, 7, 513, 40_000])
def test_any_size(count):
    numbers = np.full(count, np.nan)
    normal.fill(numbers)
    assert np.isfinite(numbers).all()


def test_no_two_streams_and_no_two_calls_share_words():
    stream = Stream()
    held = np.concatenate([stream.words(5000), stream.words(5000), Stream().words(5000), words(5000), words(100)])
    assert len(np.unique(held)) == len(held)
    assert np.unpackbits(held.view(np.uint8)).mean() == pytest.approx(0.5, abs=0.003)
