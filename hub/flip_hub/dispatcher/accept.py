"""What a Trust answered, verified: pure, bytes in, one of three frozen results out.

Only :func:`accept` makes an :class:`AcceptedUpdate`, and aggregation takes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flip_sdk.contract.records import Record, digest
from flip_sdk.contract.signatures import MAX_JWS_BYTES, PublicKey, verify
from flip_sdk.contract.tasks import (
    MAX_UPDATE_BYTES,
    CancelReceipt,
    Refusal,
    RefusalCode,
    SafeUpdate,
    Step,
    Task,
    inputs_digest,
)
from flip_sdk.errors import RecordError, SignatureError

from flip_hub.dispatcher.errors import ReplyError
from flip_hub.dispatcher.tensors import Shapes, Tensors, read_tensors


@dataclass(frozen=True)
class Expected:
    """What an answer has to agree with.

    Attributes:
        inputs: ``inputs_digest`` of the task.
        shapes: names and shapes of the tensors that were asked for.
    """

    task_id: str
    job_id: str
    trust: str
    step: Step
    round: int
    inputs: str
    shapes: Shapes

    @classmethod
    def of(cls, task: Task, shapes: Shapes) -> Expected:
        """From the task that was sent."""
        return cls(task.task_id, task.job_id, task.trust, task.step, task.round, inputs_digest(task), shapes)


@dataclass(frozen=True)
class AcceptedUpdate:
    """An update whose signature, identity, digests, shapes and numbers were all verified.

    Attributes:
        token: the JWS it came as, kept as evidence.
        content: the safetensors blob; empty where the count was suppressed, and once it is stored.
        tensors: the same as float64 arrays.
    """

    record: SafeUpdate
    token: str
    content: bytes = field(repr=False)
    tensors: Tensors = field(repr=False)


@dataclass(frozen=True)
class Refused:
    """The Trust says no."""

    code: RefusalCode


@dataclass(frozen=True)
class Stopped:
    """The Trust confirms that it stopped."""


Accepted = AcceptedUpdate | Refused | Stopped


def accept(parts: Mapping[str, bytes], key: PublicKey, expected: Expected) -> Accepted:
    """Verify one answer with the Trust's enrolled key.

    Raises:
        ReplyError: with the reason, which holds nothing out of the answer.
    """
    record, token = _signed(parts, key)
    match record:
        case Refusal():
            _agree(record.trust == expected.trust and record.task_id in ("", expected.task_id))
            _agree(record.job_id in ("", expected.job_id))
            return Refused(record.code)
        case CancelReceipt():
            _agree(expected.step == "cancel" and _same_task(record, expected))
            return Stopped()
        case SafeUpdate():
            return _update(record, token, parts.get("tensors", b""), expected)
    raise ReplyError("the answer is of another kind")


def _update(record: SafeUpdate, token: str, content: bytes, expected: Expected) -> AcceptedUpdate:
    _agree(_same_task(record, expected) and (record.step, record.round) == (expected.step, expected.round))
    if record.inputs != expected.inputs:
        raise ReplyError("the update was computed on other inputs")
    if record.suppressed:
        if expected.step != "count" or record.tensors is not None or content:
            raise ReplyError("only a count may be suppressed, and then it holds no numbers")
        return AcceptedUpdate(record, token, b"", {})
    if len(content) > MAX_UPDATE_BYTES:
        raise ReplyError("the tensors are too large")
    if record.tensors is None or digest(content) != record.tensors:
        raise ReplyError("the tensors are not the ones that were signed")
    if expected.step == "prepare" and (record.claim is None or (record.claim.noise_multiplier or 0.0) <= 0):
        raise ReplyError("the update does not say how much noise is in it")
    return AcceptedUpdate(record, token, content, read_tensors(content, expected.shapes))


def _same_task(record: SafeUpdate | CancelReceipt, expected: Expected) -> bool:
    return (record.task_id, record.job_id, record.trust) == (expected.task_id, expected.job_id, expected.trust)


def _agree(agrees: bool) -> None:
    if not agrees:
        raise ReplyError("the answer is for another task or by another Trust")


def _signed(parts: Mapping[str, bytes], key: PublicKey) -> tuple[Record, str]:
    content = parts.get("reply", b"")
    if not content or len(content) > MAX_JWS_BYTES:
        raise ReplyError("there is no signed record in the answer, or it is too large")
    for kind in (SafeUpdate, Refusal, CancelReceipt):
        try:
            return verify(content, key, kind), content.decode("ascii")
        except SignatureError:
            continue
        except RecordError as error:
            raise ReplyError("the signed record does not fit its schema") from error
    raise ReplyError("the signature does not verify with the Trust's enrolled key")
