"""What a Trust answered, verified: pure, bytes in, one of three frozen results out.

Only :func:`accept` makes an :class:`AcceptedUpdate`, and aggregation takes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from flip_sdk.contract.records import Record, digest
from flip_sdk.contract.signatures import MAX_JWS_BYTES, PublicKey, verify
from flip_sdk.contract.tasks import (
    MAX_UPDATE_BYTES,
    CancelReceipt,
    KeyShare,
    Refusal,
    RefusalCode,
    SafeUpdate,
    Task,
    inputs_digest,
)
from flip_sdk.errors import RecordError, SignatureError

from flip_hub.dispatcher.deliveries import Place
from flip_hub.dispatcher.errors import ReplyError
from flip_hub.dispatcher.tensors import NO_MASKED, Masked, Shapes, Tensors, read_masked, read_tensors


@dataclass(frozen=True)
class Expected:
    """What an answer has to agree with.

    Attributes:
        place: where in the job.
        inputs: ``inputs_digest`` of the task.
        shapes: names and shapes of the tensors that were asked for.
        masked: with noise shares, they come as one masked vector.
    """

    task_id: str
    job_id: str
    trust: str
    place: Place
    inputs: str
    shapes: Shapes
    masked: bool = False

    @classmethod
    def of(cls, task: Task, shapes: Shapes) -> Expected:
        """From the task that was sent."""
        place = (task.step, task.round, task.sum_attempt)
        return cls(task.task_id, task.job_id, task.trust, place, inputs_digest(task), shapes, bool(task.summed))


@dataclass(frozen=True)
class AcceptedUpdate:
    """An update whose signature, identity, digests, shapes and numbers were all verified.

    Attributes:
        token: the JWS it came as, kept as evidence.
        content: the safetensors blob; empty where the count was suppressed, and once it is stored.
        tensors: the same as float64 arrays; none where noise is shared.
        masked: with noise shares, the same as a masked vector, which by itself says nothing.
    """

    record: SafeUpdate
    token: str
    content: bytes = field(repr=False)
    tensors: Tensors = field(repr=False)
    place: Place
    masked: Masked = field(default_factory=NO_MASKED.copy, repr=False)

    @property
    def trust(self) -> str:
        """Whose it is."""
        return self.record.trust

    @property
    def blob(self) -> str | None:
        """Digest of its content."""
        return self.record.tensors

    def kept(self) -> AcceptedUpdate:
        """The same once it is stored: its content need not stay in memory."""
        return replace(self, content=b"")


@dataclass(frozen=True)
class AcceptedKey:
    """A Trust's fresh public key for a job with noise shares: its signature and identity were verified.

    Attributes:
        token: the JWS it came as: the other Trusts get it so, and verify it themselves.
    """

    record: KeyShare
    token: str
    place: Place
    content = b""
    blob = None

    @property
    def trust(self) -> str:
        """Whose it is."""
        return self.record.trust

    def kept(self) -> AcceptedKey:
        """The same once it is stored."""
        return self


@dataclass(frozen=True)
class Refused:
    """The Trust says no."""

    code: RefusalCode


@dataclass(frozen=True)
class Stopped:
    """The Trust confirms that it stopped."""


Answer = AcceptedUpdate | AcceptedKey
"""What is kept of a Trust's answer."""
Accepted = Answer | Refused | Stopped


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
            _agree(expected.place[0] == "cancel" and _same_task(record, expected))
            return Stopped()
        case KeyShare():
            _agree(expected.place[0] == "keys" and _same_task(record, expected))
            return AcceptedKey(record, token, expected.place)
        case SafeUpdate():
            return _update(record, token, parts.get("tensors", b""), expected)
    raise ReplyError("the answer is of another kind")


def _update(record: SafeUpdate, token: str, content: bytes, expected: Expected) -> AcceptedUpdate:
    _agree(_same_task(record, expected) and (record.step, record.round) == expected.place[:2])
    _agree(record.step not in ("keys", "cancel"))
    if record.inputs != expected.inputs:
        raise ReplyError("the update was computed on other inputs")
    if record.suppressed:
        if record.step != "count" or record.tensors is not None or content:
            raise ReplyError("only a count may be suppressed, and then it holds no numbers")
        return AcceptedUpdate(record, token, b"", {}, expected.place)
    if len(content) > MAX_UPDATE_BYTES:
        raise ReplyError("the tensors are too large")
    if record.tensors is None or digest(content) != record.tensors:
        raise ReplyError("the tensors are not the ones that were signed")
    if expected.masked:
        return AcceptedUpdate(record, token, content, {}, expected.place, read_masked(content, expected.shapes))
    if record.step == "prepare" and (record.claim is None or (record.claim.noise_multiplier or 0.0) <= 0):
        raise ReplyError("the update does not say how much noise is in it")
    return AcceptedUpdate(record, token, content, read_tensors(content, expected.shapes), expected.place)


def _same_task(record: SafeUpdate | KeyShare | CancelReceipt, expected: Expected) -> bool:
    return (record.task_id, record.job_id, record.trust) == (expected.task_id, expected.job_id, expected.trust)


def _agree(agrees: bool) -> None:
    if not agrees:
        raise ReplyError("the answer is for another task or by another Trust")


def _signed(parts: Mapping[str, bytes], key: PublicKey) -> tuple[Record, str]:
    content = parts.get("reply", b"")
    if not content or len(content) > MAX_JWS_BYTES:
        raise ReplyError("there is no signed record in the answer, or it is too large")
    for kind in (SafeUpdate, Refusal, CancelReceipt, KeyShare):
        try:
            return verify(content, key, kind), content.decode("ascii")
        except SignatureError:
            continue
        except RecordError as error:
            raise ReplyError("the signed record does not fit its schema") from error
    raise ReplyError("the signature does not verify with the Trust's enrolled key")
