from __future__ import annotations

import json

import pytest
from flip_sdk.contract.cohorts import AgeBetween
from flip_sdk.errors import NotFoundError, PublicError, SpecError
from flip_sdk.testing.patients import MALIGNANT

import flip_sdk as flip
from tests.flip_sdk.contract.test_circe import ATLAS


def never():
    raise AssertionError("the catalogue is not needed")


def expression(cohort):
    return json.loads(cohort.resolve(never).expression.canonical())


def test_an_entry_becomes_primary_criteria() -> None:
    made = expression(flip.Cohort.entering(flip.condition(201826).first().aged(40, 70), observed_before=365))

    assert made["PrimaryCriteria"]["ObservationWindow"] == {"PriorDays": 365, "PostDays": 0}
    assert made["PrimaryCriteria"]["PrimaryCriteriaLimit"] == {"Type": "FIRST"}
    (criterion,) = made["PrimaryCriteria"]["CriteriaList"]
    asked = criterion["ConditionOccurrence"]
    assert (asked["CodesetId"], asked["First"]) == (0, True)
    assert asked["Age"] == {"Value": 40, "Op": "bt", "Extent": 70}
    (item,) = made["ConceptSets"][0]["expression"]["items"]
    assert item["concept"]["CONCEPT_ID"] == 201826
    assert item["includeDescendants"] is True


@pytest.mark.parametrize(
    ("near", "start", "end", "times"),
    [
        (flip.drug(1).before(), {"Coeff": -1}, {"Days": 1, "Coeff": -1}, (2, 1)),
        (flip.drug(1).before(30), {"Days": 30, "Coeff": -1}, {"Days": 1, "Coeff": -1}, (2, 1)),
        (flip.drug(1).after(90).at_least(2), {"Days": 0, "Coeff": -1}, {"Days": 90, "Coeff": 1}, (2, 2)),
        (flip.drug(1).within(5, 7).at_most(3), {"Days": 5, "Coeff": -1}, {"Days": 7, "Coeff": 1}, (1, 3)),
        (~flip.drug(1).after(), {"Days": 0, "Coeff": -1}, {"Coeff": 1}, (0, 0)),
        (~~flip.drug(1).after(), {"Days": 0, "Coeff": -1}, {"Coeff": 1}, (2, 1)),
        (~flip.drug(1).after().at_least(3), {"Days": 0, "Coeff": -1}, {"Coeff": 1}, (1, 2)),
        (~flip.drug(1).after().at_most(3), {"Days": 0, "Coeff": -1}, {"Coeff": 1}, (2, 4)),
    ],
)
def test_events_near_the_entry_become_inclusion_rules(near, start, end, times) -> None:
    made = expression(flip.Cohort.entering(flip.condition(1)).where(near))

    (rule,) = made["InclusionRules"]
    (asked,) = rule["expression"]["CriteriaList"]
    assert asked["StartWindow"] == {"Start": start, "End": end}
    assert (asked["Occurrence"]["Type"], asked["Occurrence"]["Count"]) == times
    assert asked["Criteria"]["DrugExposure"]["CodesetId"] == 1


def test_without_asks_for_none() -> None:
    made = expression(flip.Cohort.entering(flip.condition(1)).without(flip.condition(2).before()))

    assert made["InclusionRules"][0]["expression"]["CriteriaList"][0]["Occurrence"]["Count"] == 0


def test_rules_about_the_person_hold_beside_an_entry() -> None:
    cohort = flip.Cohort.entering(flip.death()).where(flip.age_between(40, 70)).resolve(never)

    assert cohort.criteria == (AgeBetween(low=40, high=70),)
    assert cohort.expression is not None


def test_images_by_modality_and_site() -> None:
    made = expression(flip.Cohort.entering(flip.image(4300757, site=4312002).between("2020-01-01", "2020-12-31")))

    (criterion,) = made["PrimaryCriteria"]["CriteriaList"]
    asked = criterion["ImageOccurrence"]
    assert asked["Modality"] == [{"CONCEPT_ID": 4300757}]
    assert asked["AnatomicSite"] == [{"CONCEPT_ID": 4312002}]
    assert asked["OccurrenceStartDate"] == {"Value": "2020-01-01", "Op": "bt", "Extent": "2020-12-31"}


def test_names_are_looked_up_where_the_catalogue_has_them(project: flip.Project) -> None:
    made = flip.Cohort.entering(flip.condition("malignant")).resolve(project.catalogue).expression
    assert made.ConceptSets[0].expression.items[0].concept.CONCEPT_ID == MALIGNANT

    with pytest.raises(NotFoundError):
        flip.Cohort.entering(flip.drug("metformin")).resolve(project.catalogue)


def test_events_need_an_entry() -> None:
    with pytest.raises(PublicError):
        flip.Cohort(flip.condition(1).before())


def test_a_cohort_with_an_entry_reads_like_a_sentence() -> None:
    cohort = flip.Cohort.entering(flip.condition(1).first()).where(flip.drug(2).after(90))
    cohort = cohort.without(flip.condition(3).before()).where(flip.age_between(40, 70))

    assert repr(cohort) == (
        "Cohort: persons from their first condition 1 (first ever), drug 2 within 90 days after, "
        "no condition 3 before, aged 40 to 70"
    )


def test_an_atlas_export_is_taken_over(tmp_path) -> None:
    path = tmp_path / "cohort.json"
    path.write_text(json.dumps({"id": 1, "name": "Diabetes", "expression": ATLAS}))

    cohort = flip.Cohort.from_atlas(path).where(flip.age_between(40, 70))

    assert cohort.resolve(never) == flip.Cohort.from_atlas(ATLAS).where(flip.age_between(40, 70)).resolve(never)
    assert cohort.resolve(never).expression.PrimaryCriteria.ObservationWindow.PriorDays == 365


def test_what_is_no_cohort_is_refused(tmp_path) -> None:
    path = tmp_path / "cohort.json"
    path.write_text("[1]")

    with pytest.raises(PublicError):
        flip.Cohort.from_atlas(path)
    with pytest.raises(PublicError):
        flip.Cohort.from_atlas(tmp_path / "none.json")
    with pytest.raises(SpecError):
        flip.Cohort.from_atlas({"PrimaryCriteria": {}})
