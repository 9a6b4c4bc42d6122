"""Noise for releases, from the operating system's random numbers alone: never seeded, least of all by a message.

Gaussian noise (Dwork and Roth, "The Algorithmic Foundations of Differential Privacy", 2014, appendix A). A textbook
sampler in floating point leaks: which doubles it can produce depends on the value it is added to, so that the low bits
of a result tell the exact value (Mironov, CCS 2012; Jin et al., "Are We There Yet?", IEEE S&P 2022). Two measures here:

1. Each number is drawn out of 64 random bits and more (:mod:`~flip_sdk.mechanisms.normal`), dense out to nine standard
   deviations: between two neighbouring points of the grid below there are thousands of points for anything within six
   standard deviations.
2. :func:`add_gaussian` rounds the noisy *sum* to a grid of a power of two, about 2^-20 of the noise's own size. The
   grid is the same whatever the data are, so the set of possible results no longer depends on them, and rounding a
   differentially private result costs no privacy. Rounding adds less than 10^-12 of the noise's variance.

Integer noise for counts is OpenDP's discrete Laplace, sampled exactly in integer arithmetic; for sums over Trusts it is
the discrete Gaussian of :mod:`~flip_sdk.mechanisms.integer_noise`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from flip_sdk.mechanisms import integer_noise, normal
from flip_sdk.mechanisms.randomness import words

_GRID_BITS = 20
_MOST = 2**53
_AHEAD = 2**18
"""Numbers drawn at once for steps to come: few enough for a processor's last cache."""


def uniform(count: int) -> npt.NDArray[np.float64]:
    """``count`` numbers in [0, 1), multiples of 2^-53, for deciding who is in a Poisson sample."""
    return (words(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def gaussian(shape: tuple[int, ...], scale: float) -> npt.NDArray[np.float64]:
    """Normal noise of standard deviation ``scale``. Add it to a result with :func:`add_gaussian`, not by hand.

    Raises:
        ValueError: the scale is not a positive number.
    """
    _check(scale)
    noise = np.empty(math.prod(shape))
    normal.fill(noise, scale)
    return noise.reshape(shape)


def add_gaussian(exact: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.float64]:
    """A result with normal noise of standard deviation ``scale``, rounded to the grid of :func:`grid`.

    Raises:
        ValueError: the scale is not a positive number.
    """
    return _on_grid(exact, gaussian(exact.shape, scale), grid(scale))


class GaussianSteps:
    """:func:`add_gaussian` for a known number of results of the same size, with the noise of a few drawn at once.

    Args:
        size: numbers of a result.
        scale: standard deviation of the noise.
        steps: how many results there will be.

    Raises:
        ValueError: the scale is not a positive number.
    """

    def __init__(self, size: int, scale: float, steps: int) -> None:
        self._size, self._scale, self._left, self._grid = size, scale, steps, grid(scale)
        self._drawn = iter(np.empty((0, size)))

    def add(self, exact: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The next result ``[size]`` with its noise.

        Raises:
            StopIteration: it is one more than there were to be.
        """
        drawn = next(self._drawn, None)
        if drawn is None:
            count = min(self._left, max(1, _AHEAD // max(1, self._size)))
            self._left -= count
            self._drawn = iter(gaussian((count, self._size), self._scale))
            drawn = next(self._drawn)
        return _on_grid(exact, drawn, self._grid)


def _on_grid(exact: npt.NDArray[np.float64], noisy: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """A result with its noise, in the noise's place."""
    noisy += exact
    noisy *= 1 / step  # exact: a power of two
    np.rint(noisy, out=noisy)
    noisy *= step
    return noisy


def grid(scale: float) -> float:
    """The power of two, near 2^-20 of the noise's size, that noisy results are multiples of."""
    _check(scale)
    return 2.0 ** (math.floor(math.log2(scale)) - _GRID_BITS)


def discrete_laplace(counts: npt.NDArray[np.int64], scale: float) -> npt.NDArray[np.int64]:
    """Counts with discrete Laplace noise: P(k) ∝ exp(-|k| / scale), so 1/scale-DP where one person is in one cell.

    Raises:
        ValueError: the scale is not a positive number, or a count is beyond 2^53.
    """
    _check(scale)
    if counts.size and int(np.abs(counts).max()) > _MOST:
        raise ValueError("counts of more than 2^53 are not counts")
    noisy = _laplace(float(scale))([int(count) for count in counts.ravel()])
    return np.array(noisy, dtype=np.int64).reshape(counts.shape)


def discrete_gaussian(shape: tuple[int, ...], sigma: float) -> npt.NDArray[np.int64]:
    """Discrete Gaussian noise: P(k) ∝ exp(-k² / 2σ²) over all integers, never clipped.

    Raises:
        ValueError: sigma is not a positive number of at most 2^50.
    """
    return integer_noise.discrete_gaussian(shape, sigma)


@lru_cache(maxsize=256)
def _laplace(scale: float) -> Any:  # OpenDP's measurement has no type of its own
    from opendp import prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    return dp.m.make_laplace(*space, scale=scale)


def _check(scale: float) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError("noise needs a positive, finite scale")
