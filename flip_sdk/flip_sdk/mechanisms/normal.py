"""Standard normal numbers on whole arrays, out of random words alone.

The density is cut into slabs of a width of 1/32 out to ±4. 98 % of it are rectangles under the curve, each as high as a
whole number of 1/16384ths allows; these are drawn by one look into a table and one uniform number within the slab. The
rest is drawn exactly as well: the slivers between rectangle and curve by rejection, the tails beyond ±4 by the normal
quantile of a 63-bit uniform (Marsaglia, "Expressing a random variable in terms of uniform random variables", 1961; the
rectangle-wedge-tail method of Knuth, TAOCP volume 2, 3.4.1). The probabilities of the parts are exact to float64, and a
number lies anywhere among 2^50 points of its slab, so what is drawn is dense far below the grid that
``noise.add_gaussian`` rounds to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from flip_sdk.mechanisms.randomness import Stream, words

Array = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]
_AT_ONCE = 16384
"""Numbers that stay in a processor's caches while they are worked on."""
_FEW = 1024
"""Numbers that are all drawn by their quantile, which needs no rest."""
_TABLE_BITS = 14
_PER_UNIT = 32
_SLABS = 4 * _PER_UNIT
_TRIES = 4
"""Points at which a sliver is tried at once; about every second one is under the curve."""
_ONE = np.uint64(0x3FF << 52)


@dataclass(frozen=True)
class _Table:
    """The slabs, numbered from the leftmost; heights are in units of the density at 0.

    Attributes:
        begins: for each index of the table its slab's left end less one, in slab widths.
        rectangles: how many indices there are; a higher one stands for the rest.
        rest: ``[2 · slabs]`` cumulated probabilities of the slivers within the rest; what is above is the tails.
        low: each rectangle's height, less the slope.
        slope: from the rectangle to the curve's largest height over the slab.
    """

    begins: Array
    rectangles: int
    rest: Array
    low: Array
    slope: Array


@cache
def _table() -> _Table:
    ends = np.arange(-_SLABS, _SLABS + 1) / _PER_UNIT
    curve = np.exp(-np.square(ends) / 2)
    lowest = np.minimum(curve[:-1], curve[1:])
    peak = 1 / np.sqrt(2 * np.pi)
    times = np.floor(lowest * peak / _PER_UNIT * 2**_TABLE_BITS).astype(np.int64)
    # the mass of a slab from the nearer tail, where a difference of two small numbers is exact
    nearer = -np.abs(ends)
    masses = np.abs(np.diff(ndtr(nearer)))
    slivers = masses - times / 2**_TABLE_BITS
    low = times * _PER_UNIT / 2**_TABLE_BITS / peak
    slope = np.maximum(curve[:-1], curve[1:]) - low
    rest = 1 - times.sum() / 2**_TABLE_BITS
    return _Table(
        begins=np.repeat(np.arange(-_SLABS, _SLABS) - 1.0, times),
        rectangles=int(times.sum()),
        rest=np.cumsum(slivers) / rest,
        low=low - slope,
        slope=slope,
    )


def fill(out: Array) -> None:
    """Put independent standard normal numbers into a one-dimensional array."""
    if len(out) <= _FEW:
        out[:] = _quantiles(words(len(out)), 0.5)
        return
    table, stream = _table(), Stream()
    missing = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(out), _AT_ONCE):
        part = out[start : start + _AT_ONCE]
        drawn = stream.words(len(part))
        index = (drawn & np.uint64(2**_TABLE_BITS - 1)).view(np.int64)
        table.begins.take(index, out=part, mode="clip")
        part += _from_one_to_two(drawn)
        missing.append(np.flatnonzero(index >= table.rectangles) + start)
    places = np.concatenate(missing)
    out[places] = _rest(len(places), table, stream)
    out *= 1 / _PER_UNIT


def _from_one_to_two(drawn: Words) -> Array:
    """Uniform in [1, 2): the words' upper bits as a mantissa, of which the last two may be the index's first."""
    mantissa = drawn >> np.uint64(12)
    mantissa |= _ONE
    uniform: Array = mantissa.view(np.float64)
    return uniform


def _rest(count: int, table: _Table, stream: Stream) -> Array:
    """Normal numbers in slab widths, given that they are under no rectangle."""
    slab = np.searchsorted(table.rest, _from_one_to_two(stream.words(count)) - 1.0, side="right")
    numbers: Array = slab.astype(np.float64) - (_SLABS + 1.0)
    beyond = slab == 2 * _SLABS
    outer = _quantiles(stream.words(int(beyond.sum())), float(ndtr(-_SLABS / _PER_UNIT)))
    numbers[beyond] = _PER_UNIT * outer
    waiting, tries = np.flatnonzero(~beyond), _TRIES
    while waiting.size:
        here = slab[waiting]
        x, height = _from_one_to_two(stream.words(2 * waiting.size * tries)).reshape(2, -1, tries)
        x += numbers[waiting, None]
        height *= table.slope[here, None]
        height += table.low[here, None]
        below = height < np.exp(np.square(x) * (-0.5 / _PER_UNIT**2))
        first = below.argmax(axis=1)
        found = below.any(axis=1)
        numbers[waiting[found]] = x[found, first[found]]
        waiting, tries = waiting[~found], 4 * tries
    return numbers


def _quantiles(drawn: Words, share: float) -> Array:
    """Normal numbers out of the outermost ``share`` on either side; a half is all of them.

    The words give a sign and 63 bits, dense out to the last number at nine standard deviations.
    """
    uniform: Array = ((drawn >> np.uint64(1)).astype(np.float64) + 0.5) * (2.0**-63 * share)
    size: Array = ndtri(uniform)
    return np.where((drawn & np.uint64(1)).astype(np.bool_), size, -size)
