from __future__ import annotations

import pytest
from flip_sdk.catalogue import Catalogue
from flip_sdk.contract import cohorts as contract
from flip_sdk.testing.patients import FEMALE, MALIGNANT

import flip_sdk as flip


def never() -> Catalogue:
    raise AssertionError("the catalogue is not needed")


def test_every_rule_becomes_its_criterion(project: flip.Project) -> None:
    cohort = flip.Cohort(
        flip.age_between(40, 70),
        flip.sex_is("female"),
        flip.has_condition("malignant"),
        flip.measurement_between("mean radius", 10, 20),
    )
    assert cohort.resolve(project.catalogue).criteria == (
        contract.AgeBetween(low=40, high=70),
        contract.SexIs(concept_ids=(FEMALE,)),
        contract.HasCondition(concept_ids=(MALIGNANT,)),
        contract.MeasurementBetween(concept_id=2_000_000_001, low=10, high=20),
    )


def test_numbers_and_ages_need_no_catalogue() -> None:
    cohort = flip.Cohort(flip.age_between(40), flip.has_condition(1, 2))
    assert len(cohort.resolve(never).criteria) == 2


def test_concepts_of_the_catalogue_serve_as_they_are(project: flip.Project) -> None:
    malignant = project.catalogue().condition("malignant")
    assert flip.has_condition(malignant).resolve(never) == malignant.present()
    assert flip.Cohort(malignant.absent()).resolve(never).criteria == (malignant.absent(),)


def test_rules_turn_round() -> None:
    rule = ~flip.age_between(40, 70)
    assert rule.resolve(never) == contract.AgeBetween(low=40, high=70, negate=True)
    assert (~rule).resolve(never).negate is False
    negated = contract.HasCondition(concept_ids=(1,), negate=True)
    assert flip.Cohort().without(negated).resolve(never).criteria == (contract.HasCondition(concept_ids=(1,)),)


def test_where_and_without_make_smaller_cohorts_and_leave_the_first_alone() -> None:
    everybody = flip.Cohort()
    smaller = everybody.where(flip.age_between(40, 70)).without(flip.has_condition(5))
    assert everybody.resolve(never) == contract.Cohort()
    assert [c.negate for c in smaller.resolve(never).criteria] == [False, True]


def test_a_cohort_reads_like_a_sentence() -> None:
    cohort = flip.Cohort(flip.age_between(40, 70), flip.has_condition("malignant")).without(flip.sex_is("male"))
    assert repr(cohort) == "Cohort: persons aged 40 to 70, has malignant, not (sex is male)"
    assert repr(flip.Cohort()) == "Cohort: every person"


def test_impossible_numbers_are_told_in_words() -> None:
    with pytest.raises(flip.RecordError):
        flip.Cohort(flip.age_between(40, 700)).resolve(never)


def test_unknown_names_are_told(project: flip.Project) -> None:
    with pytest.raises(flip.NotFoundError):
        flip.Cohort(flip.has_condition("malignent")).resolve(project.catalogue)
