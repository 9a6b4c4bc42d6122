"""Each criterion and each of its attributes, over two or three rows; who is right can be read off."""

from __future__ import annotations

import pytest
from flip_trust.cohort.resident import DOMAINS

from tests.trust.cohort.circe.small import cohort, concept_set, concepts, on, people, person, who, write

SETS = (concept_set(0, 11), concept_set(1, 91))


def row(who, table, concept, start, end=None, **more):
    """A row in a table whose columns are named as most are."""
    stem = table.removesuffix("_occurrence").removesuffix("_exposure")
    single = table in {"measurement", "observation", "procedure_occurrence", "image_occurrence"}
    long = table.endswith(("_exposure", "_era")) or table == "image_occurrence"
    prefix = table if long else stem
    found = {f"{table}_id": 10 * who + len(more), "person_id": who}
    column = "modality" if stem == "image" else stem.removesuffix("_era")
    found[f"{column}_concept_id"] = concept
    found[f"{prefix}_date" if single else f"{prefix}_start_date"] = on(start)
    if end:
        found[f"{prefix}_end_date"] = on(end)
    return found | more


CASES = [
    ("ConditionOccurrence", {}, [row(1, "condition_occurrence", 11, "2020-01-01")], {1}),
    (
        "ConditionOccurrence",
        {"ConditionType": concepts(7)},
        [row(i, "condition_occurrence", 11, "2020-01-01", condition_type_concept_id=6 + i) for i in (1, 2)],
        {1},
    ),
    (
        "ConditionOccurrence",
        {"ConditionType": concepts(7), "ConditionTypeExclude": True},
        [row(i, "condition_occurrence", 11, "2020-01-01", condition_type_concept_id=6 + i) for i in (1, 2)],
        {2},
    ),
    (
        "ConditionOccurrence",
        {"ConditionStatus": concepts(4230359)},
        [row(i, "condition_occurrence", 11, "2020-01-01", condition_status_concept_id=4230358 + i) for i in (1, 2)],
        {1},
    ),
    (
        "ConditionOccurrence",
        {"ConditionSourceConcept": 1},
        [row(i, "condition_occurrence", 11, "2020-01-01", condition_source_concept_id=90 + i) for i in (1, 2)],
        {1},
    ),
    (
        "ConditionOccurrence",
        {"OccurrenceStartDate": {"Value": "2020-01-02", "Op": "lte"}},
        [row(i, "condition_occurrence", 11, f"2020-01-0{i}") for i in (1, 2, 3)],
        {1, 2},
    ),
    (
        "ConditionOccurrence",
        {"OccurrenceEndDate": {"Value": "2020-01-05", "Op": "gt"}},
        [
            row(1, "condition_occurrence", 11, "2020-01-01", "2020-01-06"),
            row(2, "condition_occurrence", 11, "2020-01-04"),
        ],
        {1},
    ),
    (
        "ConditionOccurrence",
        {"Age": {"Value": 50, "Op": "lt"}, "Gender": concepts(8507)},
        [row(i, "condition_occurrence", 11, f"20{18 + i}-06-01") for i in (1, 2)],
        {1},
    ),
    (
        "DrugExposure",
        {"DaysSupply": {"Value": 30, "Op": "gte"}},
        [row(i, "drug_exposure", 11, "2020-01-01", days_supply=28 + i) for i in (1, 2)],
        {2},
    ),
    (
        "DrugExposure",
        {"OccurrenceEndDate": {"Value": "2020-01-31", "Op": "eq"}},
        [
            row(1, "drug_exposure", 11, "2020-01-01", "2020-01-31", days_supply=3),
            row(2, "drug_exposure", 11, "2020-01-01", days_supply=30),
            row(3, "drug_exposure", 11, "2020-01-30"),
        ],
        {1, 2, 3},
    ),
    (
        "DrugExposure",
        {"Refills": {"Value": 1, "Op": "gt"}, "Quantity": {"Value": 2.5, "Op": "lte"}},
        [row(i, "drug_exposure", 11, "2020-01-01", refills=i, quantity=i + 0.5) for i in (1, 2, 3)],
        {2},
    ),
    (
        "DrugExposure",
        {"RouteConcept": concepts(4), "DrugType": concepts(5), "DrugTypeExclude": True, "DrugSourceConcept": 1},
        [
            row(
                1,
                "drug_exposure",
                11,
                "2020-01-01",
                route_concept_id=4,
                drug_type_concept_id=6,
                drug_source_concept_id=91,
            ),
            row(
                2,
                "drug_exposure",
                11,
                "2020-01-01",
                route_concept_id=4,
                drug_type_concept_id=5,
                drug_source_concept_id=91,
            ),
            row(
                3,
                "drug_exposure",
                11,
                "2020-01-01",
                route_concept_id=4,
                drug_type_concept_id=6,
                drug_source_concept_id=92,
            ),
        ],
        {1},
    ),
    (
        "Measurement",
        {"ValueAsNumber": {"Value": 6.5, "Op": "bt", "Extent": 7.5}, "Unit": concepts(8554)},
        [
            row(1, "measurement", 11, "2020-01-01", value_as_number=6.5, unit_concept_id=8554),
            row(2, "measurement", 11, "2020-01-01", value_as_number=6.4, unit_concept_id=8554),
            row(3, "measurement", 11, "2020-01-01", value_as_number=7.0, unit_concept_id=1),
        ],
        {1},
    ),
    (
        "Measurement",
        {"ValueAsNumber": {"Value": 1, "Op": "!eq"}},
        [row(1, "measurement", 11, "2020-01-01", value_as_number=2.0), row(2, "measurement", 11, "2020-01-01")],
        {1},
    ),
    (
        "Measurement",
        {"RangeHighRatio": {"Value": 2, "Op": "gte"}},
        [
            row(1, "measurement", 11, "2020-01-01", value_as_number=8.0, range_high=4.0),
            row(2, "measurement", 11, "2020-01-01", value_as_number=8.0, range_high=5.0),
            row(3, "measurement", 11, "2020-01-01", value_as_number=8.0, range_high=0.0),
        ],
        {1},
    ),
    (
        "Measurement",
        {
            "RangeLowRatio": {"Value": 1, "Op": "lt"},
            "RangeLow": {"Value": 3, "Op": "gt"},
            "RangeHigh": {"Value": 9, "Op": "lt"},
        },
        [
            row(i, "measurement", 11, "2020-01-01", value_as_number=2.0 * i, range_low=4.0, range_high=8.0)
            for i in (1, 2)
        ],
        {1},
    ),
    (
        "Measurement",
        {"ValueAsConcept": concepts(45884084), "Operator": concepts(4172703), "MeasurementType": concepts(3)},
        [
            row(
                i,
                "measurement",
                11,
                "2020-01-01",
                value_as_concept_id=45884083 + i,
                operator_concept_id=4172703,
                measurement_type_concept_id=3,
            )
            for i in (1, 2)
        ],
        {1},
    ),
    (
        "Observation",
        {"ValueAsConcept": concepts(4), "Qualifier": concepts(5), "ValueAsNumber": {"Value": 1, "Op": "gte"}},
        [
            row(
                i,
                "observation",
                11,
                "2020-01-01",
                value_as_concept_id=4,
                qualifier_concept_id=5,
                value_as_number=i - 0.5,
            )
            for i in (1, 2)
        ],
        {2},
    ),
    (
        "Observation",
        {"ObservationType": concepts(4), "Unit": concepts(6), "ObservationSourceConcept": 1},
        [
            row(
                i,
                "observation",
                11,
                "2020-01-01",
                observation_type_concept_id=4,
                unit_concept_id=6,
                observation_source_concept_id=90 + i,
            )
            for i in (1, 2)
        ],
        {1},
    ),
    (
        "ProcedureOccurrence",
        {"Modifier": concepts(4), "Quantity": {"Value": 2, "Op": "eq"}, "ProcedureType": concepts(5)},
        [
            row(
                i,
                "procedure_occurrence",
                11,
                "2020-01-01",
                modifier_concept_id=4,
                quantity=i,
                procedure_type_concept_id=5,
            )
            for i in (1, 2)
        ],
        {2},
    ),
    (
        "VisitOccurrence",
        {"VisitLength": {"Value": 2, "Op": "gt"}},
        [
            row(1, "visit_occurrence", 11, "2020-01-01", "2020-01-04"),
            row(2, "visit_occurrence", 11, "2020-01-01", "2020-01-03"),
        ],
        {1},
    ),
    (
        "VisitOccurrence",
        {"VisitType": concepts(44818517), "OccurrenceEndDate": {"Value": "2020-01-03", "Op": "lte"}},
        [
            row(1, "visit_occurrence", 11, "2020-01-01", "2020-01-03", visit_type_concept_id=44818517),
            row(2, "visit_occurrence", 11, "2020-01-01", "2020-01-04", visit_type_concept_id=44818517),
            row(3, "visit_occurrence", 11, "2020-01-01", "2020-01-03", visit_type_concept_id=1),
        ],
        {1},
    ),
    (
        "ConditionEra",
        {"EraLength": {"Value": 30, "Op": "gte"}, "OccurrenceCount": {"Value": 2, "Op": "gte"}},
        [
            row(1, "condition_era", 11, "2020-01-01", "2020-01-31", condition_occurrence_count=2),
            row(2, "condition_era", 11, "2020-01-01", "2020-01-30", condition_occurrence_count=2),
            row(3, "condition_era", 11, "2020-01-01", "2020-01-31", condition_occurrence_count=1),
        ],
        {1},
    ),
    (
        "DrugEra",
        {"GapDays": {"Value": 5, "Op": "lt"}, "AgeAtEnd": {"Value": 51, "Op": "eq"}},
        [
            row(1, "drug_era", 11, "2020-12-01", "2021-01-05", gap_days=4),
            row(2, "drug_era", 11, "2020-12-01", "2020-12-05", gap_days=4),
            row(3, "drug_era", 11, "2020-12-01", "2021-01-05", gap_days=5),
        ],
        {1},
    ),
    (
        "DrugEra",
        {"EraStartDate": {"Value": "2020-12-01", "Op": "eq"}, "EraEndDate": {"Value": "2020-12-31", "Op": "gt"}},
        [row(1, "drug_era", 11, "2020-12-01", "2021-01-05"), row(2, "drug_era", 11, "2020-12-01", "2020-12-05")],
        {1},
    ),
]


@pytest.mark.parametrize(("name", "attributes", "rows", "right"), CASES)
def test_a_criterion_names_the_right_persons(tmp_path, name, attributes, rows, right):
    table = DOMAINS[name].table
    # somebody with everything asked for, but another concept
    world = people(*(person(number) for number in (1, 2, 3, 4)))
    concept = next(key for key in rows[0] if key.endswith("_concept_id"))
    world[table] = list(rows)
    world[table].append(dict(rows[0]) | {f"{table}_id": 999, "person_id": 4, concept: 12})

    assert who(cohort({name: {"CodesetId": 0} | attributes}, sets=SETS), write(world, tmp_path)) == right


def test_the_kind_of_visit_is_that_of_the_persons_own_visit(tmp_path):
    world = people(person(1), person(2), person(3))
    world["visit_occurrence"] = [
        row(1, "visit_occurrence", 9201, "2020-01-01", "2020-01-02") | {"visit_occurrence_id": 5},
        row(2, "visit_occurrence", 9202, "2020-01-01", "2020-01-02") | {"visit_occurrence_id": 6},
    ]
    world["measurement"] = [
        row(i, "measurement", 11, "2020-01-01", visit_occurrence_id=v) for i, v in ((1, 5), (2, 6), (3, 5))
    ]
    asked = {"Measurement": {"CodesetId": 0, "VisitType": concepts(9201)}}

    assert who(cohort(asked, sets=SETS), write(world, tmp_path)) == {1}


def test_a_death_of_a_cause_or_of_any(tmp_path):
    world = people(person(1), person(2))
    world["death"] = [
        {"person_id": 1, "death_date": on("2020-01-01"), "cause_concept_id": 11, "death_type_concept_id": 3},
        {"person_id": 2, "death_date": on("2021-01-01"), "cause_concept_id": None, "death_type_concept_id": 4},
    ]
    resident = write(world, tmp_path)

    assert who(cohort({"Death": {"CodesetId": 0}}, sets=SETS), resident) == {1}
    assert who(cohort({"Death": {}}), resident) == {1, 2}
    assert who(cohort({"Death": {"DeathType": concepts(3), "DeathTypeExclude": True}}), resident) == {2}
    assert who(cohort({"Death": {"Age": {"Value": 51, "Op": "eq"}}}), resident) == {2}


def test_observation_periods_as_entries(tmp_path):
    world = people(person(1), person(2))
    world["observation_period"][1]["observation_period_start_date"] = on("2010-01-01")
    resident = write(world, tmp_path)

    def asked(**attributes):
        return who(cohort({"ObservationPeriod": attributes}), resident)

    assert asked() == {1, 2}
    assert asked(PeriodStartDate={"Value": "2005-01-01", "Op": "gt"}) == {2}
    assert asked(PeriodEndDate={"Value": "2029-12-31", "Op": "eq"}) == {1, 2}
    assert asked(AgeAtStart={"Value": 40, "Op": "eq"}) == {2}
    assert asked(AgeAtEnd={"Value": 59, "Op": "eq"}) == {1, 2}
    assert asked(PeriodLength={"Value": 10_000, "Op": "gt"}) == {1}
    assert asked(UserDefinedPeriod={"StartDate": "2005-06-01"}) == {1}


def test_images_by_modality_body_site_and_date(tmp_path):
    ct, mr, chest, head = 4300757, 4013636, 4312002, 4329508
    world = people(*(person(number) for number in (1, 2, 3, 4)))
    world["image_occurrence"] = [
        row(number, "image_occurrence", modality, start, anatomic_site_concept_id=site)
        for number, modality, site, start in (
            (1, ct, chest, "2020-05-01"),
            (2, mr, chest, "2020-05-01"),
            (3, ct, head, "2020-05-01"),
            (4, ct, chest, "2022-05-01"),
        )
    ]
    resident = write(world, tmp_path)

    def asked(**attributes):
        return who(cohort({"ImageOccurrence": attributes}), resident)

    assert asked() == {1, 2, 3, 4}
    assert asked(Modality=concepts(ct)) == {1, 3, 4}
    assert asked(Modality=concepts(ct), AnatomicSite=concepts(chest)) == {1, 4}
    window = {"Value": "2020-01-01", "Op": "bt", "Extent": "2020-12-31"}
    assert asked(Modality=concepts(ct), AnatomicSite=concepts(chest), OccurrenceStartDate=window) == {1}
