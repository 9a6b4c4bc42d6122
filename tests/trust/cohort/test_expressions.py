"""An expression as a job's cohort: who is in it, and what is refused before anything is debited."""

from __future__ import annotations

import polars as pl
import pytest
from flip_sdk.contract import check_circe
from flip_sdk.contract.check import check
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.cohort.criteria import check_concepts, persons_in
from flip_trust.cohort.omop import Omop
from flip_trust.errors import RefusedError

from tests.trust.cohort.circe.small import cohort, concept_set, condition, people, person, write
from tests.trust.world import count_spec

ASKED = cohort({"ConditionOccurrence": {"CodesetId": 0}}, sets=[concept_set(0, 11, descendants=True)])


@pytest.fixture
def omop(tmp_path) -> Omop:
    world = people(person(1, born=1990), person(2, born=1950), person(3, born=1990))
    world["condition_occurrence"] = [condition(who, 12, "2020-01-01") for who in (1, 2)]
    world["concept_ancestor"] = [{"ancestor_concept_id": 11, "descendant_concept_id": 12}]
    write(world, tmp_path)
    concepts = {"concept_id": [12], "concept_name": ["x"], "domain_id": ["Condition"]}
    pl.DataFrame(concepts).write_parquet(tmp_path / "omop" / "concept.parquet")
    return Omop(tmp_path / "omop")


def spec(expression=ASKED, *criteria):
    return count_spec(cohort=Cohort(criteria=criteria, expression=check_circe.read(expression)))


def ids(omop, *criteria):
    return persons_in(spec(ASKED, *criteria).cohort, omop, 2026).collect()["person_id"].to_list()


def test_an_expressions_members_are_the_cohort(omop):
    assert ids(omop) == [1, 2]


def test_criteria_hold_as_well(omop):
    assert ids(omop, AgeBetween(low=60)) == [2]


def test_what_the_trust_keeps_is_admitted(omop):
    check_concepts(spec(), omop)


@pytest.mark.parametrize(
    "missing", ["omop/condition_occurrence", "omop/observation_period", "vocabulary/concept_ancestor"]
)
def test_a_missing_table_refuses_the_task_before_anything_is_read(omop, missing):
    (omop.folder.parent / f"{missing}.parquet").unlink()

    with pytest.raises(RefusedError) as caught:
        check_concepts(spec(), omop)
    assert caught.value.refusal is RefusalCode.UNKNOWN_CONCEPT


@pytest.mark.parametrize(
    ("name", "attribute", "column"),
    [
        ("ConditionOccurrence", {"ConditionType": [{"CONCEPT_ID": 1}]}, "condition_type_concept_id"),
        ("Measurement", {"RangeHighRatio": {"Value": 1, "Op": "gt"}}, "range_high"),
        ("DrugExposure", {"DrugSourceConcept": 0}, "drug_source_concept_id"),
        ("ImageOccurrence", {"AnatomicSite": [{"CONCEPT_ID": 1}]}, "anatomic_site_concept_id"),
        ("Observation", {"VisitType": [{"CONCEPT_ID": 1}]}, "visit_occurrence_id"),
    ],
)
def test_a_missing_column_refuses_the_task(omop, name, attribute, column):
    asked = spec(cohort({name: attribute}, sets=[concept_set(0, 11)]))
    check_concepts(asked, omop)
    for path in omop.folder.glob("*.parquet"):
        frame = pl.read_parquet(path)
        frame.drop([column] if column in frame.columns else []).write_parquet(path)

    with pytest.raises(RefusedError):
        check_concepts(asked, omop)


def test_a_broken_rule_is_told_with_its_path_in_the_job():
    asked = spec()
    broken = asked.cohort.expression.model_copy(update={"ConceptSets": ()})
    job = asked.model_copy(update={"cohort": Cohort(expression=broken)})

    (violation,) = check(job)
    assert violation.rule == "unknown_set"
    assert violation.where.startswith("cohort.expression.PrimaryCriteria.CriteriaList[0]")


def test_a_cohort_without_an_expression_has_the_digest_it_always_had():
    assert Cohort().canonical() == b'{"criteria":[]}'
    assert Cohort.parse(spec().cohort.canonical()) == spec().cohort
