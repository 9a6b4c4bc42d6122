"""A Trust that is only played: it signs real answers, and keeps the contract's rules about replays and repeats.

Its numbers are made up, but the same task inputs always give the same ones, so that a job which was interrupted and
resumed can be compared with one that was not. Give :meth:`PlayedTrust.respond` to a ``FakeCarrier``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.records import Record, digest
from flip_sdk.contract.signatures import PublicKey, SigningKey, verify
from flip_sdk.contract.tasks import (
    CancelReceipt,
    PrivacyClaim,
    Refusal,
    RefusalCode,
    SafeUpdate,
    SignedOffJob,
    Task,
    inputs_digest,
)
from safetensors.numpy import save

from flip_hub.dispatcher.tensors import Shapes, Tensors, expected_shapes, shapes_of
from flip_hub.dispatcher.testing_shares import PlayedShares

Parts = Mapping[str, bytes]
Release = tuple[str, bytes]
PERSONS = 100.0


def _agree(task: Task) -> RefusalCode | None:  # noqa: ARG001 - the shape of `refuse`
    return None


@dataclass
class PlayedTrust:
    """One Trust's side of the wire.

    Attributes:
        refuse: why it refuses a task, or None. Asked after the signatures were verified.
        tamper: changes the parts of an answer on their way out, to play a broken or hostile Trust.
        silent: takes tasks and never answers.
        tasks: every task it verified, in order.
        debited: jobs in its ledger.
        released: (job, step, round) → inputs and tensors; with noise shares, of the last try.
        shares: its part in noise shares.
    """

    name: str
    dispatcher: PublicKey
    governance: PublicKey
    key: SigningKey = field(default_factory=SigningKey.generate)
    refuse: Callable[[Task], RefusalCode | None] = _agree
    tamper: Callable[[dict[str, bytes]], dict[str, bytes]] = dict
    silent: bool = False
    tasks: list[Task] = field(default_factory=list)
    debited: set[str] = field(default_factory=set)
    released: dict[tuple[str, str, int], Release] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.shares = PlayedShares(self.name, {self.name: self.key.public})
        self._seen: set[str] = set()
        self._shapes: dict[str, Shapes] = {}

    def respond(self, parts: Parts) -> dict[str, bytes] | None:
        """Answer one message."""
        task = verify(parts["task"], self.dispatcher, Task)
        job = verify(task.job, self.governance, SignedOffJob)
        if task.trust != self.name or self.name not in job.trusts:
            raise AssertionError(f"{self.name} got a task that is not for it")
        self.tasks.append(task)
        answer = self._answer(task, job, parts)
        return None if self.silent else self.tamper(answer)

    def restart(self) -> None:
        """Forget what only memory held: models, not the ledger and not what was released."""
        self._shapes.clear()

    def _answer(self, task: Task, job: SignedOffJob, parts: Parts) -> dict[str, bytes]:
        if task.task_id in self._seen:
            return self._refusal(task, RefusalCode.REPLAYED)
        self._seen.add(task.task_id)
        if task.step == "cancel":
            self.cancelled.add(task.job_id)
            receipt = CancelReceipt(task_id=task.task_id, job_id=task.job_id, trust=self.name, issued_at=_now())
            return {"reply": self.key.sign(receipt).encode()}
        if task.step == "keys":
            refused = self.refuse(task)
            return self._refusal(task, refused) if refused else {"reply": self._sign(self.shares.key_share(task))}
        if task.graph is not None:
            assert digest(parts["graph"]) == task.graph
            self._shapes[task.job_id] = shapes_of(parts["graph"])
        if task.weights is not None:
            assert digest(parts["weights"]) == task.weights
        code = RefusalCode.CANCELLED if task.job_id in self.cancelled else self.refuse(task)
        return self._refusal(task, code) if code else self._release(task, job, parts)

    def _release(self, task: Task, job: SignedOffJob, parts: Parts) -> dict[str, bytes]:
        if task.step in {"train", "evaluate"} and task.job_id not in self._shapes:
            return self._refusal(task, RefusalCode.GRAPH_MISSING)
        inputs, release = inputs_digest(task), (task.job_id, task.step, task.round)
        if release not in self.released or (task.summed and self.released[release][0] != inputs):
            if code := self.shares.objection(task, job) if task.summed else None:
                return self._refusal(task, code)
            self.debited.add(task.job_id)
            self.released[release] = (inputs, self._tensors(task, job.spec, parts))
        if self.released[release][0] != inputs:
            return self._refusal(task, RefusalCode.OUT_OF_ORDER)
        return self._update(task, inputs, self.released[release][1])

    def _tensors(self, task: Task, spec: AnySpec, parts: Parts) -> bytes:
        parameters = self._shapes.get(task.job_id, {})
        numbers = self._numbers(spec, task, expected_shapes(spec, task.step, parameters))
        if not task.summed:
            return bytes(save(numbers))
        assert isinstance(spec, TrainSpec)
        return self.shares.masked(task, spec, parts, parameters, numbers)

    def _update(self, task: Task, inputs: str, tensors: bytes) -> dict[str, bytes]:
        update = SafeUpdate(
            task_id=task.task_id,
            job_id=task.job_id,
            trust=self.name,
            step=task.step,
            round=task.round,
            inputs=inputs,
            tensors=digest(tensors),
            claim=PrivacyClaim(mechanism="gaussian", noise_multiplier=1.0),
            issued_at=_now(),
        )
        return {"reply": self._sign(update), "tensors": tensors}

    def _refusal(self, task: Task, code: RefusalCode) -> dict[str, bytes]:
        refusal = Refusal(task_id=task.task_id, job_id=task.job_id, trust=self.name, code=code, issued_at=_now())
        return {"reply": self._sign(refusal)}

    def _sign(self, record: Record) -> bytes:
        return self.key.sign(record).encode()

    def _numbers(self, spec: AnySpec, task: Task, shapes: Shapes) -> Tensors:
        # keys are drawn anew in every run of a test, and must not make another job of it
        inputs = f"{task.step} {task.round} {task.weights} {task.sum_attempt}" if task.summed else inputs_digest(task)
        seed = hashlib.sha256(f"{self.name} {inputs}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(seed[:8], "big"))
        numbers = {name: generator.normal(size=shape) for name, shape in sorted(shapes.items())}
        if isinstance(spec, EvaluateSpec):
            numbers = {name: np.round(20 + 5 * value) for name, value in numbers.items()}
        if "persons" in numbers:
            numbers["persons"] = np.array([PERSONS])
        if "sum_of_squares" in numbers:
            numbers["sum_of_squares"] = PERSONS * 0.3 + numbers["sum_of_squares"]
        return numbers


def _now() -> datetime:
    return datetime.now(UTC)
