"""Statistics over a cohort: one question per job, out of a fixed list, answered by noisy sums over persons.

Every question says by itself, from public values alone, how much one person can move its answer. Nothing in it is code.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from flip_sdk.contract.cohorts import Years
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.records import ConceptId, Finite, Line, Record

UNKNOWN = "unknown"
MOST_CELLS = 2000
"""Most cells of a table, histogram or curve: each carries noise of its own, so many cells say little about each."""
MOST_COEFFICIENTS = 50
MOST_ESTIMATES = 500_000


class SexIn(Record):
    """``person.gender_concept_id``: a level for each of these, and ``unknown`` for anything else.

    Attributes:
        names: what the levels are called; the concepts' numbers where left out.
    """

    kind: Literal["sex"] = "sex"
    concept_ids: Annotated[tuple[ConceptId, ...], Field(min_length=1, max_length=10)]
    names: Annotated[tuple[Line, ...], Field(max_length=10)] = ()

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels."""
        return (*(self.names or map(str, self.concept_ids)), UNKNOWN)


class ConditionRecorded(Record):
    """Whether a person has any ``condition_occurrence`` of one of these concepts: ``no`` or ``yes``."""

    kind: Literal["condition"] = "condition"
    concept_ids: Annotated[tuple[ConceptId, ...], Field(min_length=1, max_length=200)]
    name: Line = ""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels."""
        what = self.name or f"condition {self.concept_ids[0]}"
        return f"no {what}", what


class AgeBands(Record):
    """Age in whole years at the cohort's freezing, in bands: under the first start, from each start on, ``unknown``."""

    kind: Literal["age"] = "age"
    starts: Annotated[tuple[Annotated[Years, Field(ge=1)], ...], Field(min_length=1, max_length=20)]

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels."""
        between = (f"{low} to {high - 1}" for low, high in zip(self.starts, self.starts[1:], strict=False))
        return f"under {self.starts[0]}", *between, f"{self.starts[-1]} and over", UNKNOWN


Category = Annotated[SexIn | ConditionRecorded | AgeBands, Field(discriminator="kind")]
"""Puts every person on exactly one level."""
Categories = Annotated[tuple[Category, ...], Field(max_length=10)]


class CrossTable(Record):
    """Persons by one to three categories; everybody is in exactly one cell."""

    kind: Literal["cross_table"] = "cross_table"
    by: Annotated[tuple[Category, ...], Field(min_length=1, max_length=3)]


class Description(Record):
    """Persons by each of several categories by itself: a table of one category each, in one answer.

    Everybody is in one cell of every table.
    """

    kind: Literal["description"] = "description"
    by: Annotated[tuple[Category, ...], Field(min_length=1, max_length=20)]


class Histogram(Record):
    """Persons by their latest value of a measurement, in bins of equal width between its public bounds.

    Three more cells hold who is below, above and not measured; everybody is in exactly one cell.
    """

    kind: Literal["histogram"] = "histogram"
    measurement: Feature
    bins: Annotated[int, Field(ge=2, le=1000)] = 20


class Mean(Record):
    """Mean and standard deviation of the latest values of measurements, clamped to their public bounds."""

    kind: Literal["mean"] = "mean"
    measurements: Annotated[tuple[Feature, ...], Field(min_length=1, max_length=50)]


class Quantiles(Record):
    """Values below which given shares of the measured persons lie, out of a fine histogram of ``bins`` bins."""

    kind: Literal["quantiles"] = "quantiles"
    measurement: Feature
    probabilities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)], ...], Field(min_length=1, max_length=20)
    ] = (0.25, 0.5, 0.75)
    bins: Annotated[int, Field(ge=8, le=1000)] = 64


class FollowUp(Record):
    """From when on, until what, and for how long at most a person is followed.

    A person is followed from the first ``condition_occurrence`` of one of ``start`` (or, where that is empty, from the
    start of observation) to the first event on that day or later: a ``condition_occurrence`` of one of ``event``, or
    where that is empty ``death``. Who has no event before the end of the ``observation_period`` that holds the start
    is censored there. Who had the event before the start, or no observation at the start, is not followed.

    Attributes:
        maximum_days: public; nobody's follow-up counts beyond it.
        intervals: of equal length that it is divided into.
    """

    start: Annotated[tuple[ConceptId, ...], Field(max_length=200)] = ()
    event: Annotated[tuple[ConceptId, ...], Field(max_length=200)] = ()
    maximum_days: Annotated[int, Field(ge=1, le=36_500)]
    intervals: Annotated[int, Field(ge=1, le=200)] = 10


class KaplanMeier(Record):
    """Survival over the intervals of a follow-up, where asked for each level of a category.

    Everybody is in exactly one cell: event in an interval, censored in an interval, followed to the end, not followed.
    """

    kind: Literal["kaplan_meier"] = "kaplan_meier"
    follow_up: FollowUp
    by: Category | None = None


class Predictors(Record):
    """What a regression explains by: measurements as numbers, categories by a 0/1 column per level but the first.

    Whoever has a measurement missing or a level ``unknown`` is left out (complete cases).
    """

    measurements: Annotated[tuple[Feature, ...], Field(max_length=MOST_COEFFICIENTS)] = ()
    categories: Categories = ()

    @property
    def width(self) -> int:
        """Number of columns, without the intercept."""
        return len(self.measurements) + sum(len(known_levels(category)) - 1 for category in self.categories)

    @property
    def squared_norm(self) -> float:
        """Largest squared norm of one person's columns: measurements are in [-1, 1], one level at most is 1."""
        return float(len(self.measurements) + len(self.categories))


Rounds = Annotated[int, Field(ge=2, le=50)]


class LinearRegression(Record):
    """Least squares of a measurement on predictors, out of noisy sums of products."""

    kind: Literal["linear_regression"] = "linear_regression"
    outcome: Feature
    predictors: Predictors


class LogisticRegression(Record):
    """Log odds of a condition on predictors, by noisy Newton steps."""

    kind: Literal["logistic_regression"] = "logistic_regression"
    outcome: Label
    predictors: Predictors
    rounds: Rounds = 8


class CoxRegression(Record):
    """Log hazard ratios: proportional hazards with a baseline that is constant in each interval, by Newton steps."""

    kind: Literal["cox_regression"] = "cox_regression"
    follow_up: FollowUp
    predictors: Predictors
    rounds: Rounds = 10


Table = CrossTable | Description | Histogram | Quantiles | KaplanMeier
"""Questions whose answer is counts in disjoint cells; of a description, in several tables of disjoint cells."""
Regression = LinearRegression | LogisticRegression | CoxRegression
AnyQuestion = Table | Mean | Regression
Question = Annotated[
    CrossTable
    | Description
    | Histogram
    | Mean
    | Quantiles
    | KaplanMeier
    | LinearRegression
    | LogisticRegression
    | CoxRegression,
    Field(discriminator="kind"),
]


def known_levels(category: SexIn | ConditionRecorded | AgeBands) -> tuple[str, ...]:
    """The levels of a category that are not ``unknown``."""
    return tuple(level for level in category.levels if level != UNKNOWN)


def is_pure(question: AnyQuestion) -> bool:
    """Whether its answer is counts in cells with discrete Laplace noise (δ = 0)."""
    return isinstance(question, CrossTable | Description | Histogram | Quantiles | KaplanMeier)


def tables_of(question: AnyQuestion) -> int:
    """In how many tables of disjoint cells a person counts: what one person can move, as an L1 norm."""
    return len(question.by) if isinstance(question, Description) else 1


def rounds_of(question: AnyQuestion) -> int:
    """How many releases an answer takes."""
    return question.rounds if isinstance(question, LogisticRegression | CoxRegression) else 1


def measurements_of(question: AnyQuestion) -> tuple[Feature, ...]:
    """Every measurement that it reads; a linear regression's outcome comes last."""
    match question:
        case Histogram() | Quantiles():
            return (question.measurement,)
        case Mean():
            return question.measurements
        case LinearRegression():
            return (*question.predictors.measurements, question.outcome)
        case LogisticRegression() | CoxRegression():
            return question.predictors.measurements
        case _:
            return ()


def categories_of(question: AnyQuestion) -> tuple[SexIn | ConditionRecorded | AgeBands, ...]:
    """Every category that it reads."""
    match question:
        case CrossTable() | Description():
            return question.by
        case KaplanMeier():
            return (question.by,) if question.by is not None else ()
        case LinearRegression() | LogisticRegression() | CoxRegression():
            return question.predictors.categories
        case _:
            return ()


def follow_up_of(question: AnyQuestion) -> FollowUp | None:
    """The follow-up that it needs, if any."""
    return question.follow_up if isinstance(question, KaplanMeier | CoxRegression) else None


def cells_of(question: Table) -> tuple[int, ...]:
    """Shape of its table of cells."""
    match question:
        case CrossTable():
            return tuple(len(category.levels) for category in question.by)
        case Description():
            return (sum(len(category.levels) for category in question.by),)
        case Histogram() | Quantiles():
            return (question.bins + 3,)
        case KaplanMeier():
            groups = len(question.by.levels) if question.by is not None else 1
            return groups, 2 * question.follow_up.intervals + 2


def coefficients_of(question: Regression) -> int:
    """How many coefficients are fitted: an intercept, or the baseline's intervals, and the predictors' columns."""
    first = question.follow_up.intervals if isinstance(question, CoxRegression) else 1
    return first + question.predictors.width


def size_of(question: AnyQuestion) -> int:
    """Number of cells, or of coefficients: what the limits are about."""
    if isinstance(question, LinearRegression | LogisticRegression | CoxRegression):
        return coefficients_of(question)
    return len(question.measurements) if isinstance(question, Mean) else math.prod(cells_of(question))


Quantity = Literal[
    "persons", "mean", "standard_deviation", "quantile", "survival", "coefficient", "log_odds_ratio", "log_hazard_ratio"
]


class Estimate(Record):
    """One number of an answer. Errors and intervals include the noise.

    Attributes:
        trust: of which Trust, or ``all``.
        of: what it is about: levels of categories, or a measurement's name.
        at: where it lies: a probability, a time in days, a bin's lower end.
        to: a bin's upper end.
        estimate: None where it is kept back (a small cell) or where noise and chance leave it undetermined.
        standard_error: of the noise alone for ``persons``; of noise and sampling for everything else.
        low: lower end of the 95 % interval.
        high: upper end of it.
    """

    trust: Line
    quantity: Quantity
    of: Annotated[tuple[Line, ...], Field(max_length=4)] = ()
    at: Finite | None = None
    to: Finite | None = None
    estimate: Finite | None = None
    standard_error: Finite | None = None
    low: Finite | None = None
    high: Finite | None = None
