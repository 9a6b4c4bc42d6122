from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from flip_sdk.contract.airlock import NewRelease
from flip_sdk.contract.cohorts import AgeBetween, Cohort, HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import (
    DPSGD,
    CountSpec,
    EvaluateSpec,
    FullBatch,
    ModelRef,
    Privacy,
    Scaling,
    TrainSpec,
    parse_spec,
)
from flip_sdk.contract.records import Record, digest
from flip_sdk.errors import RecordError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

numbers = st.floats(-1e9, 1e9)
concepts = st.integers(0, 2**53 - 1)
names = st.sampled_from(["p", "a-b", "0", "x" * 40])
digests = st.binary(max_size=2).map(digest)
criteria = st.one_of(
    st.builds(AgeBetween, low=st.integers(0, 150), high=st.integers(0, 150), negate=st.booleans()),
    st.builds(SexIs, concept_ids=st.tuples(concepts)),
    st.builds(HasCondition, concept_ids=st.lists(concepts, min_size=1, max_size=5).map(tuple)),
    st.builds(MeasurementBetween, concept_id=concepts, low=numbers, high=numbers),
)
cohorts = st.builds(Cohort, criteria=st.lists(criteria, max_size=5).map(tuple))
features = st.lists(
    st.builds(Feature, concept_id=concepts, low=numbers, high=numbers, name=st.text(max_size=20)),
    min_size=1,
    max_size=4,
).map(tuple)
labels = st.builds(Label, condition_concept_ids=st.tuples(concepts), name=st.text(max_size=20))
models = st.builds(ModelRef, graph=digests, weights=digests)
positive = st.floats(1e-6, 100)
privacies = st.builds(
    Privacy,
    epsilon=positive,
    mechanism=st.one_of(
        st.builds(FullBatch, max_grad_norm=positive),
        st.builds(DPSGD, sampling_rate=st.floats(0.001, 1), local_steps=st.integers(1, 1000)),
    ),
    scaling=st.sampled_from(["public_bounds", "dp_statistics"]),
    scaling_share=st.floats(0, 0.9),
)
scalings = st.builds(Scaling, shift=st.tuples(numbers), scale=st.tuples(positive))
common = {"project_id": names, "trusts": st.lists(names, max_size=3).map(tuple), "cohort": cohorts}
specs = st.one_of(
    st.builds(CountSpec, **common, epsilon=positive),
    st.builds(TrainSpec, **common, features=features, label=labels, model=models, privacy=privacies),
    st.builds(EvaluateSpec, **common, features=features, label=labels, model=models, scaling=st.none() | scalings),
)
COUNT = {"kind": "count", "project_id": "p"}


@given(specs)
def test_canonical_json_reads_back_as_the_same_record(spec: CountSpec | TrainSpec | EvaluateSpec) -> None:
    again = parse_spec(spec.canonical())
    assert again == spec
    assert again.canonical() == spec.canonical()
    assert again.digest() == spec.digest() == digest(spec.canonical())


@given(specs)
def test_the_digest_depends_on_content_and_not_on_order_or_spaces(
    spec: CountSpec | TrainSpec | EvaluateSpec,
) -> None:
    fields = json.loads(spec.canonical())
    shuffled = json.dumps(dict(reversed(fields.items())), indent=3)
    assert parse_spec(shuffled).digest() == spec.digest()


@given(st.binary(max_size=200))
def test_a_digest_is_sha256_of_the_exact_bytes(content: bytes) -> None:
    assert digest(content) == f"sha256:{hashlib.sha256(content).hexdigest()}"


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_whatever_comes_from_outside_is_a_record_or_a_record_error(content: bytes | str) -> None:
    with pytest.raises(RecordError):
        parse_spec(content)


def test_canonical_json_is_rfc_8785() -> None:
    spec = CountSpec(project_id="p", epsilon=0.5)
    assert spec.canonical() == rfc8785.dumps(spec.model_dump(mode="json"))
    assert b" " not in spec.canonical()
    assert list(json.loads(spec.canonical())) == sorted(json.loads(spec.canonical()))


def test_records_are_frozen() -> None:
    spec = CountSpec(project_id="p")
    with pytest.raises(ValidationError):
        spec.epsilon = 100.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields",
    [
        {**COUNT, "surprise": 1},
        {**COUNT, "schema_version": 2},
        {**COUNT, "kind": "export"},
        {**COUNT, "project_id": "Not A Name"},
        {**COUNT, "project_id": "../../etc"},
        {**COUNT, "project_id": "p\n"},
        {**COUNT, "project_id": "x" * 41},
        {**COUNT, "epsilon": 0},
        {**COUNT, "epsilon": -1},
        {**COUNT, "epsilon": 1001},
        {**COUNT, "cohort": {"criteria": [{"kind": "sql", "text": "drop table person"}]}},
        {**COUNT, "cohort": {"criteria": [{"kind": "age", "low": 1, "high": 2, "and": 3}]}},
        {**COUNT, "cohort": {"criteria": [{"kind": "age"}] * 51}},
        {**COUNT, "cohort": {"criteria": [{"kind": "condition", "concept_ids": [2**53]}]}},
        {**COUNT, "trusts": ["a"] * 201},
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        parse_spec(json.dumps(fields))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(number: str) -> None:
    with pytest.raises(RecordError):
        parse_spec(f'{{"kind": "count", "project_id": "p", "epsilon": {number}}}')


def test_parsing_a_dictionary_is_parsing_its_json() -> None:
    assert CountSpec.parse(COUNT) == parse_spec(json.dumps(COUNT))
    with pytest.raises(RecordError):
        CountSpec.parse({**COUNT, "epsilon": float("nan")})


def test_every_violation_of_the_schema_is_named_and_no_value_repeated() -> None:
    class Person(Record):
        name: int
        born: int

    with pytest.raises(RecordError) as caught:
        Person.parse('{"name": "Mrs Secret", "born": "1950-01-01"}')
    assert caught.value.record == "Person"
    assert "name" in caught.value.message
    assert "born" in caught.value.message
    assert "Secret" not in str(caught.value)
    assert "1950" not in str(caught.value)


@pytest.mark.parametrize(("public", "audience"), [(True, "public"), (False, "project")])
def test_what_was_asked_of_the_airlock_before_there_were_audiences_is_read(public: bool, audience: str) -> None:
    file = {"path": "a.csv", "content": "sha256:" + "0" * 64, "title": "A table"}
    said = {"purpose": "Table 1 of the paper.", "files": [file], "public": public, "idempotency_key": "k1"}
    assert NewRelease.parse(json.dumps(said)).audience == audience
