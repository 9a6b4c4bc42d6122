"""Rényi differential privacy: for every kind of release, and stopped at soundly.

RDP of a *fixed* order adds up however the next release was chosen (Mironov, arXiv 1702.07476; Feldman and Zrnic,
"Individual Privacy Accounting via a Rényi Filter", arXiv 2008.11193). Picking the best order afterwards is another
matter: a researcher who chooses by what they saw could end at one order in one case and at another in the next. So the
orders and their weights w are fixed by the budget (ε, δ) alone, and a mixture is watched. With L the privacy loss so
far and ρ(α) the sum of what the releases cost at order α,

    Z = Σ w(α) · exp((α - 1) · (L - ρ(α)))

is a non-negative supermartingale that starts at 1. Where ``δ·Z`` is at least ``(1 - e^(ε - L))₊`` for every L there
could be, the expectation of the latter, which is δ(ε) of everything released, is at most δ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

WHOLE_ORDERS = np.array((*range(2, 64), 72, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768, 1024), dtype=np.int64)
"""Orders at which a sampled Gaussian is reckoned exactly."""
_KNOWN = np.concatenate([[1.0], WHOLE_ORDERS.astype(np.float64)])
_CENTRE, _SPREAD, _TAIL = 0.72, 0.25, 0.2
"""Where the weight lies, of the order that is best for one Gaussian: DP-SGD and a few counts want others than it."""
_MULTIPLES = np.geomspace(0.35, 12.0, 24)
_REACH = np.geomspace(0.01, 80.0, 180)


def enough(moments: Callable[[Vector], Vector], epsilon: float, delta: float) -> bool:
    """Whether releases with these moments are (ε, δ)-DP, however each was chosen.

    Args:
        moments: a function from orders to ``(α - 1) · ρ(α)``.
        epsilon: of the budget.
        delta: of the budget.
    """
    orders, weights = _mixture(epsilon, delta)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        start = np.log(delta * weights) + (orders - 1) * epsilon - moments(orders)
        beyond = np.concatenate([[0.0], _REACH / (_CENTRE * _best(epsilon, delta))])
        reached = _log_sums(start + np.multiply.outer(beyond, orders - 1))
    # both sides grow with L: what holds from the left end of an interval to its right end holds inside it
    wanted = np.append(np.log(-np.expm1(-beyond[1:])), 0.0)
    return bool(np.all(wanted <= reached))


def of_gaussian(squared: float, orders: Vector) -> Vector:
    """``(α - 1) · ρ(α)`` of Gaussian releases whose μ² add up to this."""
    return (orders - 1) * orders * (squared / 2)


def of_pure(epsilons: Vector, orders: Vector) -> Vector:
    """``(α - 1) · ρ(α)`` of randomised response, the worst ε-DP mechanism there is: a row for each ε."""
    epsilon = np.asarray(epsilons, dtype=np.float64)[:, np.newaxis]
    kept = -np.log1p(np.exp(-epsilon))
    flipped = kept - epsilon
    moment = np.logaddexp(orders * kept + (1 - orders) * flipped, orders * flipped + (1 - orders) * kept)
    return np.asarray(np.clip(moment, 0.0, (orders - 1) * epsilon), dtype=np.float64)


@lru_cache(maxsize=20_000)
def of_sampled(noise_multiplier: float, sampling_rate: float) -> Vector:
    """``(α - 1) · ρ(α)`` at :data:`WHOLE_ORDERS` of one step of a Gaussian on a Poisson sample.

    Add or remove one person: Mironov, Talwar and Zhang, "Rényi Differential Privacy of the Sampled Gaussian
    Mechanism", arXiv 1908.10530, equation (9).
    """
    binomial, chosen, owner, starts = _terms()
    terms = binomial + chosen * math.log(sampling_rate) + (owner - chosen) * math.log1p(-sampling_rate)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        terms += chosen * (chosen - 1) / (2 * np.float64(noise_multiplier) ** 2)
    highest = np.maximum.reduceat(terms, starts)
    if not bool(np.all(np.isfinite(highest))):
        return np.full(len(WHOLE_ORDERS), np.inf)
    sums = np.add.reduceat(np.exp(terms - np.repeat(highest, WHOLE_ORDERS + 1)), starts)
    moments: Vector = np.maximum(highest + np.log(sums), 0.0)
    moments.setflags(write=False)
    return moments


def between(at_whole_orders: Vector, orders: Vector) -> Vector:
    """``(α - 1) · ρ(α)`` at other orders: convex in α and 0 at 1, so the line between two known orders is a bound."""
    return np.asarray(np.interp(orders, _KNOWN, np.concatenate([[0.0], at_whole_orders])), dtype=np.float64)


def _log_sums(logarithms: Vector) -> Vector:
    """Logarithm of each row's sum."""
    highest = np.maximum(logarithms.max(axis=1), -1e300)
    sums: Vector = highest + np.log(np.exp(logarithms - highest[:, np.newaxis]).sum(axis=1))
    return sums


def _best(epsilon: float, delta: float) -> float:
    """α - 1 that serves a single Gaussian best, near enough: where ``μ²/2 + √(2 μ² log(1/δ)) = ε``."""
    log = math.log(1 / delta)
    return (log + math.sqrt(log * (log + epsilon))) / epsilon


def _mixture(epsilon: float, delta: float) -> tuple[Vector, Vector]:
    near = np.exp(-0.5 * (np.log(_MULTIPLES) / _SPREAD) ** 2)
    far = np.exp(-np.abs(np.log(_MULTIPLES)))
    weights = (1 - _TAIL) * near / near.sum() + _TAIL * far / far.sum()
    return 1 + _CENTRE * _best(epsilon, delta) * _MULTIPLES, weights / weights.sum() * (1 - 1e-9)


@lru_cache(maxsize=1)
def _terms() -> tuple[Vector, Vector, Vector, npt.NDArray[np.int64]]:
    """Binomial coefficients of every whole order, one order after the other."""
    chosen = np.concatenate([np.arange(order + 1) for order in WHOLE_ORDERS]).astype(np.float64)
    owner = np.repeat(WHOLE_ORDERS, WHOLE_ORDERS + 1).astype(np.float64)
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, WHOLE_ORDERS[-1] + 1)))])
    whole, part = owner.astype(np.int64), chosen.astype(np.int64)
    binomial = factorial[whole] - factorial[part] - factorial[whole - part]
    return binomial, chosen, owner, np.concatenate([[0], np.cumsum(WHOLE_ORDERS + 1)[:-1]])
