"""Regressions out of noisy sums: Newton steps, then coefficients with errors of sample and noise.

After Avella-Medina, Bradshaw and Loh (arXiv 2103.11003): near the solution every step forgets the noise of the steps
before it, and the noise of one step enters the coefficients through the inverse information, whose size is known. The
answer is one more step, from the mean of the last half's coefficients along the mean of their scores, with the mean of
their information: so the noise of all those rounds is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.statistics import (
    CoxRegression,
    Estimate,
    LinearRegression,
    Quantity,
    Regression,
    known_levels,
    rounds_of,
)
from flip_sdk.mechanisms.statistics.columns import Floats
from flip_sdk.mechanisms.statistics.intervals import interval, undetermined
from flip_sdk.mechanisms.statistics.means import name_of
from flip_sdk.mechanisms.statistics.regression import start, unpacked
from flip_sdk.mechanisms.statistics.release import Release, release_of
from flip_sdk.mechanisms.statistics.steps import cleared, step

ALL = "all"
_CLEAR = 1.5
"""The smallest eigenvalue of the information has to be so many times the norm of its noise: measured down to 1, the
intervals held what they should; stricter rules leave out what could be told."""
_SETTLED = 0.5
Sums = Mapping[str, Floats]
State = dict[str, Floats]
Places = npt.NDArray[np.int64]


def first(question: Regression) -> State:
    """Before the first round."""
    return {"coefficients": start(question)}


def advance(
    question: Regression,
    state: Mapping[str, Floats],
    released: Mapping[str, Sums],
    noise_multiplier: float,
    number: int,
) -> State:
    """After a round: the next coefficients, and what the last half's rounds have added up to.

    Args:
        question: which regression.
        state: before the round.
        released: noisy sums, by Trust.
        noise_multiplier: of one release.
        number: of the round, from 0.
    """
    release = release_of(question)
    total = {name: np.sum([sums[name] for sums in released.values()], axis=0) for name in release.shapes}
    after = dict(state)
    if number >= rounds_of(question) // 2:
        for trust, sums in (*released.items(), (ALL, total)):
            releases = len(released) if trust == ALL else 1
            _add(after, trust, sums, state["coefficients"], releases)
    noise = release.deviation("information", noise_multiplier) * math.sqrt(len(released))
    after["coefficients"] = state["coefficients"] + step(
        question, total["score"], unpacked(total["information"]), noise
    )
    return after


def estimates(question: Regression, state: Mapping[str, Floats], noise_multiplier: float) -> Iterator[Estimate]:
    """Coefficients of each Trust and of all together, in the measurements' own units."""
    trusts = sorted({name.split("/")[0] for name in state if "/" in name} - {ALL})
    for trust in (*trusts, ALL):
        kept = {name.split("/")[1]: value for name, value in state.items() if name.startswith(f"{trust}/")}
        if kept:
            yield from _named(question, trust, _fit(question, kept, release_of(question), noise_multiplier))


@dataclass(frozen=True)
class _Fit:
    """Coefficients and their covariance, in units of [-1, 1]; None where they are not determined."""

    coefficients: Floats
    covariance: Floats


def _add(state: State, trust: str, sums: Sums, at: Floats, releases: int) -> None:
    parts = {name: value for name, value in sums.items() if name != "persons"}
    parts |= {"coefficients": at, "rounds": np.array([1.0]), "releases": np.array([float(releases)])}
    for name, value in parts.items():
        state[f"{trust}/{name}"] = state.get(f"{trust}/{name}", np.zeros_like(value)) + value


def _fit(question: Regression, kept: Mapping[str, Floats], release: Release, noise_multiplier: float) -> _Fit | None:
    rounds, releases = float(kept["rounds"][0]), float(kept["releases"][0])
    spread = math.sqrt(releases) / rounds
    noise = {name: release.deviation(name, noise_multiplier) * spread for name in release.weights}
    score = kept["score"] / rounds
    information = cleared(question, unpacked(kept["information"] / rounds), noise["information"])
    reported = _reported(question)
    if not _is_clear(information, reported, _CLEAR * noise["information"]):
        return None
    inverse = np.linalg.inv(information)
    change = inverse @ score
    coefficients = kept["coefficients"] / rounds + change
    sampling = information
    if isinstance(question, LinearRegression):
        sampling = information * _residual_variance(kept, rounds, coefficients, information, noise)
    covariance = inverse @ (sampling + _noise_of_score(change, noise)) @ inverse
    covariance = (covariance + covariance.T) / 2
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    settled = isinstance(question, LinearRegression) or bool((np.abs(change) <= _SETTLED + 4 * errors)[reported].all())
    return _Fit(coefficients[reported], covariance[np.ix_(reported, reported)]) if settled else None


def _noise_of_score(change: Floats, noise: Mapping[str, float]) -> Floats:
    """Covariance of the score's noise minus the information's noise times the last change."""
    same = np.eye(len(change))
    across = float(change @ change) * same + np.outer(change, change)
    return noise["score"] ** 2 * same + noise["information"] ** 2 / 2 * across


def _residual_variance(
    kept: Mapping[str, Floats], rounds: float, coefficients: Floats, information: Floats, noise: Mapping[str, float]
) -> float:
    """Of a linear regression; where noise has brought it under its own error, that error."""
    b, persons = coefficients, max(float(information[0, 0]), 1.0)
    products = kept["score"] / rounds
    squares = float(kept["squares"][0] / rounds - 2 * b @ products + b @ information @ b)
    error = math.sqrt(
        noise["squares"] ** 2 + 4 * noise["score"] ** 2 * float(b @ b) + noise["information"] ** 2 * float(b @ b) ** 2
    )
    return max(squares, error) / max(persons - len(b), 1.0)


def _is_clear(information: Floats, reported: Places, noise: float) -> bool:
    """Whether what is known of the reported coefficients stands out from the noise."""
    others = np.setdiff1d(np.arange(len(information)), reported)
    known = information[np.ix_(reported, reported)]
    if len(others):
        across = information[np.ix_(reported, others)]
        known = known - across @ np.linalg.solve(information[np.ix_(others, others)], across.T)
    smallest = float(np.linalg.eigvalsh((known + known.T) / 2)[0])
    return smallest > max(noise * math.sqrt(2 * len(known)), 1e-9)


def _reported(question: Regression) -> Places:
    """Places of the coefficients that are told: all, but not a Cox regression's baseline."""
    begin = question.follow_up.intervals if isinstance(question, CoxRegression) else 0
    return np.arange(begin, len(start(question)))


def _named(question: Regression, trust: str, fit: _Fit | None) -> Iterator[Estimate]:
    quantity, names = _quantity(question), _names(question)
    if fit is None:
        yield from (undetermined(trust, quantity, of=(name,)) for name in names)
        return
    turn, shift = _units(question)
    values = turn @ fit.coefficients + shift
    errors = np.sqrt(np.maximum(np.diag(turn @ fit.covariance @ turn.T), 0.0))
    for name, value, error in zip(names, values, errors, strict=True):
        yield interval(trust, quantity, float(value), float(error), of=(name,))


def _quantity(question: Regression) -> Quantity:
    match question:
        case LinearRegression():
            return "coefficient"
        case CoxRegression():
            return "log_hazard_ratio"
        case _:
            return "log_odds_ratio"


def _names(question: Regression) -> list[str]:
    predictors = question.predictors
    names = [] if isinstance(question, CoxRegression) else ["intercept"]
    names += [name_of(feature) for feature in predictors.measurements]
    return names + [level for category in predictors.categories for level in known_levels(category)[1:]]


def _units(question: Regression) -> tuple[Floats, Floats]:
    """From units of [-1, 1] to the measurements' own: ``turn @ coefficients + shift``."""
    predictors = question.predictors
    has_intercept = not isinstance(question, CoxRegression)
    turn = np.eye(predictors.width + has_intercept)
    for place, feature in enumerate(predictors.measurements, start=int(has_intercept)):
        half = (feature.high - feature.low) / 2
        turn[place, place] = 1 / half
        if has_intercept:
            turn[0, place] = -(feature.low + feature.high) / 2 / half
    shift = np.zeros(len(turn))
    if isinstance(question, LinearRegression):
        turn *= (question.outcome.high - question.outcome.low) / 2
        shift[0] = (question.outcome.high + question.outcome.low) / 2
    return turn, shift
