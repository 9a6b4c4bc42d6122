"""A clicked cohort, its words and its code are one and the same cohort."""

from __future__ import annotations

from typing import Any

import pytest
from flip_lab.cohorts import AskedCohort, Written
from flip_sdk.catalogue import Catalogue
from flip_sdk.errors import PublicError, RecordError

import flip_sdk


@pytest.fixture
def catalogue(project) -> Catalogue:
    return project.catalogue()


def number(catalogue: Catalogue, domain: str, place: int = 0) -> int:
    return [concept.concept_id for concept in catalogue if concept.domain == domain][place]


def asked_of(catalogue: Catalogue, what: str) -> dict[str, Any]:
    condition, measured = number(catalogue, "Condition"), number(catalogue, "Measurement")
    age = {"kind": "age", "low": 40, "high": 70}
    size = {"kind": "measurement", "concepts": [measured], "low": 1.5, "high": 20}
    asked: dict[str, dict[str, Any]] = {
        "everybody": {},
        "plain": {"rules": [age, size, {"kind": "condition", "concepts": [condition], "without": True}]},
        "sex": {"rules": [{"kind": "sex", "concepts": [number(catalogue, "Gender")]}]},
        "from a day on": {
            "entry": [{"kind": "condition", "concepts": [condition]}],
            "which": "last",
            "rules": [age, size | {"when": "before", "days": 90}, size | {"when": "after", "without": True}],
        },
        "any of": {
            "entry": [
                {"kind": "condition", "concepts": [condition]},
                {"kind": "measurement", "concepts": [measured], "low": 1, "high": 2},
                {"kind": "image"},
            ]
        },
        "by number": {"entry": [{"kind": "drug", "concepts": [1503297]}]},
    }
    return asked[what]


@pytest.mark.parametrize("what", ["everybody", "plain", "sex", "from a day on", "any of", "by number"])
def test_the_code_makes_the_same_cohort(catalogue, what: str) -> None:
    written = Written(AskedCohort.parse(asked_of(catalogue, what)), catalogue)
    lines = written.code().splitlines()
    made = "\n".join(lines[next(i for i, line in enumerate(lines) if line.startswith("cohort")) : -1])
    names: dict[str, Any] = {"flip": flip_sdk}
    exec(made, names)  # our own code, of our own catalogue

    assert names["cohort"].resolve(lambda: catalogue) == written.cohort().resolve(lambda: catalogue)
    assert written.cohort().explain(catalogue)
    assert lines[-1] == "project.count(cohort, epsilon=0.5)"


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "condition"},
        {"kind": "measurement", "concepts": [1], "low": 3, "high": 2},
        {"kind": "measurement", "concepts": [1], "low": 3},
        {"kind": "age"},
        {"kind": "drug", "concepts": [1]},
        {"kind": "condition", "concepts": [1], "when": "before"},
    ],
    ids=["nothing named", "turned round", "half a range", "no ages", "no time", "no entry"],
)
def test_what_is_not_whole_says_what_is_missing(catalogue, rule: dict[str, Any]) -> None:
    with pytest.raises(PublicError) as caught:
        Written(AskedCohort.parse({"rules": [rule]}), catalogue).cohort()
    assert caught.value.mend


@pytest.mark.parametrize("asked", [{"rules": [{"kind": "code"}]}, {"epsilon": 0}, {"more": 1}])
def test_anything_else_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        AskedCohort.parse(asked)


def test_a_name_that_two_concepts_have_is_written_as_a_number(catalogue) -> None:
    condition = number(catalogue, "Condition")
    twice = [*catalogue, *(flip_sdk.Concept(7, c.name, c.domain) for c in catalogue if c.concept_id == condition)]
    code = Written(AskedCohort.parse({"rules": [{"kind": "condition", "concepts": [condition]}]}), twice).code()

    assert f"has_condition({condition})" in code
