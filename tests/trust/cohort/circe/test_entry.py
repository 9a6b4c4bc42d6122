"""Entry events, limits and the time in the cohort. Who is right is worked out by hand from OHDSI's documentation."""

from __future__ import annotations

import pytest

from tests.trust.cohort.circe.small import (
    cohort,
    concept_set,
    condition,
    correlated,
    group,
    on,
    people,
    person,
    rows,
    rule,
    who,
    window,
    write,
)

ILL, WORSE, OTHER = 201, 202, 300
ENTRY = {"ConditionOccurrence": {"CodesetId": 0}}
SETS = (concept_set(0, ILL), concept_set(1, OTHER))


@pytest.fixture
def ask(tmp_path):
    def given(expression, *conditions, persons=(1, 2, 3), **more):
        world = people(*(person(number) for number in persons)) | {"condition_occurrence": list(conditions)} | more
        return rows(expression, write(world, tmp_path))

    return given


def test_everyone_with_the_condition_is_in_until_observation_ends(ask):
    found = ask(cohort(ENTRY, sets=SETS), condition(1, ILL, "2020-03-01"), condition(2, OTHER, "2020-03-01"))

    assert found == {(1, "2020-03-01", "2029-12-31")}


def test_a_concept_set_takes_descendants_and_leaves_out_what_is_excluded(ask):
    ancestors = [{"ancestor_concept_id": 200, "descendant_concept_id": child} for child in (200, ILL, WORSE)]
    conditions = [condition(number, concept, "2020-01-01") for number, concept in ((1, 200), (2, ILL), (3, WORSE))]
    everything = cohort(ENTRY, sets=[concept_set(0, 200, descendants=True)])
    without = cohort(ENTRY, sets=[concept_set(0, 200, descendants=True, without=(WORSE,))])

    assert {row[0] for row in ask(everything, *conditions, concept_ancestor=ancestors)} == {1, 2, 3}
    assert {row[0] for row in ask(without, *conditions, concept_ancestor=ancestors)} == {1, 2}


def test_a_concept_set_without_descendants_is_its_own_concepts(ask):
    ancestors = [{"ancestor_concept_id": 200, "descendant_concept_id": ILL}]
    found = ask(cohort(ENTRY, sets=[concept_set(0, 200)]), condition(1, ILL, "2020-01-01"), concept_ancestor=ancestors)

    assert found == set()


def test_mapped_concepts_are_the_source_concepts_that_map_to_the_set(ask):
    mapping = [{"concept_id_1": 9001, "concept_id_2": ILL, "relationship_id": "Maps to"}]
    by_source = cohort({"ConditionOccurrence": {"ConditionSourceConcept": 0}}, sets=[concept_set(0, ILL, mapped=True)])
    found = ask(
        by_source,
        condition(1, ILL, "2020-01-01", condition_source_concept_id=9001),
        condition(2, ILL, "2020-01-01", condition_source_concept_id=9002),
        concept_relationship=mapping,
    )

    assert {row[0] for row in found} == {1}


def test_an_event_outside_observation_is_no_entry(ask):
    assert ask(cohort(ENTRY, sets=SETS), condition(1, ILL, "1999-12-31"), condition(2, ILL, "2030-01-01")) == set()


def test_prior_and_later_observation_are_counted_in_days(ask):
    conditions = [condition(1, ILL, "2000-12-30"), condition(2, ILL, "2000-12-31"), condition(3, ILL, "2029-12-22")]

    # 2000-01-01 and 365 days is 2000-12-31 (a leap year); ten days after 2029-12-22 there is no observation
    assert {row[0] for row in ask(cohort(ENTRY, sets=SETS, prior=365, post=10), *conditions)} == {2}
    assert {row[0] for row in ask(cohort(ENTRY, sets=SETS, prior=364, post=9), *conditions)} == {1, 2, 3}


def test_the_first_entry_is_chosen_after_observation_was_checked(ask):
    early, late = condition(1, ILL, "2000-02-01"), condition(1, ILL, "2005-02-01")

    assert {row[1] for row in ask(cohort(ENTRY, sets=SETS, limit="First", prior=365), early, late)} == {"2005-02-01"}
    assert {row[1] for row in ask(cohort(ENTRY, sets=SETS, limit="First"), early, late)} == {"2000-02-01"}
    assert {row[1] for row in ask(cohort(ENTRY, sets=SETS, limit="Last"), early, late)} == {"2005-02-01"}


def test_first_in_history_is_decided_before_observation(ask):
    """``First`` is an attribute of the criterion: a person whose first event is not an entry has none."""
    first = {"ConditionOccurrence": {"CodesetId": 0, "First": True}}
    early, late = condition(1, ILL, "2000-02-01"), condition(1, ILL, "2005-02-01")

    assert ask(cohort(first, sets=SETS, prior=365), early, late) == set()


def test_first_is_decided_before_every_other_attribute(ask):
    in_2005 = {"OccurrenceStartDate": {"Value": "2005-01-01", "Op": "gte"}}
    first = {"ConditionOccurrence": {"CodesetId": 0, "First": True} | in_2005}

    assert ask(cohort(first, sets=SETS), condition(1, ILL, "2000-02-01"), condition(1, ILL, "2005-02-01")) == set()


def test_first_breaks_a_tie_by_the_number_of_the_event(ask):
    kinds = {"ConditionType": [{"CONCEPT_ID": 7}]}
    first = {"ConditionOccurrence": {"CodesetId": 0, "First": True} | kinds}
    same_day = [
        condition(1, ILL, "2005-02-01", number=20, condition_type_concept_id=7),
        condition(1, WORSE, "2005-02-01", number=10, condition_type_concept_id=8),
        condition(2, ILL, "2005-02-01", number=30, condition_type_concept_id=8),
        condition(2, WORSE, "2005-02-01", number=25, condition_type_concept_id=7),
    ]

    assert {row[0] for row in ask(cohort(first, sets=[concept_set(0, ILL, WORSE)]), *same_day)} == {2}


def test_several_entry_criteria_are_alternatives(ask):
    found = ask(
        cohort(ENTRY, {"ConditionOccurrence": {"CodesetId": 1}}, sets=SETS, limit="First"),
        condition(1, ILL, "2020-05-01"),
        condition(1, OTHER, "2020-04-01"),
        condition(2, OTHER, "2020-06-01"),
    )

    assert {row[:2] for row in found} == {(1, "2020-04-01"), (2, "2020-06-01")}


def test_the_qualified_limit_is_about_events_that_met_the_additional_criteria(ask):
    other_before = group(correlated({"ConditionOccurrence": {"CodesetId": 1}}, window(None, 0)))
    asked = cohort(ENTRY, sets=SETS, AdditionalCriteria=other_before, QualifiedLimit={"Type": "First"})
    found = ask(
        asked, condition(1, ILL, "2020-01-01"), condition(1, OTHER, "2020-02-01"), condition(1, ILL, "2020-03-01")
    )

    assert {row[1] for row in found} == {"2020-03-01"}


def test_the_qualified_limit_means_nothing_without_additional_criteria(ask):
    asked = cohort(ENTRY, sets=SETS, QualifiedLimit={"Type": "First"}, EndStrategy={"DateOffset": {"Offset": 1}})
    found = ask(asked, condition(1, ILL, "2020-01-01"), condition(1, ILL, "2020-03-01"))

    assert {row[1] for row in found} == {"2020-01-01", "2020-03-01"}


def test_the_expression_limit_comes_after_the_inclusion_rules(ask):
    asked = cohort(
        ENTRY,
        sets=SETS,
        ExpressionLimit={"Type": "First"},
        InclusionRules=[rule(group(correlated({"ConditionOccurrence": {"CodesetId": 1}}, window(None, 0))))],
    )
    found = ask(
        asked, condition(1, ILL, "2020-01-01"), condition(1, OTHER, "2020-02-01"), condition(1, ILL, "2020-03-01")
    )

    assert {row[1] for row in found} == {"2020-03-01"}


def test_times_end_after_an_offset_but_not_after_observation(ask):
    from_start = {"DateOffset": {"DateField": "StartDate", "Offset": 30}}
    from_end = {"DateOffset": {"DateField": "EndDate", "Offset": 7}}
    conditions = [condition(1, ILL, "2020-01-01", "2020-01-10"), condition(2, ILL, "2029-12-20", "2029-12-30")]

    assert ask(cohort(ENTRY, sets=SETS, EndStrategy=from_start), *conditions) == {
        (1, "2020-01-01", "2020-01-31"),
        (2, "2029-12-20", "2029-12-31"),
    }
    assert ask(cohort(ENTRY, sets=SETS, EndStrategy=from_end), *conditions) == {
        (1, "2020-01-01", "2020-01-17"),
        (2, "2029-12-20", "2029-12-31"),
    }


def test_a_censoring_event_ends_the_time(ask):
    asked = cohort(ENTRY, sets=SETS, CensoringCriteria=[{"ConditionOccurrence": {"CodesetId": 1}}])
    found = ask(
        asked,
        condition(1, ILL, "2020-01-01"),
        condition(1, OTHER, "2019-12-31"),
        condition(1, OTHER, "2020-02-01"),
        condition(1, OTHER, "2020-03-01"),
        condition(2, ILL, "2020-01-01"),
    )

    assert found == {(1, "2020-01-01", "2020-02-01"), (2, "2020-01-01", "2029-12-31")}


def test_times_that_touch_after_the_pad_become_one(ask):
    conditions = [condition(1, ILL, day) for day in ("2020-01-01", "2020-01-11", "2020-02-01")]
    ending = {"DateOffset": {"DateField": "StartDate", "Offset": 5}}

    # 1 to 6 January and 11 to 16 January are five days apart
    apart = ask(cohort(ENTRY, sets=SETS, EndStrategy=ending, CollapseSettings={"EraPad": 4}), *conditions)
    joined = ask(cohort(ENTRY, sets=SETS, EndStrategy=ending, CollapseSettings={"EraPad": 5}), *conditions)

    assert len(apart) == 3
    assert joined == {(1, "2020-01-01", "2020-01-16"), (1, "2020-02-01", "2020-02-06")}


def test_the_censor_window_cuts_times_and_drops_those_outside(ask):
    asked = cohort(ENTRY, sets=SETS, CensorWindow={"StartDate": "2021-01-01", "EndDate": "2025-06-30"})
    found = ask(asked, condition(1, ILL, "2020-01-01"), condition(2, ILL, "2026-01-01"))

    assert found == {(1, "2021-01-01", "2025-06-30")}


def test_each_observation_period_counts_by_itself(ask, tmp_path):
    world = people(person(1), end="2020-06-30")
    world["observation_period"].append(
        {
            "observation_period_id": 9,
            "person_id": 1,
            "observation_period_start_date": on("2021-01-01"),
            "observation_period_end_date": on("2021-12-31"),
            "period_type_concept_id": 1,
        }
    )
    world["condition_occurrence"] = [condition(1, ILL, "2020-05-01"), condition(1, ILL, "2021-02-01")]
    other_before = [rule(group(correlated(ENTRY, window(None, -1))))]
    resident = write(world, tmp_path)

    assert {row[1:] for row in rows(cohort(ENTRY, sets=SETS), resident)} == {
        ("2020-05-01", "2020-06-30"),
        ("2021-02-01", "2021-12-31"),
    }
    assert who(cohort(ENTRY, sets=SETS, InclusionRules=other_before), resident) == set()
