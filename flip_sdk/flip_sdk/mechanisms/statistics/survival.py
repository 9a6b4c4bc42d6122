"""Kaplan-Meier curves by interval, out of noisy events and censorings (the actuarial form: Cutler and Ederer, 1958).

Greenwood's variance for the sample, the delta method over all cells for the noise. A noisy number of events below zero
stays in the product, as cutting it off would bend the curve down; in the end the curve is made to fall and held
between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from flip_sdk.contract.statistics import Estimate, KaplanMeier
from flip_sdk.mechanisms.statistics.columns import Floats
from flip_sdk.mechanisms.statistics.intervals import LARGE, Z, monotone, undetermined


def survival(question: KaplanMeier, trust: str, cells: Floats, variance: float) -> Iterator[Estimate]:
    """For each group and interval, the share still without the event at the interval's end.

    Undetermined from the interval on in which too few persons are left to stand out from the noise.

    Args:
        question: what was asked.
        trust: of which Trust, or ``all``.
        cells: ``[groups, 2 · intervals + 2]`` noisy persons.
        variance: of each cell's noise.
    """
    groups = question.by.levels if question.by is not None else ("",)
    for name, group in zip(groups, cells, strict=True):
        yield from _curve(question, trust, (name,) if name else (), group, variance)


def _curve(
    question: KaplanMeier, trust: str, of: tuple[str, ...], cells: Floats, variance: float
) -> Iterator[Estimate]:
    intervals = question.follow_up.intervals
    times = [question.follow_up.maximum_days * (j + 1) / intervals for j in range(intervals)]
    events, censored, beyond = cells[:intervals], cells[intervals : 2 * intervals], cells[2 * intervals]
    ended = events + censored
    # who is left at each interval's beginning; who is censored in it counts half
    at_risk = beyond + np.cumsum(ended[::-1])[::-1] - censored / 2
    later = 2 * (intervals - np.arange(intervals)) + 1
    usable = at_risk > np.maximum(LARGE * np.sqrt(variance * later), 1.0)
    known = int(np.argmin(usable)) if not usable.all() else intervals
    if not known:
        yield from (undetermined(trust, "survival", of=of, at=time) for time in times)
        return
    events, at_risk = events[:known], at_risk[:known]
    hazard = np.minimum(events / at_risk, 1 - 0.5 / at_risk)
    logarithm = np.cumsum(np.log1p(-hazard))
    curve = np.clip(monotone(np.exp(logarithm), falling=True), 0.0, 1.0)
    errors = np.sqrt(_greenwood(hazard, at_risk) + variance * _noise(hazard, at_risk, intervals))
    for j, time in enumerate(times):
        if j < known:
            yield _estimate(trust, of, time, float(curve[j]), float(errors[j]))
        else:
            yield undetermined(trust, "survival", of=of, at=time)


def _estimate(trust: str, of: tuple[str, ...], time: float, value: float, error: float) -> Estimate:
    """With an interval on the logarithm's scale."""
    return Estimate(
        trust=trust,
        quantity="survival",
        of=of,
        at=time,
        estimate=value,
        standard_error=value * error,
        low=value * math.exp(-Z * error),
        high=min(value * math.exp(Z * error), 1.0),
    )


def _greenwood(hazard: Floats, at_risk: Floats) -> Floats:
    """Variance of the curve's logarithm over samples of persons (Greenwood, 1926)."""
    result: Floats = np.cumsum(np.maximum(hazard, 0.0) / (at_risk * (1 - hazard)))
    return result


def _noise(hazard: Floats, at_risk: Floats, intervals: int) -> Floats:
    """Sum over all cells of the squared derivative of the curve's logarithm, at the end of each interval."""
    known = len(hazard)
    of_events = 1 / (at_risk * (1 - hazard))
    of_risk = hazard * of_events
    result = np.empty(known)
    for j in range(known):
        risk = np.zeros(intervals)
        risk[: j + 1] = of_risk[: j + 1]
        up_to = np.cumsum(risk)
        events = up_to.copy()
        events[: j + 1] -= of_events[: j + 1]
        censored = up_to - risk / 2
        result[j] = np.square(events).sum() + np.square(censored).sum() + up_to[-1] ** 2
    return result
