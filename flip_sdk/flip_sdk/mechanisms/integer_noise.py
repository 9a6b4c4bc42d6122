"""The discrete Gaussian on whole arrays: P(k) ∝ exp(-k²/2σ²) over all integers k, none left out.

Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020, arXiv 2004.00010),
algorithms 2 and 3: a discrete Laplace candidate, kept with a probability of exp(-E). Every decision is a coin of
probability exp(-x). Floating point decides a coin only where it cannot be wrong: where the coin's 32 random bits lie
within 2^-22 of the probability, they are extended to 192 bits and compared in 80-digit decimal arithmetic of the exact
x. The probability as reckoned in float64 is off by less than 2^-38, so a draw is within a statistical distance of
2^-180 of the exact distribution, and there is nothing to account for.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

LARGEST = 2.0**50
_COIN_BITS = 32
_ONE_OVER_E = np.uint32(1580030168)
"""exp(-1) · 2^32, rounded down."""
_DOUBT = 2.0**-22
_UNSURE_FROM = 2.0**11
_DECIMAL = Context(prec=80)
_MORE_BITS = 160
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Word = TypeVar("Word", np.uint32, np.uint64)


def discrete_gaussian(shape: tuple[int, ...], sigma: float) -> npt.NDArray[np.int64]:
    """Discrete Gaussian noise of parameter ``sigma``; its standard deviation is at most that, and from 2 on equal.

    Raises:
        ValueError: sigma is not a positive number of at most 2^50.
    """
    if not 0 < sigma <= LARGEST:
        raise ValueError("discrete Gaussian noise needs a sigma above 0 and of at most 2^50")
    wanted = math.prod(shape)
    parts: list[Integers] = [np.zeros(0, dtype=np.int64)]
    missing = wanted
    while missing > 0:
        parts.append(_kept(int(2.2 * missing) + 64, sigma))
        missing -= parts[-1].size
    return np.concatenate(parts)[:wanted].reshape(shape)


def _kept(tries: int, sigma: float) -> Integers:
    """Algorithm 3: discrete Laplace candidates, of which some are kept."""
    t = math.floor(sigma) + 1
    candidates = _discrete_laplace(tries, t)
    middle = sigma * sigma / t
    exponents = np.square((np.abs(candidates).astype(np.float64) - middle) / sigma) / 2

    def exactly(index: int) -> Fraction:
        s = Fraction(sigma)
        return (abs(int(candidates[index])) - s * s / t) ** 2 / (2 * s * s)

    return candidates[_coins(exponents, exactly)]


def _discrete_laplace(tries: int, t: int) -> Integers:
    """Algorithm 2 with scale t: P(k) ∝ exp(-|k|/t)."""
    below = _below(tries, t)
    below = below[_coins(below.astype(np.float64) / t, lambda index: Fraction(int(below[index]), t))]
    size = below + t * _runs(below.size)
    negative = _bits(size.size)
    # zero has one sign only
    once = ~(negative & (size == 0))
    signed: Integers = np.where(negative, -size, size)[once]
    return signed


def _coins(exponents: Floats, exactly: Callable[[int], Fraction]) -> Mask:
    """For each x a coin that shows True with probability exp(-x); ``exactly`` gives an x without rounding."""
    # exp(-x) = exp(-1)^whole · exp(-rest): so that no tail is too thin for the coin's bits
    whole = np.maximum(np.floor(exponents - 2.0**-20), 0.0)
    began = _runs(exponents.size) >= whole if whole.any() else np.ones(exponents.shape, dtype=np.bool_)
    words = _words(exponents.size, np.uint32)
    probability = np.exp(whole - exponents)
    uniform = words * 2.0**-_COIN_BITS
    shown: Mask = began & (uniform < probability)
    doubtful = (np.abs(uniform - probability) < _DOUBT) | (exponents > _UNSURE_FROM)
    for index in np.flatnonzero(began & doubtful):
        shown[index] = _exact_coin(int(words[index]), exactly(int(index)) - int(whole[index]))
    return shown


def _exact_coin(word: int, exponent: Fraction) -> bool:
    """The coin whose first bits are known, decided by bits enough."""
    more = int.from_bytes(os.urandom(_MORE_BITS // 8), "little")
    uniform = _DECIMAL.divide(Decimal((word << _MORE_BITS) + more), Decimal(2 ** (_COIN_BITS + _MORE_BITS)))
    rest = _DECIMAL.divide(Decimal(exponent.numerator), Decimal(exponent.denominator))
    return uniform < _DECIMAL.exp(-rest)


def _runs(count: int) -> Integers:
    """How often a coin of probability exp(-1) shows True before it does not."""
    runs = np.zeros(count, dtype=np.int64)
    active = np.arange(count)
    while active.size:
        words = _words(active.size, np.uint32)
        shown = words < _ONE_OVER_E
        for index in np.flatnonzero(words == _ONE_OVER_E):
            shown[index] = _exact_coin(int(_ONE_OVER_E), Fraction(1))
        active = active[shown]
        runs[active] += 1
    return runs


def _below(count: int, bound: int) -> Integers:
    """Uniform integers from 0 to bound - 1, without bias: words beyond the last whole multiple are drawn again."""
    last = np.uint64(2**64 - 1 - 2**64 % bound)
    words = _words(count, np.uint64)
    while (again := np.flatnonzero(words > last)).size:
        words[again] = _words(again.size, np.uint64)
    return (words % np.uint64(bound)).astype(np.int64)


def _bits(count: int) -> Mask:
    content = np.frombuffer(os.urandom(count // 8 + 1), dtype=np.uint8)
    return np.unpackbits(content)[:count].astype(np.bool_)


def _words(count: int, kind: type[Word]) -> npt.NDArray[Word]:
    return np.frombuffer(bytearray(os.urandom(np.dtype(kind).itemsize * count)), dtype=kind)
