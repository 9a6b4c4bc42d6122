"""Random expressions over random tables: the fast evaluator and the slow one name the same persons and times."""

from __future__ import annotations

import random
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from flip_sdk.contract import check_circe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trust.cohort.circe.slow import Slow
from tests.trust.cohort.circe.small import concept_set, concepts, rows, write

ZERO = date(2020, 1, 1)
IDS = (1, 2, 3, 4)


def some_date(rng, low=0, high=60):
    return ZERO + timedelta(days=rng.randint(low, high))


def some_rows(rng, make, most=14):
    numbers = rng.sample(range(100), most)
    return [make(number, rng.randint(1, 5)) for number in numbers[: rng.randint(0, most)]]


def maybe(rng, value):
    return value if rng.random() < 0.6 else None


def random_world(seed):
    rng = random.Random(seed)
    pick, near = lambda *values: rng.choice(values), lambda: some_date(rng)

    def ended(start):
        return maybe(rng, start + timedelta(days=rng.randint(0, 12)))

    def periods(who):
        first = some_date(rng, 0, 12)
        yield first, first + timedelta(days=rng.randint(5, 60))
        if rng.random() < 0.3:
            yield first + timedelta(days=rng.randint(20, 70)), first + timedelta(days=rng.randint(70, 90))

    world = {
        "person": [
            {
                "person_id": who,
                "year_of_birth": pick(1960, 1980, 2000),
                "gender_concept_id": pick(8507, 8532),
                "race_concept_id": pick(1, 2),
                "ethnicity_concept_id": pick(1, 2),
            }
            for who in (4, 1, 3, 2)
        ],
        "observation_period": [
            {
                "observation_period_id": 10 * who + i,
                "person_id": who,
                "observation_period_start_date": low,
                "observation_period_end_date": high,
                "period_type_concept_id": pick(1, 2),
            }
            for who in (1, 2, 3)
            for i, (low, high) in enumerate(periods(who))
        ],
        "visit_occurrence": some_rows(
            rng,
            lambda number, who: {
                "visit_occurrence_id": number,
                "person_id": who,
                "visit_concept_id": pick(*IDS),
                "visit_start_date": (start := near()),
                "visit_end_date": start + timedelta(days=rng.randint(0, 9)),
                "visit_type_concept_id": pick(1, 2),
                "visit_source_concept_id": pick(*IDS),
            },
        ),
        "death": [
            {"person_id": who, "death_date": near(), "cause_concept_id": maybe(rng, pick(*IDS))}
            for who in (1, 2)
            if rng.random() < 0.5
        ],
        "concept_ancestor": [
            {"ancestor_concept_id": a, "descendant_concept_id": d} for a, d in ((1, 1), (1, 2), (2, 2), (3, 3), (3, 4))
        ],
        "concept_relationship": [{"concept_id_1": 4, "concept_id_2": 1, "relationship_id": "Maps to"}],
    }
    visits = [row["visit_occurrence_id"] for row in world["visit_occurrence"]] or [5]
    world["condition_occurrence"] = some_rows(
        rng,
        lambda number, who: {
            "condition_occurrence_id": number,
            "person_id": who,
            "condition_concept_id": pick(*IDS),
            "condition_start_date": (start := near()),
            "condition_end_date": ended(start),
            "condition_type_concept_id": maybe(rng, pick(1, 2)),
            "condition_source_concept_id": maybe(rng, pick(*IDS)),
            "visit_occurrence_id": maybe(rng, pick(*visits)),
        },
        30,
    )
    world["drug_exposure"] = some_rows(
        rng,
        lambda number, who: {
            "drug_exposure_id": number,
            "person_id": who,
            "drug_concept_id": pick(*IDS),
            "drug_exposure_start_date": (start := near()),
            "drug_exposure_end_date": ended(start),
            "days_supply": maybe(rng, rng.randint(1, 20)),
            "quantity": maybe(rng, float(rng.randint(1, 5))),
            "visit_occurrence_id": maybe(rng, pick(*visits)),
        },
    )
    world["measurement"] = some_rows(
        rng,
        lambda number, who: {
            "measurement_id": number,
            "person_id": who,
            "measurement_concept_id": pick(*IDS),
            "measurement_date": near(),
            "value_as_number": maybe(rng, float(rng.randint(0, 9))),
            "range_low": maybe(rng, float(rng.randint(0, 3))),
            "range_high": maybe(rng, float(rng.randint(4, 8))),
            "unit_concept_id": pick(1, 2),
            "visit_occurrence_id": maybe(rng, pick(*visits)),
        },
    )
    world["image_occurrence"] = some_rows(
        rng,
        lambda number, who: {
            "image_occurrence_id": number,
            "person_id": who,
            "image_occurrence_date": near(),
            "modality_concept_id": pick(1, 2),
            "anatomic_site_concept_id": pick(1, 2),
        },
    )
    return world


OPS = st.sampled_from(["lt", "lte", "eq", "!eq", "gt", "gte"])


def ranges(values):
    single = st.builds(lambda value, op: {"Value": value, "Op": op}, values, OPS)
    pairs = st.builds(
        lambda a, b, op: {"Value": min(a, b), "Extent": max(a, b), "Op": op},
        values,
        values,
        st.sampled_from(["bt", "!bt"]),
    )
    return single | pairs


DATES = ranges(st.integers(0, 60).map(lambda day: (ZERO + timedelta(days=day)).isoformat()))
AGES, SMALL = ranges(st.sampled_from([20, 40, 60])), ranges(st.integers(0, 9))
TWO = st.lists(st.sampled_from([1, 2]), min_size=1, max_size=2, unique=True).map(lambda ids: concepts(*ids))
SEX = st.sampled_from([concepts(8507), concepts(8532), []])
SET = st.sampled_from([0, 1, 2])
COMMON = {"CodesetId": SET, "First": st.booleans(), "OccurrenceStartDate": DATES, "Age": AGES, "Gender": SEX}
SOURCE = {"VisitType": TWO, "OccurrenceEndDate": DATES}
ATTRIBUTES = {
    "ConditionOccurrence": COMMON
    | SOURCE
    | {"ConditionType": TWO, "ConditionTypeExclude": st.booleans(), "ConditionSourceConcept": SET},
    "DrugExposure": COMMON | SOURCE | {"DaysSupply": SMALL, "Quantity": SMALL},
    "Measurement": COMMON
    | {"ValueAsNumber": SMALL, "RangeHigh": SMALL, "RangeLowRatio": SMALL, "RangeHighRatio": SMALL, "Unit": TWO},
    "VisitOccurrence": COMMON
    | {"VisitLength": SMALL, "VisitType": TWO, "OccurrenceEndDate": DATES, "VisitSourceConcept": SET},
    "Death": {"CodesetId": SET, "OccurrenceStartDate": DATES, "Age": AGES, "Gender": SEX},
    "ObservationPeriod": {
        "First": st.booleans(),
        "PeriodStartDate": DATES,
        "PeriodLength": ranges(st.integers(0, 60)),
        "PeriodType": TWO,
        "AgeAtStart": AGES,
        "AgeAtEnd": AGES,
        "UserDefinedPeriod": st.just({"StartDate": "2020-01-20"}) | st.just({"EndDate": "2020-01-31"}),
    },
    "ImageOccurrence": {
        "First": st.booleans(),
        "Modality": TWO,
        "AnatomicSite": TWO,
        "OccurrenceStartDate": DATES,
        "Age": AGES,
        "Gender": SEX,
    },
}


@st.composite
def criteria(draw, groups=None):
    name = draw(st.sampled_from([*ATTRIBUTES, "ConditionOccurrence", "ConditionOccurrence"]))
    few = draw(st.lists(st.sampled_from(list(ATTRIBUTES[name])), max_size=2, unique=True))
    found = {attribute: draw(ATTRIBUTES[name][attribute]) for attribute in few}
    if found.get("ConditionTypeExclude") and "ConditionType" not in found:
        del found["ConditionTypeExclude"]
    if groups is not None and draw(st.integers(0, 5)) == 0:
        found["CorrelatedCriteria"] = draw(groups)
    return {name: found}


EDGES = st.builds(
    lambda day, sign: {"Coeff": sign} if day is None else {"Days": day, "Coeff": sign},
    st.none() | st.integers(0, 30),
    st.sampled_from([-1, 1]),
)
FLAG = st.none() | st.booleans()
WINDOWS = st.builds(
    lambda start, end, index, event: {"Start": start, "End": end, "UseIndexEnd": index, "UseEventEnd": event},
    EDGES,
    EDGES,
    FLAG,
    FLAG,
) | st.just({"Start": {"Coeff": -1}, "End": {"Coeff": 1}})


@st.composite
def correlated_criteria(draw, groups=None):
    distinct = draw(st.booleans())
    found = {
        "Criteria": draw(criteria(groups)),
        "StartWindow": draw(WINDOWS),
        "Occurrence": {
            "Type": draw(st.sampled_from([0, 1, 2])),
            "Count": draw(st.integers(0, 2)),
            "IsDistinct": distinct,
        },
        "RestrictVisit": draw(st.integers(0, 4)) == 0,
        "IgnoreObservationPeriod": draw(st.booleans()),
    }
    if distinct and draw(st.booleans()):
        found["Occurrence"]["CountColumn"] = draw(st.sampled_from(["START_DATE", "DOMAIN_CONCEPT"]))
    if draw(st.integers(0, 3)) == 0:
        found["EndWindow"] = draw(WINDOWS)
    return found


DEMOGRAPHICS = st.fixed_dictionaries(
    {},
    optional={
        "Age": AGES,
        "Gender": SEX,
        "Race": TWO,
        "OccurrenceStartDate": DATES,
        "OccurrenceEndDate": DATES,
    },
)


def grouped(inner):
    return st.builds(
        lambda kind, count, listed, people, groups: {
            "Type": kind,
            "Count": count,
            "CriteriaList": listed,
            "DemographicCriteriaList": people,
            "Groups": groups,
        },
        st.sampled_from(["ALL", "ANY", "AT_LEAST", "AT_MOST"]),
        st.integers(0, 2),
        st.lists(correlated_criteria(inner), max_size=2),
        st.lists(DEMOGRAPHICS, max_size=1),
        st.lists(inner, max_size=1) if inner is not None else st.just([]),
    )


FLAT = grouped(None)
GROUPS = grouped(FLAT)
LIMITS = st.sampled_from(["All", "First", "Last"]).map(lambda kind: {"Type": kind})


@st.composite
def expressions(draw):
    found = {
        "ConceptSets": [
            concept_set(0, 1, descendants=True),
            concept_set(1, 1, 2, 3, mapped=True, without=(2,)),
            concept_set(2, 3, 4),
        ],
        "PrimaryCriteria": {
            "CriteriaList": draw(st.lists(criteria(GROUPS), min_size=1, max_size=2)),
            "ObservationWindow": {"PriorDays": draw(st.integers(0, 9)), "PostDays": draw(st.integers(0, 9))},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "QualifiedLimit": draw(LIMITS),
        "ExpressionLimit": draw(LIMITS),
        "InclusionRules": [{"name": "rule", "expression": group} for group in draw(st.lists(GROUPS, max_size=2))],
        "CensoringCriteria": draw(st.lists(criteria(), max_size=1)),
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": draw(st.integers(0, 5))},
    }
    if draw(st.booleans()):
        found["AdditionalCriteria"] = draw(GROUPS)
    if draw(st.booleans()):
        field = draw(st.sampled_from(["StartDate", "EndDate"]))
        found["EndStrategy"] = {"DateOffset": {"DateField": field, "Offset": draw(st.integers(-3, 20))}}
    if draw(st.integers(0, 3)) == 0:
        found["CensorWindow"] = {"StartDate": "2020-01-15", "EndDate": "2020-02-20"}
    one_source = len(found["PrimaryCriteria"]["CriteriaList"]) == 1
    if one_source:
        found["PrimaryCriteria"]["PrimaryCriteriaLimit"] = draw(LIMITS)
    else:
        # which of two tables' events of one day comes first is nobody's decision in CIRCE either
        found["QualifiedLimit"] = found["ExpressionLimit"] = {"Type": "All"}
    return found


def agree(expression, seed):
    world = random_world(seed)
    with tempfile.TemporaryDirectory() as home:
        fast = rows(expression, write(world, Path(home)))
    slow = Slow(check_circe.read(expression), world).members_of_cohort()
    assert fast == {(who, start.isoformat(), end.isoformat()) for who, start, end in slow}


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@given(expressions(), st.integers(0, 10**6))
@settings(max_examples=8, deadline=None, suppress_health_check=QUIET, database=None)
def test_both_evaluators_agree(expression, seed):
    agree(expression, seed)


@pytest.mark.slow
@given(expressions(), st.integers(0, 10**6))
@settings(max_examples=800, deadline=None, suppress_health_check=QUIET, database=None)
def test_both_evaluators_agree_on_thousands(expression, seed):
    agree(expression, seed)
