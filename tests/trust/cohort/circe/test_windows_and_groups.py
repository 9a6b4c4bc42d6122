"""Criteria around an index event, groups of them and demographic criteria; worked out by hand."""

from __future__ import annotations

import pytest

from tests.trust.cohort.circe.small import (
    cohort,
    concept_set,
    concepts,
    condition,
    correlated,
    group,
    on,
    people,
    person,
    rule,
    who,
    window,
    write,
)

ILL, DRUG, OTHER = 201, 301, 401
ENTRY = {"ConditionOccurrence": {"CodesetId": 0}}
SETS = (concept_set(0, ILL), concept_set(1, OTHER, OTHER + 1), concept_set(2, DRUG))
AROUND = {"ConditionOccurrence": {"CodesetId": 1}}
INDEX = "2020-01-10"


@pytest.fixture
def included(tmp_path):
    """Persons 1, 2, … whose index event is on 10 January 2020 and who have other events on the days given."""

    def given(criterion, *days, **more):
        world = people(*(person(number + 1) for number in range(len(days))))
        world["condition_occurrence"] = [condition(number + 1, ILL, INDEX, "2020-01-15") for number in range(len(days))]
        world["condition_occurrence"] += [
            condition(number + 1, OTHER + i, start, number=1000 + 10 * number + i)
            for number, starts in enumerate(days)
            for i, start in enumerate(starts.split())
        ]
        expression = cohort(ENTRY, sets=SETS, InclusionRules=[rule(group(criterion))])
        return who(expression, write(world | more, tmp_path))

    return given


def test_at_least_once_before_or_on_the_day(included):
    assert included(correlated(AROUND, window(None, 0)), INDEX, "2019-05-01", "2020-01-11", "") == {1, 2}


def test_a_window_of_days_is_inclusive_at_both_ends(included):
    within = correlated(AROUND, window(30, -1))

    assert included(within, "2019-12-11", "2019-12-10", "2020-01-09", "2020-01-10") == {1, 3}


def test_a_window_may_lie_after_the_event(included):
    assert included(correlated(AROUND, window(-1, 90)), "2020-01-10", "2020-01-11", "2020-04-09", "2020-04-10") == {
        2,
        3,
    }


def test_none_at_all(included):
    assert included(correlated(AROUND, kind=0, count=0), "2020-02-01", "") == {2}


def test_exactly_at_most_and_at_least(included):
    days = ("", "2020-02-01", "2020-02-01 2020-02-02")

    assert included(correlated(AROUND, kind=0, count=1), *days) == {2}
    assert included(correlated(AROUND, kind=1, count=1), *days) == {1, 2}
    assert included(correlated(AROUND, kind=2, count=2), *days) == {3}


def test_distinct_counts_different_concepts_or_days(tmp_path):
    world = people(person(1), person(2))
    world["condition_occurrence"] = [
        condition(1, ILL, INDEX),
        condition(1, OTHER, "2020-02-01"),
        condition(1, OTHER, "2020-02-02"),
        condition(2, ILL, INDEX),
        condition(2, OTHER, "2020-02-01"),
        condition(2, OTHER + 1, "2020-02-01"),
    ]
    resident = write(world, tmp_path)

    def twice(**more):
        asked = correlated(AROUND, count=2, distinct=True)
        asked["Occurrence"] |= more
        return who(cohort(ENTRY, sets=SETS, InclusionRules=[rule(group(asked))]), resident)

    assert twice() == {2}
    assert twice(CountColumn="DOMAIN_CONCEPT") == {2}
    assert twice(CountColumn="START_DATE") == {1}


def test_a_window_may_be_around_the_end_of_the_index_event(included):
    """The index event ends on 15 January."""
    assert included(correlated(AROUND, window(0, 3, UseIndexEnd=True)), "2020-01-14", "2020-01-15", "2020-01-18") == {
        2,
        3,
    }


def test_a_window_may_be_about_the_end_of_the_other_event(included):
    """A condition without an end ends on the next day."""
    assert included(
        correlated(AROUND, window(None, -1, UseEventEnd=True)), "2020-01-07", "2020-01-08", "2020-01-09"
    ) == {
        1,
        2,
    }


def test_an_end_window_is_about_the_end_of_the_event_unless_it_says_otherwise(included):
    overlapping = correlated(AROUND, window(None, 0), window(0, None))
    by_start = correlated(AROUND, window(None, 0), window(0, None, UseEventEnd=False))

    assert included(overlapping, "2020-01-08", "2020-01-09", "2020-01-11") == {2}
    assert included(by_start, "2020-01-09", INDEX) == {2}


def test_events_outside_the_observation_period_count_only_when_asked(included):
    assert included(correlated(AROUND), "1999-06-01") == set()
    assert included(correlated(AROUND, IgnoreObservationPeriod=True), "1999-06-01") == {1}


def test_all_days_end_with_the_observation_period(included):
    assert included(correlated(AROUND, window(-1, None)), "2029-12-31", "2030-01-01") == {1}


def test_restrict_visit_asks_for_the_same_visit(tmp_path):
    world = people(person(1), person(2), person(3))
    world["condition_occurrence"] = [
        condition(1, ILL, INDEX, visit_occurrence_id=5),
        condition(1, OTHER, "2020-02-01", visit_occurrence_id=5),
        condition(2, ILL, INDEX, visit_occurrence_id=6),
        condition(2, OTHER, "2020-02-01", visit_occurrence_id=7),
        condition(3, ILL, INDEX),
        condition(3, OTHER, "2020-02-01"),
    ]
    asked = correlated(AROUND, RestrictVisit=True)

    assert who(cohort(ENTRY, sets=SETS, InclusionRules=[rule(group(asked))]), write(world, tmp_path)) == {1}


def test_criteria_of_a_criterion_are_around_its_own_events(tmp_path):
    """The index condition has to be followed by the other one, and that one by the drug within a week."""
    with_drug = group(correlated({"DrugExposure": {"CodesetId": 2}}, window(0, 7)))
    followed = correlated({"ConditionOccurrence": {"CodesetId": 1, "CorrelatedCriteria": with_drug}}, window(-1, None))
    world = people(person(1), person(2))
    world["condition_occurrence"] = [condition(who, ILL, INDEX) for who in (1, 2)]
    world["condition_occurrence"] += [condition(who, OTHER, "2020-03-01") for who in (1, 2)]
    world["drug_exposure"] = [
        {"drug_exposure_id": i, "person_id": i, "drug_concept_id": DRUG, "drug_exposure_start_date": on(start)}
        for i, start in ((1, "2020-03-08"), (2, "2020-01-12"))
    ]

    assert who(cohort(ENTRY, sets=SETS, InclusionRules=[rule(group(followed))]), write(world, tmp_path)) == {1}


@pytest.mark.parametrize(
    ("kind", "count", "right"),
    [
        ("ALL", None, {3}),
        ("ANY", None, {1, 2, 3}),
        ("AT_LEAST", 2, {3}),
        ("AT_LEAST", 0, {1, 2, 3, 4}),
        ("AT_MOST", 1, {1, 2, 4}),
        ("AT_MOST", 0, {4}),
    ],
)
def test_how_many_of_a_group_have_to_hold(tmp_path, kind, count, right):
    world = people(*(person(number) for number in (1, 2, 3, 4)))
    world["condition_occurrence"] = [condition(number, ILL, INDEX) for number in (1, 2, 3, 4)]
    world["condition_occurrence"] += [condition(1, OTHER, "2020-02-01"), condition(3, OTHER, "2020-02-01")]
    world["condition_occurrence"] += [condition(2, OTHER + 1, "2020-02-01"), condition(3, OTHER + 1, "2020-02-01")]
    sets = (concept_set(0, ILL), concept_set(1, OTHER), concept_set(2, OTHER + 1))
    both = [correlated({"ConditionOccurrence": {"CodesetId": number}}) for number in (1, 2)]
    inner = [rule(group(groups=[group(*both, kind=kind, count=count)]))]

    assert who(cohort(ENTRY, sets=sets, InclusionRules=inner), write(world, tmp_path)) == right


def test_an_empty_group_holds_for_everyone(included):
    world = included(correlated(AROUND, kind=2, count=0), "", "2020-02-01")

    assert world == {1, 2}


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        ({"Age": {"Value": 50, "Op": "gte"}}, {1, 3}),
        ({"Age": {"Value": 49, "Op": "bt", "Extent": 50}}, {1, 2}),
        ({"Age": {"Value": 49, "Op": "!bt", "Extent": 50}}, {3}),
        ({"Gender": concepts(8532)}, {2}),
        ({"Race": concepts(8527)}, {3}),
        ({"Ethnicity": concepts(38003563)}, {1}),
        ({"OccurrenceStartDate": {"Value": "2020-01-10", "Op": "lt"}}, {3}),
        ({"OccurrenceEndDate": {"Value": "2020-01-15", "Op": "eq"}}, {1, 2}),
        ({"Gender": concepts(8507), "Age": {"Value": 50, "Op": "eq"}}, {1}),
        ({"Gender": []}, {1, 2, 3}),
    ],
)
def test_demographic_criteria_are_about_the_person_at_the_index_event(tmp_path, asked, right):
    world = people(
        person(1, born=1970, ethnicity=38003563), person(2, born=1971, gender=8532), person(3, born=1950, race=8527)
    )
    world["condition_occurrence"] = [condition(who, ILL, INDEX, "2020-01-15") for who in (1, 2)]
    world["condition_occurrence"].append(condition(3, ILL, "2019-07-01"))
    inclusion = [rule(group(demographics=[asked]))]

    assert who(cohort(ENTRY, sets=SETS, InclusionRules=inclusion), write(world, tmp_path)) == right
