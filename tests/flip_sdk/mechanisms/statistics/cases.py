"""Questions and made-up cohorts that the tests of statistics share."""

from __future__ import annotations

import numpy as np
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.statistics import (
    AgeBands,
    ConditionRecorded,
    CoxRegression,
    CrossTable,
    Description,
    FollowUp,
    Histogram,
    KaplanMeier,
    LinearRegression,
    LogisticRegression,
    Mean,
    Predictors,
    Quantiles,
    SexIn,
    rounds_of,
)
from flip_sdk.mechanisms.statistics import newton
from flip_sdk.mechanisms.statistics.columns import Columns
from flip_sdk.mechanisms.statistics.release import release_of
from flip_sdk.mechanisms.statistics.sums import exact

RADIUS = Feature(concept_id=1, low=0, high=10, name="radius")
TEXTURE = Feature(concept_id=2, low=-5, high=5, name="texture")
COST = Feature(concept_id=3, low=0, high=40, name="cost")
SEX = SexIn(concept_ids=(8507, 8532), names=("male", "female"))
AGE = AgeBands(starts=(40, 60))
TREATED = ConditionRecorded(concept_ids=(9,), name="treated")
FOLLOW_UP = FollowUp(maximum_days=1000, intervals=5)
PREDICTORS = Predictors(measurements=(RADIUS, TEXTURE), categories=(TREATED,))

TABLE = CrossTable(by=(SEX, TREATED))
DESCRIPTION = Description(by=(SEX, AGE, TREATED))
HISTOGRAM = Histogram(measurement=RADIUS, bins=5)
MEAN = Mean(measurements=(RADIUS, TEXTURE))
QUANTILES = Quantiles(measurement=RADIUS, bins=50)
CURVE = KaplanMeier(follow_up=FOLLOW_UP, by=TREATED)
LINEAR = LinearRegression(outcome=COST, predictors=PREDICTORS)
LOGISTIC = LogisticRegression(outcome=Label(condition_concept_ids=(5,)), predictors=PREDICTORS)
COX = CoxRegression(follow_up=FOLLOW_UP, predictors=PREDICTORS)
EVERY = (TABLE, DESCRIPTION, HISTOGRAM, MEAN, QUANTILES, CURVE, LINEAR, LOGISTIC, COX)


def predictors(random: np.random.Generator, persons: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of PREDICTORS, inside their bounds."""
    radius = np.clip(random.normal(5, 2, persons), 0, 10)
    texture = np.clip(random.normal(0, 2, persons), -5, 5)
    return radius, texture, random.integers(0, 2, persons)


def linear(random: np.random.Generator, persons: int) -> Columns:
    """cost = 10 + 2 radius - texture + 3 treated, with errors of 4."""
    radius, texture, treated = predictors(random, persons)
    cost = 10 + 2 * radius - texture + 3 * treated + random.normal(0, 4, persons)
    measured = np.stack([radius, texture, np.clip(cost, 0, 40)], axis=1)
    return Columns.of(persons, measurements=measured, levels=treated[:, None])


def logistic(random: np.random.Generator, persons: int) -> Columns:
    """Log odds = -3 + 0.4 radius - 0.3 texture + 0.8 treated."""
    radius, texture, treated = predictors(random, persons)
    odds = np.exp(-3 + 0.4 * radius - 0.3 * texture + 0.8 * treated)
    outcome = (random.random(persons) < odds / (1 + odds)).astype(np.int64)
    return Columns.of(
        persons, measurements=np.stack([radius, texture], axis=1), levels=treated[:, None], outcome=outcome
    )


def survival(random: np.random.Generator, persons: int) -> Columns:
    """Log hazard ratios 0.2 radius, -0.1 texture, 0.7 treated; a fifth of the persons or so are censored early."""
    radius, texture, treated = predictors(random, persons)
    hazard = 0.0008 * np.exp(0.2 * (radius - 5) - 0.1 * texture + 0.7 * treated)
    event, censoring = random.exponential(1 / hazard), random.uniform(0, 1500, persons)
    return Columns.of(
        persons,
        measurements=np.stack([radius, texture], axis=1),
        levels=treated[:, None],
        days=np.floor(np.minimum(event, censoring)),
        events=(event <= censoring).astype(np.int64),
    )


def with_noise(random: np.random.Generator, question, sums, noise_multiplier: float) -> dict[str, np.ndarray]:
    """Sums with the noise that a Trust adds, from a seeded generator."""
    release = release_of(question)
    return {
        name: value + random.normal(size=value.shape) * release.deviation(name, noise_multiplier)
        for name, value in sums.items()
    }


def fitted(random: np.random.Generator, question, cohorts: list[Columns], noise_multiplier: float) -> list:
    """A regression's estimates over some Trusts, round by round."""
    state = newton.first(question)
    for number in range(rounds_of(question)):
        at = state["coefficients"]
        released = {
            f"trust{i}": with_noise(random, question, exact(question, columns, at), noise_multiplier)
            for i, columns in enumerate(cohorts)
        }
        state = newton.advance(question, state, released, noise_multiplier, number)
    return list(newton.estimates(question, state, noise_multiplier))


def together(estimates) -> list:
    """Those of all Trusts."""
    return [estimate for estimate in estimates if estimate.trust == "all"]
