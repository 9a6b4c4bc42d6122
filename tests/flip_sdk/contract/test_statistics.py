from __future__ import annotations

import pytest
from flip_sdk.accounting.calibrate import calibrate, event_for
from flip_sdk.accounting.composition import epsilon_of
from flip_sdk.accounting.events import Gaussian, Pure
from flip_sdk.contract.check import check
from flip_sdk.contract.concepts import unknown_concepts
from flip_sdk.contract.features import Feature, Label, Window
from flip_sdk.contract.jobs import StatisticsSpec, parse_spec
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.statistics import (
    AgeBands,
    ConditionRecorded,
    CoxRegression,
    CrossTable,
    FollowUp,
    Histogram,
    KaplanMeier,
    LinearRegression,
    LogisticRegression,
    Mean,
    Predictors,
    Quantiles,
    SexIn,
    cells_of,
    coefficients_of,
    is_pure,
    rounds_of,
)

RADIUS, COST = Feature(concept_id=1, low=0, high=10), Feature(concept_id=2, low=0, high=1)
SEX, AGE = SexIn(concept_ids=(8507, 8532), names=("male", "female")), AgeBands(starts=(40, 60))
ILL = ConditionRecorded(concept_ids=(3, 4), name="ill")
ON = Predictors(measurements=(RADIUS,), categories=(SEX,))
DEATH = FollowUp(maximum_days=100)
QUESTIONS = (
    CrossTable(by=(SEX, AGE, ILL)),
    Histogram(measurement=RADIUS),
    Mean(measurements=(RADIUS, COST)),
    Quantiles(measurement=RADIUS),
    KaplanMeier(follow_up=DEATH, by=ILL),
    LinearRegression(outcome=COST, predictors=ON),
    LogisticRegression(outcome=Label(condition_concept_ids=(9,)), predictors=ON),
    CoxRegression(follow_up=FollowUp(start=(3,), event=(9,), maximum_days=100), predictors=ON),
)


def spec(question, **changes) -> StatisticsSpec:
    delta = 0.0 if is_pure(question) else 1e-5
    return StatisticsSpec(**({"project_id": "p", "question": question, "delta": delta} | changes))


def rules(question, **changes) -> set[str]:
    return {violation.rule for violation in check(spec(question, **changes))}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)
def test_every_question_may_be_asked_and_crosses_the_wire(question) -> None:
    asked = spec(question)

    assert check(asked) == []
    assert parse_spec(asked.canonical()) == asked


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)
def test_a_job_costs_what_it_asks_for(question) -> None:
    asked = spec(question, epsilon=2.0)
    (debit,) = calibrate(asked)
    spent = epsilon_of({debit.event: 1}, asked.delta or 1e-5)

    assert debit.purpose == "statistics"
    assert isinstance(event_for(asked, "statistics"), Pure if is_pure(question) else Gaussian)
    assert 1.98 < spent <= 2.0 + 1e-9
    assert getattr(debit.event, "steps", 1) == rounds_of(question)


def test_shapes_follow_from_the_question() -> None:
    assert cells_of(QUESTIONS[0]) == (3, 4, 2)
    assert cells_of(QUESTIONS[1]) == (23,)
    assert cells_of(QUESTIONS[4]) == (2, 22)
    assert coefficients_of(QUESTIONS[5]) == 3
    assert coefficients_of(QUESTIONS[7]) == 10 + 2


def test_levels_have_names() -> None:
    assert AGE.levels == ("under 40", "40 to 59", "60 and over", "unknown")
    assert SEX.levels == ("male", "female", "unknown")
    assert SexIn(concept_ids=(8507,)).levels == ("8507", "unknown")
    assert ILL.levels == ("no ill", "ill")


MANY = AgeBands(starts=tuple(range(1, 21)))
EMPTY = Feature(concept_id=1, low=5, high=5)
WIDE = Feature(concept_id=1, low=-1e300, high=1e308)
BAD = [
    ("empty_bounds", Histogram(measurement=EMPTY), {}),
    ("bounds_too_wide", Mean(measurements=(WIDE,)), {}),
    ("repeated_feature", Mean(measurements=(RADIUS, RADIUS)), {}),
    ("repeated_feature", LinearRegression(outcome=RADIUS, predictors=ON), {}),
    ("too_many_cells", CrossTable(by=(MANY,) * 3), {}),
    ("too_many_cells", KaplanMeier(follow_up=FollowUp(maximum_days=999, intervals=200), by=MANY), {}),
    ("repeated_category", CrossTable(by=(SEX, SEX)), {}),
    ("repeated_category", CrossTable(by=(AGE, AgeBands(starts=(50,)))), {}),
    ("names_do_not_fit", CrossTable(by=(SexIn(concept_ids=(1, 2), names=("a",)),)), {}),
    ("repeated_level", CrossTable(by=(SexIn(concept_ids=(1, 1)),)), {}),
    ("bands_not_rising", CrossTable(by=(AgeBands(starts=(60, 40)),)), {}),
    ("probabilities_not_rising", Quantiles(measurement=RADIUS, probabilities=(0.5, 0.25)), {}),
    ("intervals_too_short", KaplanMeier(follow_up=FollowUp(maximum_days=5, intervals=6)), {}),
    ("start_is_event", KaplanMeier(follow_up=FollowUp(start=(3, 4), event=(4,), maximum_days=50)), {}),
    ("no_predictor", LinearRegression(outcome=COST, predictors=Predictors()), {}),
    ("one_level", LinearRegression(outcome=COST, predictors=Predictors(categories=(SexIn(concept_ids=(1,)),))), {}),
    (
        "outcome_explains_itself",
        LogisticRegression(outcome=Label(condition_concept_ids=(4,)), predictors=Predictors(categories=(ILL,))),
        {},
    ),
    (
        "too_many_coefficients",
        CoxRegression(follow_up=FollowUp(maximum_days=100, intervals=60), predictors=ON),
        {},
    ),
    ("delta_without_use", Histogram(measurement=RADIUS), {"delta": 1e-5}),
    ("delta_missing", Mean(measurements=(RADIUS,)), {"delta": 0.0}),
]


@pytest.mark.parametrize(
    ("rule", "question", "changes"), BAD, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_rule_is_found(rule, question, changes) -> None:
    assert rule in rules(question, **changes)


def test_a_question_is_about_latest_values_and_conditions_ever_recorded() -> None:
    window = Window(start=-365, end=0)
    for feature in (RADIUS.model_copy(update={"window": window}), RADIUS.model_copy(update={"statistic": "mean"})):
        assert rules(Histogram(measurement=feature)) == {"latest_alone"}
        assert rules(LinearRegression(outcome=feature, predictors=Predictors(measurements=(COST,)))) == {"latest_alone"}
    outcome = Label(condition_concept_ids=(9,), window=window)
    assert rules(LogisticRegression(outcome=outcome, predictors=ON)) == {"outcome_without_window"}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = KaplanMeier(
        follow_up=FollowUp(start=(4,), event=(4,), maximum_days=5, intervals=6), by=AgeBands(starts=(60, 40))
    )

    assert rules(wrong, delta=1e-5) == {
        "start_is_event",
        "intervals_too_short",
        "bands_not_rising",
        "delta_without_use",
    }


def test_concepts_that_nobody_lists_are_told() -> None:
    held = [
        CatalogueConcept(concept_id=1, name="radius", domain="Measurement"),
        CatalogueConcept(concept_id=3, name="ill", domain="Condition"),
        CatalogueConcept(concept_id=8507, name="male", domain="Gender"),
    ]
    found = unknown_concepts(spec(QUESTIONS[7]), held)

    assert {violation.where for violation in found} == {"question"}
    assert len(found) == 2
