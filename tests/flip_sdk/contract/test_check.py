from __future__ import annotations

from typing import Any

import pytest
from flip_sdk.contract.check import check
from flip_sdk.contract.cohorts import AgeBetween, Cohort, MeasurementBetween
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import DPSGD, CountSpec, EvaluateSpec, ModelRef, Privacy, Scaling, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.errors import SpecError

FEATURES = (Feature(concept_id=1, low=0, high=1), Feature(concept_id=2, low=0, high=1))
COMMON: dict[str, Any] = {
    "project_id": "p",
    "features": FEATURES,
    "label": Label(condition_concept_ids=(9,)),
    "model": ModelRef(graph=digest(b"g"), weights=digest(b"w")),
}


def train(**changes: Any) -> TrainSpec:
    return TrainSpec(**{**COMMON, **changes})


def evaluate(**changes: Any) -> EvaluateSpec:
    return EvaluateSpec(**{**COMMON, **changes})


def rules(spec: CountSpec | TrainSpec | EvaluateSpec) -> set[str]:
    return {violation.rule for violation in check(spec)}


def test_good_jobs_break_no_rule() -> None:
    good = Scaling(shift=(0.0, 0.0), scale=(1.0, 1.0))
    for spec in (CountSpec(project_id="p"), train(), evaluate(), evaluate(scaling=good)):
        assert check(spec) == []


BAD: list[tuple[str, CountSpec | TrainSpec | EvaluateSpec]] = [
    ("empty_range", CountSpec(project_id="p", cohort=Cohort(criteria=(AgeBetween(low=70, high=40),)))),
    (
        "empty_range",
        train(cohort=Cohort(criteria=(MeasurementBetween(concept_id=1, low=2, high=1),))),
    ),
    ("repeated_trust", CountSpec(project_id="p", trusts=("a", "a"))),
    ("empty_bounds", train(features=(Feature(concept_id=1, low=1, high=1),))),
    ("empty_bounds", evaluate(features=(Feature(concept_id=1, low=2, high=1),))),
    ("repeated_feature", train(features=FEATURES * 2)),
    ("no_budget_for_scaling", train(privacy=Privacy(scaling_share=0))),
    ("too_many_steps", train(rounds=101, privacy=Privacy(mechanism=DPSGD(local_steps=1000)))),
    ("too_few_rounds", train(rounds=1)),
    ("too_few_trusts", train(trusts=("a",), min_trusts=2)),
    ("scaling_shape", evaluate(scaling=Scaling(shift=(0.0,), scale=(1.0,)))),
    ("scaling_shape", evaluate(scaling=Scaling(shift=(0.0, 0.0), scale=(1.0,)))),
]


@pytest.mark.parametrize(("rule", "spec"), BAD)
def test_each_rule_is_found(rule: str, spec: CountSpec | TrainSpec | EvaluateSpec) -> None:
    assert rules(spec) == {rule}


@pytest.mark.parametrize(("rule", "spec"), BAD)
def test_each_violation_says_where_and_what_to_do(rule: str, spec: CountSpec | TrainSpec | EvaluateSpec) -> None:
    for violation in check(spec):
        assert violation.rule == rule
        assert violation.where
        assert violation.message
        assert violation.mend


def test_one_round_is_enough_for_local_training() -> None:
    assert check(train(rounds=1, privacy=Privacy(mechanism=DPSGD()))) == []


def test_public_bounds_need_no_share() -> None:
    assert check(train(privacy=Privacy(scaling="public_bounds", scaling_share=0))) == []


def test_all_violations_are_told_at_once() -> None:
    spec = train(
        cohort=Cohort(criteria=(AgeBetween(low=2, high=1),)),
        trusts=("a", "a"),
        features=(Feature(concept_id=1, low=1, high=0),) * 2,
        rounds=1,
        min_trusts=5,
        privacy=Privacy(scaling_share=0),
    )
    found = check(spec)
    assert {v.rule for v in found} == {
        "empty_range",
        "repeated_trust",
        "empty_bounds",
        "repeated_feature",
        "no_budget_for_scaling",
        "too_few_rounds",
        "too_few_trusts",
    }
    assert SpecError(found).violations == tuple(found)
