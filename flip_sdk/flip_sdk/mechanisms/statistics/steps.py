"""One noisy Newton step: from a round's score and information to the change of the coefficients."""

from __future__ import annotations

import math

import numpy as np

from flip_sdk.contract.statistics import CoxRegression, Regression
from flip_sdk.mechanisms.statistics.columns import Floats

_SEEN = 3.0
"""Expected events in an interval count as no fewer than so many standard deviations of their noise."""
_LONGEST = 5.0
_LONGEST_OF_HAZARD = 2.0
_MOST_AT_ONCE = 20.0


def step(question: Regression, score: Floats, information: Floats, noise: float) -> Floats:
    """The change of all coefficients; no direction counts as better known than the noise allows.

    Args:
        question: which regression.
        score: noisy, at the coefficients.
        information: noisy, at the coefficients.
        noise: standard deviation of the information's.
    """
    if isinstance(question, CoxRegression):
        return _cox(question.follow_up.intervals, score, cleared(question, information, noise), noise)
    return _held(solved(information, score, noise), _LONGEST)


def cleared(question: Regression, information: Floats, noise: float) -> Floats:
    """What is known without looking: baseline intervals do not overlap, and nobody expects less than no event."""
    if not isinstance(question, CoxRegression):
        return information
    intervals, result = question.follow_up.intervals, information.copy()
    baseline = np.diag(result)[:intervals]
    result[:intervals, :intervals] = np.diag(np.maximum(baseline, max(_SEEN * noise, 1e-9)))
    return result


def solved(information: Floats, score: Floats, noise: float) -> Floats:
    """``information⁻¹ · score``, with eigenvalues no smaller than the norm of the noise (Wigner)."""
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    floor = max(noise * math.sqrt(2 * len(score)), 1e-9 * max(float(values[-1]), 1.0))
    result: Floats = vectors @ ((vectors.T @ score) / np.maximum(values, floor))
    return result


def _cox(intervals: int, score: Floats, information: Floats, noise: float) -> Floats:
    """A hazard far too small would make Newton's step far too long. So the baseline goes to its best value at once.

    Events in an interval are its score and expected events together, and its information is its expected events: with
    ``ratio`` between them, baseline and expected events grow by it, and what is left is a step for the hazard ratios.
    """
    expected = np.diag(information)[:intervals]
    ratio = np.clip(1 + score[:intervals] / expected, 1 / _MOST_AT_ONCE, _MOST_AT_ONCE)
    across = information[intervals:, :intervals]
    together = float((ratio * expected).sum() / expected.sum())
    known = together * information[intervals:, intervals:] - (across * (ratio / expected)) @ across.T
    change = _held(solved(known, score[intervals:] - across @ (ratio - 1), noise * together), _LONGEST_OF_HAZARD)
    return np.concatenate([np.log(ratio) - (across / expected).T @ change, change])


def _held(change: Floats, longest: float) -> Floats:
    return change * min(1.0, longest / max(float(np.abs(change).max(initial=0.0)), 1e-300))
