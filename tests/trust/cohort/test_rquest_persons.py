"""Availability queries of the Cohort Discovery tool, translated and answered; worked out by hand."""

from __future__ import annotations

from datetime import date

import pytest
from flip_sdk.rquest import translate
from flip_trust.cohort.circe import evaluate

from tests.flip_sdk.test_rquest import query, rule
from tests.trust.cohort.circe.small import condition, on, people, person, write

TODAY = date(2026, 3, 31)
ILL, OTHER = 11, 12


@pytest.fixture
def resident(tmp_path):
    world = people(person(1), person(2, gender=8532), person(3), person(4))
    world["condition_occurrence"] = [
        condition(1, ILL, "2020-01-01", condition_type_concept_id=32020),
        condition(2, ILL, "1995-01-01"),
        condition(2, OTHER, "2026-03-01"),
        condition(3, OTHER, "2020-01-01"),
    ]
    world["measurement"] = [
        {"measurement_id": 1, "person_id": who, "measurement_concept_id": 21, "measurement_date": on("2020-01-01")}
        | {"value_as_number": value}
        for who, value in ((1, 1.0), (2, 3.0), (3, 3.5))
    ]
    return write(world, tmp_path)


def one(**changes):
    return query(("AND", rule(**changes)))


MEASURED = {"varname": "OMOP=21", "varcat": "Measurement", "type": "NUM"}
WOMAN = rule(varcat="Person", value="8532")


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        (one(), {1, 2}),
        (one(oper="!="), {3, 4}),
        (one(time="50|:AGE:Y"), {1}),
        (one(time="|25:AGE:Y"), {2}),
        (one(value="12", time="|1:TIME:M"), {2}),
        (one(value="12", time="1|:TIME:M"), {3}),
        (one(secondary_modifier=[32020]), {1}),
        (one(secondary_modifier=[""]), {1, 2}),
        (one(**MEASURED, value="1.0|3.0"), {1, 2}),
        (one(**MEASURED, value="1.0..3.0"), {1, 2}),
        (one(**MEASURED, value="3.5|"), {3}),
        (one(**MEASURED, value="null..1.0"), {1}),
        (query(("AND", WOMAN)), {2}),
        (query(("AND", rule(varcat="Person", value="8532", oper="!="))), {1, 3, 4}),
        (query(("AND", WOMAN, rule())), {2}),
        (query(("OR", WOMAN, rule(value="12"))), {2, 3}),
        (query(("AND", rule()), ("AND", rule(value="12"))), {2}),
        (query(("AND", rule()), ("AND", rule(value="12")), oper="OR"), {1, 2, 3}),
        (query(("OR", rule(), rule(value="12")), ("AND", WOMAN)), {2}),
    ],
)
def test_the_right_persons(resident, asked, right):
    assert set(evaluate(translate(asked, TODAY).expression, resident).persons.tolist()) == right
