"""Quantiles out of a noisy histogram: the monotone cumulative share, turned round, with Woodruff's intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from flip_sdk.contract.statistics import Estimate, Quantiles
from flip_sdk.mechanisms.statistics.columns import Floats
from flip_sdk.mechanisms.statistics.intervals import LARGE, Z, monotone, undetermined


def quantiles(question: Quantiles, trust: str, cells: Floats, variance: float) -> Iterator[Estimate]:
    """One estimate a probability; a quantile beyond the public bounds is told as the bound.

    The interval is that of the probability, turned round like the quantile itself (Woodruff, JASA 47 (1952) 635): its
    error is that of the sample, ``p (1 - p) / n``, and of the noise in the cells to both sides.
    """
    inside, below, above = cells[: question.bins], cells[question.bins], cells[question.bins + 1]
    measured = float(inside.sum() + below + above)
    if measured <= LARGE * math.sqrt(variance * (question.bins + 2)):
        yield from (undetermined(trust, "quantile", at=p) for p in question.probabilities)
        return
    shares = np.clip(monotone((below + np.concatenate([[0.0], np.cumsum(inside)])) / measured), 0.0, 1.0)
    edges = np.linspace(question.measurement.low, question.measurement.high, question.bins + 1)
    for p in question.probabilities:
        value = _turned(p, shares, edges)
        left = np.searchsorted(edges, value, side="right")
        noise = variance * (left * (1 - p) ** 2 + (question.bins + 2 - left) * p**2)
        error = math.sqrt(p * (1 - p) / measured + noise / measured**2)
        low, high = _turned(p - Z * error, shares, edges), _turned(p + Z * error, shares, edges)
        yield Estimate(
            trust=trust,
            quantity="quantile",
            at=p,
            estimate=value,
            standard_error=(high - low) / (2 * Z),
            low=low,
            high=high,
        )


def _turned(p: float, shares: Floats, edges: Floats) -> float:
    """The value at which the cumulative share is p, linear between the edges."""
    above = int(np.searchsorted(shares, p, side="left"))
    if above == 0:
        return float(edges[0])
    if above == len(shares):
        return float(edges[-1])
    before, after = shares[above - 1], shares[above]
    return float(edges[above - 1] + (p - before) / (after - before) * (edges[above] - edges[above - 1]))
