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
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, TrainSpec
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
        released: (job, step, round) → inputs and tensors.
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
        if task.graph is not None:
            assert digest(parts["graph"]) == task.graph
            self._shapes[task.job_id] = shapes_of(parts["graph"])
        if task.weights is not None:
            assert digest(parts["weights"]) == task.weights
        code = RefusalCode.CANCELLED if task.job_id in self.cancelled else self.refuse(task)
        return self._refusal(task, code) if code else self._release(task, job)

    def _release(self, task: Task, job: SignedOffJob) -> dict[str, bytes]:
        if task.step in {"train", "evaluate"} and task.job_id not in self._shapes:
            return self._refusal(task, RefusalCode.GRAPH_MISSING)
        inputs, release = inputs_digest(task), (task.job_id, task.step, task.round)
        if release not in self.released:
            self.debited.add(task.job_id)
            shapes = expected_shapes(job.spec, task.step, self._shapes.get(task.job_id, {}))
            self.released[release] = (inputs, bytes(save(self._numbers(job.spec, task, shapes))))
        if self.released[release][0] != inputs:
            return self._refusal(task, RefusalCode.OUT_OF_ORDER)
        return self._update(task, inputs, self.released[release][1])

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

    def _numbers(self, spec: CountSpec | TrainSpec | EvaluateSpec, task: Task, shapes: Shapes) -> Tensors:
        seed = hashlib.sha256(f"{self.name} {inputs_digest(task)}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(seed[:8], "big"))
        numbers = {name: generator.normal(size=shape) for name, shape in sorted(shapes.items())}
        if isinstance(spec, EvaluateSpec):
            numbers["histogram"] = np.round(20 + 5 * numbers["histogram"])
        if "persons" in numbers:
            numbers["persons"] = np.array([PERSONS])
        if "sum_of_squares" in numbers:
            numbers["sum_of_squares"] = PERSONS * 0.3 + numbers["sum_of_squares"]
        return numbers


def _now() -> datetime:
    return datetime.now(UTC)
