from __future__ import annotations

import copy
import json

import pytest
from flip_sdk.contract import check_circe
from flip_sdk.contract.circe import MAX_BYTES, CohortExpression
from flip_sdk.errors import SpecError

CONCEPT = {
    "CONCEPT_ID": 201826,
    "CONCEPT_NAME": "Type 2 diabetes mellitus",
    "STANDARD_CONCEPT": "S",
    "STANDARD_CONCEPT_CAPTION": "Standard",
    "INVALID_REASON": "V",
    "INVALID_REASON_CAPTION": "Valid",
    "CONCEPT_CODE": "44054006",
    "DOMAIN_ID": "Condition",
    "VOCABULARY_ID": "SNOMED",
    "CONCEPT_CLASS_ID": "Clinical Finding",
}
ATLAS = {
    "cdmVersionRange": ">=5.0.0",
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0, "ConditionTypeExclude": None}}],
        "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "First"},
    },
    "ConceptSets": [
        {
            "id": 0,
            "name": "Diabetes",
            "expression": {
                "items": [{"concept": CONCEPT, "isExcluded": False, "includeDescendants": True, "includeMapped": False}]
            },
        }
    ],
    "QualifiedLimit": {"Type": "First"},
    "ExpressionLimit": {"Type": "All"},
    "InclusionRules": [
        {
            "name": "adult",
            "expression": {
                "Type": "ALL",
                "CriteriaList": [
                    {
                        "Criteria": {"ConditionOccurrence": {"CodesetId": 0}},
                        "StartWindow": {
                            "Start": {"Days": "30", "Coeff": -1},
                            "End": {"Coeff": 1},
                            "UseEventEnd": False,
                        },
                        "Occurrence": {"Type": 2, "Count": 1},
                    }
                ],
                "DemographicCriteriaList": [{"Age": {"Value": 18, "Op": "gte"}}],
                "Groups": [],
            },
        }
    ],
    "CensoringCriteria": [],
    "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
    "CensorWindow": {},
}


def broken(path: str, value: object) -> list[tuple[str, str]]:
    """What is refused, and where, once the place at ``path`` holds a value."""
    given = copy.deepcopy(ATLAS)
    place = given
    *way, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    for part in way:
        place = place[part]
    place[last] = value
    with pytest.raises(SpecError) as caught:
        check_circe.read(given)
    return [(violation.rule, violation.where) for violation in caught.value.violations]


def test_what_atlas_exports_is_read_and_comes_out_the_same():
    read = check_circe.read(json.dumps(ATLAS))

    assert read.PrimaryCriteria.ObservationWindow.PriorDays == 365
    assert CohortExpression.parse(read.canonical()) == read
    assert check_circe.read(read.canonical()) == read
    assert "null" not in read.canonical().decode()


ENTRY = "PrimaryCriteria/CriteriaList/0"


@pytest.mark.parametrize(
    "name",
    [
        "DeviceExposure",
        "DoseEra",
        "Episode",
        "LocationRegion",
        "PayerPlanPeriod",
        "Specimen",
        "VisitDetail",
        "Anything",
    ],
)
def test_a_criterion_that_is_not_supported_is_refused_by_name(name):
    assert broken(ENTRY, {name: {}}) == [("unsupported", f"PrimaryCriteria.CriteriaList[0].{name}")]


@pytest.mark.parametrize("name", ["StopReason", "ProviderSpecialty", "DateAdjustment", "GenderCS", "VisitTypeCS"])
def test_an_attribute_that_is_not_supported_is_refused_by_name(name):
    where = f"PrimaryCriteria.CriteriaList[0].ConditionOccurrence.{name}"

    assert broken(f"{ENTRY}/ConditionOccurrence/{name}", {"Text": "x", "Op": "contains"}) == [("unsupported", where)]


def test_what_is_deep_inside_is_refused_with_its_path():
    inner = "InclusionRules/0/expression/CriteriaList/0"
    path = "InclusionRules[0].expression.CriteriaList[0]"

    assert broken(f"{inner}/Criteria", {"Measurement": {"Abnormal": True}}) == [
        ("unsupported", f"{path}.Criteria.Measurement.Abnormal")
    ]
    assert broken(f"{inner}/StartWindow/Start/TimeUnitValue", 2) == [
        ("unsupported", f"{path}.StartWindow.Start.TimeUnitValue")
    ]
    assert broken(f"{inner}/Occurrence/CountColumn", "VISIT_ID") == [("bad_value", f"{path}.Occurrence.CountColumn")]


def test_a_custom_era_is_refused_by_name():
    asked = {"CustomEra": {"DrugCodesetId": 0, "GapDays": 30, "Offset": 0}}

    assert ("unsupported", "EndStrategy.CustomEra") in broken("EndStrategy", asked)


def test_all_that_is_wrong_is_told_at_once():
    criterion = {"ConditionOccurrence": {"CodesetId": 4, "StopReason": {}, "Age": {"Value": "old", "Op": "gt"}}}

    assert len(broken(ENTRY, criterion)) == 2


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (f"{ENTRY}/ConditionOccurrence/CodesetId", 7, "unknown_set"),
        (f"{ENTRY}/ConditionOccurrence/ConditionSourceConcept", 7, "unknown_set"),
        (f"{ENTRY}/ConditionOccurrence/ConditionTypeExclude", True, "nothing_excluded"),
        (f"{ENTRY}/ConditionOccurrence/Age", {"Value": 18, "Op": "bt"}, "no_extent"),
        (f"{ENTRY}/ConditionOccurrence/Age", {"Value": 18, "Op": "bt", "Extent": 17}, "empty_range"),
        (ENTRY, {}, "not_one_criterion"),
        (ENTRY, {"Death": {}, "Measurement": {}}, "not_one_criterion"),
        ("InclusionRules/0/expression/Type", "AT_LEAST", "no_count"),
        ("ConceptSets", ATLAS["ConceptSets"] * 2, "repeated_set"),
        ("PrimaryCriteria/CriteriaList", [{"Death": {}}] * 101, "bad_value"),
        (f"{ENTRY}/ConditionOccurrence/OccurrenceStartDate", {"Value": "soon", "Op": "gt"}, "bad_value"),
    ],
)
def test_each_rule_is_kept(path, value, rule):
    assert rule in {found for found, _ in broken(path, value)}


def test_groups_do_not_nest_without_end():
    group: dict[str, object] = {"Type": "ALL"}
    for _ in range(check_circe.MAX_DEPTH + 2):
        group = {"Type": "ALL", "Groups": [group]}

    assert [found for found, _ in broken("AdditionalCriteria", group)] == ["too_deep"]


def test_an_expression_is_not_endless():
    with pytest.raises(SpecError):
        check_circe.read(" " * (MAX_BYTES + 1))


def test_there_are_not_criteria_without_end():
    many = [{"Criteria": {"Death": {}}, "StartWindow": ATLAS_WINDOW, "Occurrence": {"Type": 2, "Count": 1}}] * 100
    groups = [{"Type": "ALL", "CriteriaList": many}] * 6

    assert broken("AdditionalCriteria", {"Type": "ANY", "Groups": groups}) == [("too_many_criteria", "")]


ATLAS_WINDOW = {"Start": {"Coeff": -1}, "End": {"Coeff": 1}}
