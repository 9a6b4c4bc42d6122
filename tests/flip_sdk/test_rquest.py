from __future__ import annotations

from datetime import date

import pytest
from flip_sdk.contract.cohorts import AgeBetween
from flip_sdk.errors import SpecError
from flip_sdk.rquest import translate

TODAY = date(2026, 3, 31)


def rule(**changes):
    return {"varname": "OMOP", "varcat": "Condition", "type": "TEXT", "oper": "=", "value": "11"} | changes


def query(*groups, oper="AND"):
    listed = [{"rules": list(rules), "rules_oper": inner} for inner, *rules in groups]
    cohort = {"groups": listed, "groups_oper": oper}
    return {
        "task_id": "x",
        "owner": "user1",
        "cohort": cohort,
        "collection": "c",
        "protocol_version": "v2",
        "uuid": "u",
    }


def criterion(**changes):
    found = translate(query(("AND", rule(**changes))), TODAY).expression
    return found.InclusionRules[0].expression.Groups[0].CriteriaList[0]


@pytest.mark.parametrize(
    ("varcat", "name"),
    [
        ("Condition", "ConditionOccurrence"),
        ("Drug", "DrugExposure"),
        ("Medication", "DrugExposure"),
        ("Measurement", "Measurement"),
        ("Observation", "Observation"),
        ("Procedure", "ProcedureOccurrence"),
        ("Death", "Death"),
    ],
)
def test_each_category_is_its_table(varcat, name):
    ((found, asked),) = criterion(varcat=varcat).Criteria.named()

    assert found == name
    assert asked.CodesetId == 0


def test_months_ago_are_reckoned_from_the_day_given():
    recent = criterion(time="|1:TIME:M").Criteria.ConditionOccurrence.OccurrenceStartDate
    older = criterion(time="13|:TIME:M").Criteria.ConditionOccurrence.OccurrenceStartDate

    assert (recent.Value, recent.Op) == (date(2026, 2, 28), "gte")
    assert (older.Value, older.Op) == (date(2025, 2, 28), "lte")


def test_todays_age_stands_beside_the_expression():
    age = rule(varname="AGE", varcat="Person", type="NUM", value="20|30")

    assert translate(query(("AND", age, rule())), TODAY).criteria == (AgeBetween(low=20, high=30),)
    assert translate(query(("OR", age), oper="OR"), TODAY).criteria == (AgeBetween(low=20, high=30),)
    with pytest.raises(SpecError):
        translate(query(("OR", age, rule())), TODAY)
    with pytest.raises(SpecError):
        translate(query(("AND", age), ("AND", rule()), oper="OR"), TODAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"varcat": "Specimen"},
        {"varcat": "Location", "secondary_modifier": ["GBR"]},
        {"type": "GEO_RADIUS", "value": "1|2|3"},
        {"type": "SET"},
        {"oper": "<"},
        {"value": "diabetes"},
        {"value": ""},
        {"value": 11},
        {"type": "NUM", "varname": "OMOP=11", "value": "1.0|3.0"},
        {"varcat": "Measurement", "type": "NUM", "varname": "OMOP=11", "value": "high"},
        {"varcat": "Measurement", "type": "NUM", "varname": "OMOP=11", "value": "|"},
        {"varcat": "Measurement", "type": "NUM", "varname": "OMOP", "value": "1|2"},
        {"time": "5:AGE:Y"},
        {"time": "5|6:AGE:Y"},
        {"time": "5|:AGE:M"},
        {"time": "99999|:TIME:M"},
        {"varcat": "Drug", "secondary_modifier": [32020]},
        {"secondary_modifier": ["provenance"]},
        {"secondary_modifier": 5},
        {"varcat": "Person", "value": "8527"},
        {"anything": 1},
    ],
)
def test_what_cannot_be_translated_is_refused_with_its_path(changes):
    with pytest.raises(SpecError) as caught:
        translate(query(("AND", rule()), ("AND", rule(), rule(**changes))), TODAY)

    (violation,) = caught.value.violations
    assert violation.where == "cohort.groups[1].rules[1]"


@pytest.mark.parametrize(
    "broken", [{}, {"cohort": {}}, {"cohort": {"groups": [1], "groups_oper": "AND"}}, {"cohort": []}]
)
def test_what_is_no_query_is_refused(broken):
    with pytest.raises(SpecError):
        translate(broken, TODAY)
