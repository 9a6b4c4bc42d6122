"""What an ε and a δ mean, in words for people who do not reckon with them."""

from __future__ import annotations

import math

_FULL = 100.0


def right_at_most(epsilon: float, delta: float = 0.0) -> float:
    """The share of right guesses whether a person is in the data, by whoever would be right half the time without them.

    ``(e^ε + δ) / (1 + e^ε)``: the best test between two neighbouring data sets errs ``2 (1 - δ) / (1 + e^ε)`` times,
    both errors added (Kairouz, Oh and Viswanath, "The composition theorem for differential privacy", ICML 2015).

    Args:
        epsilon: of everything that is released, 0 or more.
        delta: at which it is reckoned.
    """
    # 1 - (1 - δ) / (1 + e^ε), which does not overflow
    return 1.0 - (1.0 - delta) * math.exp(-epsilon) / (1.0 + math.exp(-epsilon))


def meaning(epsilon: float, delta: float) -> tuple[str, ...]:
    """Sentences on what is promised to each person, the exact bound first."""
    told = (
        "Somebody who knows all else about a patient, and would guess with a chance of 1 in 2 whether they are in the "
        f"data, can be right {_percent(epsilon, delta)} of the time at most, whatever is released and whatever they "
        "compute of it."
    )
    return (told, _strength(epsilon), _outside(delta))


def _strength(epsilon: float) -> str:
    if epsilon <= 1:
        return "This is a strong promise: nothing that comes out depends much on any one person."
    if epsilon <= 5:
        return (
            "This is a moderate promise: it holds against the worst that could be tried, and what is tried does less."
        )
    return (
        "By itself this promises little against somebody who knows all else: what protects patients then is how far "
        "real attempts stay behind the worst that could be tried. Say why less does not do."
    )


def _outside(delta: float) -> str:
    odds = f"1 in {1 / delta:,.0f}"
    return f"δ is the chance that the bound does not hold: {odds}. Keep it far under 1 in the number of patients."


def _percent(epsilon: float, delta: float) -> str:
    """Rounded up, and never to 100 %."""
    share = right_at_most(epsilon, delta)
    for digits in range(1, 12):
        rounded = math.ceil(share * _FULL * 10**digits) / 10**digits
        if rounded < _FULL:
            return f"{rounded:.{digits}f} %"
    return "practically 100 %"
