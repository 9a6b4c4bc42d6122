from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flip_sdk.contract.holdings import ConceptHolding, Holdings, HoldingsNoise, ImagingHolding, TableHolding
from flip_sdk.contract.jobs import CountSpec, Scaling
from flip_sdk.contract.notices import (
    BudgetLine,
    CatalogueConcept,
    CatalogueNotice,
    ConsentNotice,
    SignedNotice,
    StatusNotice,
    TrustEnrolment,
    parse_notice,
)
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import SigningKey, verify
from flip_sdk.contract.tasks import (
    REFUSAL_WORDS,
    Measure,
    Refusal,
    RefusalCode,
    SafeUpdate,
    SignedOffJob,
    Task,
    inputs_digest,
)
from flip_sdk.errors import RecordError, SignatureError
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = SigningKey.generate()
JOB = SignedOffJob(
    job_id="j1",
    spec=CountSpec(project_id="p"),
    project_title="A project",
    project_expires_at=NOW + timedelta(days=30),
    trusts=("aldgate",),
    researcher="ada",
    signed_off_by=("rufus", "mina"),
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {
        "task_id": "t1",
        "job_id": "j1",
        "project_id": "p",
        "trust": "aldgate",
        "step": "train",
        "round": 1,
        "attempt": 1,
        "job": KEY.sign(JOB),
        "issued_at": NOW,
        "expires_at": NOW + timedelta(minutes=1),
        **changes,
    }
    return Task(**fields)


def update(**changes: Any) -> dict[str, Any]:
    made = SafeUpdate(
        task_id="t1", job_id="j1", trust="aldgate", step="train", round=1, inputs=digest(b"x"), issued_at=NOW
    )
    return {**json.loads(made.canonical()), **changes}


def test_a_task_carries_its_signed_job() -> None:
    read = verify(KEY.sign(task()), KEY.public, Task)
    assert verify(read.job, KEY.public, SignedOffJob) == JOB


def test_a_job_is_not_taken_for_a_task_nor_an_update_for_a_refusal() -> None:
    with pytest.raises(SignatureError):
        verify(KEY.sign(JOB), KEY.public, Task)
    with pytest.raises(SignatureError):
        verify(KEY.sign(SafeUpdate.parse(update())), KEY.public, Refusal)


@pytest.mark.parametrize(
    "changes",
    [
        {"note": "Mrs Smith, born 1950"},
        {"step": "export"},
        {"round": 501},
        {"round": -1},
        {"trust": "Aldgate"},
        {"task_id": "t" * 65},
        {"task_id": "../x"},
        {"tensors": "md5:0"},
        {"measures": [{"name": "mrs smith", "value": 1}]},
        {"measures": [{"name": "loss", "value": 1}] * 11},
        {"measures": [{"name": "loss", "value": None}]},
        {"claim": {"mechanism": "none"}},
        {"issued_at": "2026-01-01T00:00:00"},
    ],
)
def test_no_free_text_leaves_a_trust(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        SafeUpdate.parse(json.dumps(update(**changes)))
    assert SafeUpdate.parse(json.dumps(update())).measures == ()


def test_measures_are_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Measure(name="loss", value=float("inf"))


def test_every_refusal_has_words() -> None:
    assert set(REFUSAL_WORDS) == set(RefusalCode)
    assert all(REFUSAL_WORDS.values())


def test_a_refusal_may_be_without_a_task_that_could_be_read() -> None:
    assert Refusal(task_id="", trust="a", code=RefusalCode.BAD_SIGNATURE, issued_at=NOW).job_id == ""
    with pytest.raises(RecordError):
        Refusal.parse('{"task_id": "", "trust": "a", "code": "because", "issued_at": "2026-01-01T00:00:00Z"}')


def test_the_inputs_are_the_same_whatever_the_attempt() -> None:
    first = task(weights=digest(b"w"))
    assert inputs_digest(first) == inputs_digest(task(weights=digest(b"w"), attempt=2, task_id="t2"))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": digest(b"other")},
        {"round": 2},
        {"step": "evaluate"},
        {"job_id": "j2"},
        {"scaling": Scaling(shift=(0.0,), scale=(1.0,))},
    ],
)
def test_other_inputs_have_another_digest(changes: dict[str, Any]) -> None:
    assert inputs_digest(task(**changes)) != inputs_digest(task())


HELD = Holdings(
    concepts=(ConceptHolding(concept_id=1, persons=95),),
    imaging=(ImagingHolding(modality="CT", body_part="CHEST", persons=40), ImagingHolding(modality="CT", persons=60)),
    tables=(TableHolding(table="measurement", persons=95, latest="2025-12", recent=60),),
    noise=HoldingsNoise(concepts=4, imaging=9, years=9, tables=8),
    floor=10,
    rounding=5,
    epsilon=1,
    delta=1e-5,
)
NOTICES = (
    ConsentNotice(trust="a", notice_id="n1", project_id="p", state="paused", issued_at=NOW),
    StatusNotice(
        trust="a",
        notice_id="n2",
        version="0.1",
        budgets=(BudgetLine(project_id="p", epsilon=10, epsilon_alone=40, delta=1e-5, spent=3, releases=2),),
        issued_at=NOW,
    ),
    CatalogueNotice(
        trust="a",
        notice_id="n3",
        title="A",
        persons=100,
        persons_epsilon=0.5,
        concepts=(CatalogueConcept(concept_id=1, name="x", domain="Measurement", low=0, high=1),),
        holdings=HELD,
        issued_at=NOW,
    ),
)


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice.kind)
def test_a_notice_reads_back_and_is_signed_in_its_envelope(
    notice: ConsentNotice | StatusNotice | CatalogueNotice,
) -> None:
    assert parse_notice(notice.canonical()) == notice
    envelope = SignedNotice(notice=notice)
    assert verify(KEY.sign(envelope), KEY.public, SignedNotice).notice == notice
    with pytest.raises(SignatureError):
        verify(KEY.sign(notice), KEY.public, SignedNotice)


def test_a_catalogue_from_before_there_were_holdings_reads_as_one_without() -> None:
    content = NOTICES[2].model_dump(mode="json")
    del content["holdings"], content["twin"]
    old = parse_notice(json.dumps(content))
    assert isinstance(old, CatalogueNotice)
    assert old.holdings is None


@pytest.mark.parametrize(
    "changes",
    [
        {"imaging": [{"modality": "CT", "body_part": "MRS SMITH", "persons": 40}]},
        {"imaging": [{"modality": "Mrs Smith", "persons": 40}]},
        {"tables": [{"table": "person_link", "persons": 40}]},
        {"tables": [{"table": "measurement", "persons": 40, "latest": "2025-12-24"}]},
        {"concepts": [{"concept_id": 1, "persons": -5}]},
        {"concepts": [{"concept_id": 1, "persons": 40, "values": [7.5]}]},
        {"noise": {"concepts": 0, "imaging": 9, "years": 9, "tables": 8}},
        {"years": [{"table": "measurement", "year": 2024, "persons": 40}] * 1001},
    ],
)
def test_holdings_have_room_for_numbers_and_public_names_alone(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        Holdings.parse(HELD.model_dump(mode="json") | changes)


@pytest.mark.parametrize(
    "changes", [{"kind": "greeting"}, {"persons": -5}, {"persons": 1.5}, {"patients": ["Mrs Smith"]}, {"trust": "A"}]
)
def test_a_bad_notice_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        parse_notice(json.dumps({**json.loads(NOTICES[2].canonical()), **changes}))


@given(st.binary(max_size=100))
def test_whatever_comes_is_a_notice_or_a_record_error(content: bytes) -> None:
    with pytest.raises(RecordError):
        parse_notice(content)


@pytest.mark.parametrize("key", ["", "A" * 42, "A" * 44, "A" * 42 + "="])
def test_an_enrolment_holds_a_key_of_the_right_length(key: str) -> None:
    good = TrustEnrolment(trust="a", title="A", identity_key=KEY.public.x, node_key="ecdsa-sha2-nistp384 AAAA")
    with pytest.raises(RecordError):
        TrustEnrolment.parse(json.dumps({**json.loads(good.canonical()), "identity_key": key}))
