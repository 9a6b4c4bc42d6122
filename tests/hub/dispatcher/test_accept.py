"""What a Trust answered is verified in every respect before it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from flip_hub.dispatcher.accept import AcceptedKey, AcceptedUpdate, Expected, Refused, Stopped, accept
from flip_hub.dispatcher.errors import ReplyError
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.tasks import CancelReceipt, KeyShare, PrivacyClaim, Refusal, RefusalCode, SafeUpdate
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

KEY = SigningKey.generate()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
INPUTS = digest(b"inputs")
EXPECTED = Expected("task-1", "job-1", "aldgate", ("train", 2, 0), INPUTS, {"w": (2,), "b": (1,)})
GOOD = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}


def update(content: bytes, key: SigningKey = KEY, **changes: object) -> dict[str, bytes]:
    fields = {
        "task_id": "task-1",
        "job_id": "job-1",
        "trust": "aldgate",
        "step": "train",
        "round": 2,
        "inputs": INPUTS,
        "tensors": digest(content),
        "issued_at": NOW,
    }
    return {"reply": key.sign(SafeUpdate(**(fields | changes))).encode(), "tensors": content}


def test_a_good_update_is_accepted_with_its_numbers() -> None:
    accepted = accept(update(save(GOOD)), KEY.public, EXPECTED)
    assert isinstance(accepted, AcceptedUpdate)
    assert accepted.tensors["w"].tolist() == [1.0, 2.0]
    assert accepted.tensors["w"].dtype == np.float64


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": "task-2"},
        {"job_id": "job-2"},
        {"trust": "carrick"},
        {"step": "prepare"},
        {"round": 3},
        {"inputs": digest(b"other")},
        {"tensors": digest(b"other")},
        {"tensors": None},
        {"suppressed": True},
    ],
)
def test_an_update_that_disagrees_with_its_task_is_dropped(change) -> None:
    with pytest.raises(ReplyError):
        accept(update(save(GOOD), **change), KEY.public, EXPECTED)


def test_a_signature_by_another_key_is_dropped() -> None:
    with pytest.raises(ReplyError):
        accept(update(save(GOOD), key=SigningKey.generate()), KEY.public, EXPECTED)


@pytest.mark.parametrize(
    "tensors",
    [
        {"w": np.array([1.0, 2.0])},
        GOOD | {"more": np.zeros(1)},
        GOOD | {"w": np.zeros(3)},
        GOOD | {"w": np.zeros((2, 1))},
        GOOD | {"b": np.array([np.nan])},
        GOOD | {"b": np.array([np.inf])},
        GOOD | {"b": np.array([1], dtype=np.int8)},
        GOOD | {"b": np.array([1], dtype=np.float16)},
    ],
    ids=["missing", "more", "shape", "dimensions", "nan", "infinite", "small integers", "half precision"],
)
def test_tensors_that_were_not_asked_for_are_dropped(tensors) -> None:
    with pytest.raises(ReplyError):
        accept(update(save(tensors)), KEY.public, EXPECTED)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_tensors_are_dropped(content) -> None:
    with pytest.raises(ReplyError):
        accept(update(content), KEY.public, EXPECTED)


@given(st.dictionaries(st.sampled_from(["reply", "tensors", "other"]), st.binary(max_size=300)))
def test_parts_that_are_no_answer_are_dropped(parts) -> None:
    with pytest.raises(ReplyError):
        accept(parts, KEY.public, EXPECTED)


def test_too_large_an_update_is_dropped_unread(monkeypatch) -> None:
    content = save(GOOD)
    monkeypatch.setattr("flip_hub.dispatcher.accept.MAX_UPDATE_BYTES", len(content) - 1)
    with pytest.raises(ReplyError):
        accept(update(content), KEY.public, EXPECTED)


def test_a_count_may_be_suppressed_and_then_holds_no_numbers() -> None:
    expected = replace(EXPECTED, place=("count", 0, 0), shapes={"persons": (1,)})
    parts = update(b"", step="count", round=0, tensors=None, suppressed=True)
    accepted = accept(parts, KEY.public, expected)
    assert isinstance(accepted, AcceptedUpdate)
    assert accepted.tensors == {}
    with pytest.raises(ReplyError):
        accept(parts | {"tensors": save({"persons": np.array([3.0])})}, KEY.public, expected)


def test_prepare_has_to_say_how_much_noise_is_in_it() -> None:
    expected = replace(EXPECTED, place=("prepare", 0, 0), shapes={"persons": (1,)})
    content = save({"persons": np.array([50.0])})
    with pytest.raises(ReplyError):
        accept(update(content, step="prepare", round=0), KEY.public, expected)
    claim = PrivacyClaim(mechanism="gaussian", noise_multiplier=2.0)
    assert accept(update(content, step="prepare", round=0, claim=claim), KEY.public, expected)


def test_a_refusal_is_taken_for_its_own_task_only() -> None:
    def refusal(**changes: str) -> dict[str, bytes]:
        fields = {"task_id": "task-1", "job_id": "job-1", "trust": "aldgate", "code": RefusalCode.BUDGET_EXCEEDED}
        return {"reply": KEY.sign(Refusal(**(fields | changes), issued_at=NOW)).encode()}

    assert accept(refusal(), KEY.public, EXPECTED) == Refused(RefusalCode.BUDGET_EXCEEDED)
    assert accept(refusal(task_id="", job_id=""), KEY.public, EXPECTED) == Refused(RefusalCode.BUDGET_EXCEEDED)
    for change in ({"task_id": "task-2"}, {"job_id": "job-2"}, {"trust": "carrick"}):
        with pytest.raises(ReplyError):
            accept(refusal(**change), KEY.public, EXPECTED)


def test_a_receipt_answers_a_cancel_only() -> None:
    receipt = CancelReceipt(task_id="task-1", job_id="job-1", trust="aldgate", issued_at=NOW)
    parts = {"reply": KEY.sign(receipt).encode()}
    assert accept(parts, KEY.public, replace(EXPECTED, place=("cancel", 0, 0))) == Stopped()
    with pytest.raises(ReplyError):
        accept(parts, KEY.public, EXPECTED)


MASKED = replace(EXPECTED, place=("train", 2, 3), masked=True)
VECTOR = np.array([0, 1, 2**64 - 1], dtype=np.uint64)


def test_a_masked_vector_is_taken_as_it_is() -> None:
    accepted = accept(update(save({"masked": VECTOR})), KEY.public, MASKED)
    assert isinstance(accepted, AcceptedUpdate)
    assert accepted.place == ("train", 2, 3)
    assert accepted.masked.tolist() == VECTOR.tolist()
    assert accepted.tensors == {}


@pytest.mark.parametrize(
    "tensors",
    [
        GOOD,
        {"masked": VECTOR[:2]},
        {"masked": VECTOR.reshape(3, 1)},
        {"masked": VECTOR.astype(np.int64)},
        {"masked": VECTOR.astype(np.float64)},
        {"masked": VECTOR, "persons": np.array([5.0])},
    ],
    ids=["in the clear", "too short", "shape", "signed", "floats", "a number in the clear beside it"],
)
def test_anything_but_the_masked_vector_is_dropped(tensors) -> None:
    with pytest.raises(ReplyError):
        accept(update(save(tensors)), KEY.public, MASKED)


def test_a_masked_vector_is_no_answer_where_noise_is_not_shared() -> None:
    with pytest.raises(ReplyError):
        accept(update(save({"masked": VECTOR})), KEY.public, EXPECTED)


def test_a_key_answers_the_exchange_of_keys_only() -> None:
    def share(**changes: str) -> dict[str, bytes]:
        fields = {"task_id": "task-1", "job_id": "job-1", "trust": "aldgate", "public_key": "ab" * 32}
        return {"reply": KEY.sign(KeyShare(**(fields | changes), issued_at=NOW)).encode()}

    keys = replace(EXPECTED, place=("keys", 0, 0), shapes={})
    accepted = accept(share(), KEY.public, keys)
    assert isinstance(accepted, AcceptedKey)
    assert accepted.token == share()["reply"].decode()
    for change in ({"task_id": "task-2"}, {"job_id": "job-2"}, {"trust": "carrick"}):
        with pytest.raises(ReplyError):
            accept(share(**change), KEY.public, keys)
    with pytest.raises(ReplyError):
        accept(share(), KEY.public, EXPECTED)
    with pytest.raises(ReplyError):
        accept(update(b"", step="keys", round=0, tensors=None), KEY.public, keys)
