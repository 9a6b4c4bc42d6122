"""Standard normal numbers on whole arrays, out of random words alone.

The density is cut into slabs of a width of 1/32 out to ±4. 98 % of it are rectangles under the curve, each as high as a
whole number of 1/16384ths allows; these are drawn by one look into a table and one uniform number within the slab. The
rest is drawn exactly as well: the slivers between rectangle and curve by rejection from boxes around them, the tails
beyond ±4 by the normal quantile of a 63-bit uniform (Marsaglia, "Expressing a random variable in terms of uniform
random variables", 1961; the rectangle-wedge-tail method of Knuth, TAOCP volume 2, 3.4.1). The probabilities of the
parts are exact to float64, and a number lies anywhere among 2^50 points of its slab, so what is drawn is dense far
below the grid that ``noise.add_gaussian`` rounds to.
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
_AT_ONCE = 65536
"""Numbers worked on at once: few enough for a processor's last cache, enough that calls cost nothing."""
_FEW = 1024
"""Numbers that are all drawn by their quantile, which needs no rest."""
_TABLE_BITS, _BOX_BITS = 14, 12
_PER_UNIT = 32
_SLABS = 4 * _PER_UNIT
_TAILS = float(ndtr(-_SLABS / _PER_UNIT))
"""Probability of one tail."""
_PROPOSALS = 1.8
"""Points tried at once for each number of the rest: a little more than it takes on average."""
_ONE = np.uint64(0x3FF << 52)


@dataclass(frozen=True)
class _Table:
    """The slabs, numbered from the leftmost; heights are in units of the density at 0.

    Attributes:
        begins: for each index of the table its slab's left end less one, in slab widths; 0 for the rest.
        rectangles: how many indices there are; a higher one stands for the rest.
        box_begins: for each index of a second table the left end less one of a box around a sliver; the last ones
            stand for the tails.
        low: the height at which the box begins, less the box's own.
        high: the box's height.
        tails: the first index that stands for the tails.
        tail_share: the tails' probability over that of their indices.
    """

    begins: Array
    rectangles: int
    box_begins: Array
    low: Array
    high: Array
    tails: int
    tail_share: float


@cache
def _table() -> _Table:
    ends = np.arange(-_SLABS, _SLABS + 1) / _PER_UNIT
    curve = np.exp(-np.square(ends) / 2)
    lowest, highest = np.minimum(curve[:-1], curve[1:]), np.maximum(curve[:-1], curve[1:])
    area = 1 / np.sqrt(2 * np.pi) / _PER_UNIT  # of a slab as high as the density at 0
    times = np.floor(lowest * area * 2**_TABLE_BITS).astype(np.int64)
    low = times / 2**_TABLE_BITS / area
    # the last indices are the tails', the others go to boxes that are at least as high as their slivers
    areas, tail = (highest - low) * area, 2 * _TAILS
    size = 2**_BOX_BITS
    unit = (areas.sum() + tail) / (size - len(areas) - 1)
    boxes = np.ceil(areas / unit).astype(np.int64)
    tails = int(boxes.sum())
    high = boxes * unit / area
    begins = np.arange(-_SLABS, _SLABS) - 1.0
    filling = np.zeros(size - tails)
    return _Table(
        begins=np.concatenate([np.repeat(begins, times), np.zeros(2**_TABLE_BITS - times.sum())]),
        rectangles=int(times.sum()),
        box_begins=np.concatenate([np.repeat(begins, boxes), filling]),
        low=np.concatenate([np.repeat(low - high, boxes), filling]),
        high=np.concatenate([np.repeat(high, boxes), filling]),
        tails=tails,
        tail_share=tail / unit / len(filling),
    )


def fill(out: Array, deviation: float = 1.0) -> None:
    """Put independent normal numbers of this standard deviation into a one-dimensional array."""
    if len(out) <= _FEW:
        out[:] = deviation * _quantiles(words(len(out)), 0.5)
        return
    table, stream = _table(), Stream()
    index, missing = np.empty(min(len(out), _AT_ONCE), dtype=np.int64), []
    for start in range(0, len(out), _AT_ONCE):
        part = out[start : start + _AT_ONCE]
        drawn, here = stream.words(len(part)), index[: len(part)]
        np.bitwise_and(drawn.view(np.int64), 2**_TABLE_BITS - 1, out=here)
        table.begins.take(here, out=part, mode="clip")
        part += _from_one_to_two(drawn)
        part *= deviation / _PER_UNIT
        missing.append(np.flatnonzero(here >= table.rectangles) + start)
    places = np.concatenate(missing)
    out[places] = _rest(len(places), table, stream) * (deviation / _PER_UNIT)


def _from_one_to_two(drawn: Words) -> Array:
    """Uniform in [1, 2): the words' upper bits as a mantissa, in place; the last two may be the index's first."""
    drawn >>= np.uint64(12)
    drawn |= _ONE
    uniform: Array = drawn.view(np.float64)
    return uniform


def _rest(count: int, table: _Table, stream: Stream) -> Array:
    """Normal numbers in slab widths, given that they are under no rectangle: the first so many that are accepted."""
    found, lacking = [], count
    while lacking > 0:
        x, usable = _proposed(int(_PROPOSALS * lacking) + 64, table, stream)
        accepted = x[usable][:lacking]
        found.append(accepted)
        lacking -= len(accepted)
    return np.concatenate(found) if found else np.zeros(0)


def _proposed(count: int, table: _Table, stream: Stream) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Points under the tops of the boxes, or in the tails, and which of them are under the curve."""
    drawn = stream.words(2 * count)
    box = (drawn[:count] & np.uint64(2**_BOX_BITS - 1)).view(np.int64)
    x, height = _from_one_to_two(drawn).reshape(2, count)
    outer = np.flatnonzero(box >= table.tails)
    in_tail = height[outer] - 1.0 < table.tail_share
    x += table.box_begins[box]
    height *= table.high[box]
    height += table.low[box]
    usable = height < np.exp(np.square(x) * (-0.5 / _PER_UNIT**2))
    if len(outer):
        usable[outer] = in_tail
        x[outer] = _PER_UNIT * _quantiles(stream.words(len(outer)), _TAILS)
    return x, usable


def _quantiles(drawn: Words, share: float) -> Array:
    """Normal numbers out of the outermost ``share`` on either side; a half is all of them.

    The words give a sign and 63 bits, dense out to the last number at nine standard deviations.
    """
    uniform: Array = ((drawn >> np.uint64(1)).astype(np.float64) + 0.5) * (2.0**-63 * share)
    size: Array = ndtri(uniform)
    return np.where((drawn & np.uint64(1)).astype(np.bool_), size, -size)
