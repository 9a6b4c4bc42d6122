from __future__ import annotations

import copy

import pytest
from flip_sdk.contract import check_circe, circe
from flip_sdk.contract import cohorts as contract
from flip_sdk.explaining import explain

import flip_sdk as flip
from tests.flip_sdk.contract.test_circe import ATLAS


def test_everybody_and_rules() -> None:
    rules = contract.Cohort(
        criteria=(
            contract.AgeBetween(low=40, high=70),
            contract.SexIs(concept_ids=(8507, 8532)),
            contract.HasCondition(concept_ids=(7,), negate=True),
            contract.MeasurementBetween(concept_id=9, low=1, high=2.5),
        )
    )

    assert explain(contract.Cohort()) == ["Everybody."]
    assert explain(rules, {8507: "male", 8532: "female", 7: "gout"}) == [
        "Persons aged 40 to 70 now.",
        "Persons whose recorded sex is male or female.",
        "Not persons with a record of gout.",
        "Persons whose latest concept 9 lies from 1 to 2.5.",
    ]


def test_an_export_of_atlas() -> None:
    cohort = flip.Cohort.from_atlas(copy.deepcopy(ATLAS))
    told = cohort.where(flip.age_between(0, 90)).explain()

    assert told.splitlines() == [
        "Persons who have a condition (Type 2 diabetes mellitus with its kinds), observed for 365 days before.",
        "They enter at the first of them.",
        "Rule: adult: all of these hold: at least 1 × a condition (Type 2 diabetes mellitus with its kinds), beginning "
        "from 30 days before the entry on; at the entry, aged from 18 on.",
        "Of what meets the rules, they enter at each of them.",
        "Also: Persons aged up to 90 now.",
    ]
    assert "observed for 365 days before" in repr(cohort)


def test_a_cohort_that_was_built() -> None:
    cohort = (
        flip.Cohort.entering(flip.condition(201826).first().aged(40, 70), observed_before=365)
        .where(flip.drug(1503297).after(90))
        .without(flip.condition(4182210).before())
    )
    told = cohort.explain()

    assert "a condition (concept 201826 with its kinds) for the first time, aged from 40 to 70" in told
    assert "at least 1 × a drug (concept 1503297 with its kinds)" in told
    assert "exactly 0 × a condition (concept 4182210 with its kinds)" in told


ATTRIBUTES = [
    (kind, name)
    for kind, field in circe.Criterion.model_fields.items()
    for name in next(a for a in field.annotation.__args__ if a is not type(None)).model_fields
    if name not in {"CorrelatedCriteria", "CodesetId", "First"} and not name.endswith("Exclude")
]
VALUES = {
    "Concepts": [{"CONCEPT_ID": 77, "CONCEPT_NAME": "SEVENTYSEVEN"}],
    "WholeRange": {"Value": 77, "Op": "gt"},
    "NumericRange": {"Value": 77, "Op": "gt"},
    "DateRange": {"Value": "2077-01-01", "Op": "gt"},
    "Period": {"StartDate": "2077-01-01"},
    "CodesetNumber": 0,
}


@pytest.mark.parametrize(("kind", "name"), ATTRIBUTES, ids=lambda one: one)
def test_no_attribute_is_left_out(kind, name) -> None:
    plain, given = ({**copy.deepcopy(ATLAS), "InclusionRules": []} for _ in range(2))
    plain["PrimaryCriteria"]["CriteriaList"] = [{kind: {}}]
    for value in VALUES.values():
        given["PrimaryCriteria"]["CriteriaList"] = [{kind: {name: value}}]
        try:
            read = circe.CohortExpression.model_validate(given)
        except ValueError:
            continue
        without = circe.CohortExpression.model_validate(plain)
        assert explain(contract.Cohort(expression=read)) != explain(contract.Cohort(expression=without))
        return
    pytest.fail("no value fits")


def test_what_a_concept_set_leaves_out_is_told() -> None:
    export = copy.deepcopy(ATLAS)
    items = export["ConceptSets"][0]["expression"]["items"]
    items += [{"concept": {"CONCEPT_ID": n, "CONCEPT_NAME": f"kind {n}"}, "isExcluded": n == 1} for n in range(1, 9)]
    (first, *_) = explain(contract.Cohort(expression=check_circe.read(export)))

    assert ", but not kind 1)" in first
    assert "3 more" in first
