"""Estimates with their standard errors and 95 % intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flip_sdk.contract.statistics import Estimate, Quantity
from flip_sdk.mechanisms.statistics.columns import Floats

Z = 1.959963984540054
"""Standard errors to each side of an estimate that make a 95 % interval."""
LARGE = 3.0
"""A noisy number of persons has to be so many standard deviations of its noise for anything to be divided by it."""


def interval(
    trust: str,
    quantity: Quantity,
    value: float,
    error: float,
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    **at: Any,
) -> Estimate:
    """An estimate with a symmetric interval, both held within bounds; undetermined where a number is not finite."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return undetermined(trust, quantity, **at)
    low, high = bounds
    return Estimate(
        trust=trust,
        quantity=quantity,
        estimate=min(max(value, low), high),
        standard_error=error,
        low=min(max(value - Z * error, low), high),
        high=min(max(value + Z * error, low), high),
        **at,
    )


def undetermined(trust: str, quantity: Quantity, **at: Any) -> Estimate:
    """There is no estimate: noise and chance leave everything open, or the number is kept back."""
    return Estimate(trust=trust, quantity=quantity, **at)


def monotone(values: Floats, *, falling: bool = False) -> Floats:
    """The nearest sequence (least squares) that never falls: pool adjacent violators (Ayer et al., 1955).

    A projection onto what is possible anyway: it brings noisy cumulative numbers nearer to the true ones and, other
    than cutting off, moves as much up as down (Hay et al., VLDB 2010, arXiv 0904.0942).
    """
    pools: list[tuple[float, int]] = []
    for value in -values if falling else values:
        total, size = float(value), 1
        while pools and pools[-1][0] * size >= total * pools[-1][1]:
            more, count = pools.pop()
            total, size = total + more, size + count
        pools.append((total, size))
    result = np.concatenate([np.full(size, total / size) for total, size in pools]) if pools else np.empty(0)
    return -result if falling else result
