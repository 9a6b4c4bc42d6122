"""One task through the pipeline: admit, select, compute, protect. What comes back is ready for ``egress``.

Every way out is a typed record: a protected result, or a refusal with its fixed code. An unforeseen error is a refusal
too; its own text stays here.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from flip_sdk.contract.jobs import DPSGD, CountSpec, EvaluateSpec, FullBatch, StatisticsSpec, TrainSpec
from flip_sdk.contract.prepare import weight_of_count
from flip_sdk.contract.states import TaskState
from flip_sdk.contract.tasks import KeyShare, Refusal, RefusalCode

from flip_trust import seen, sharing, taskbook, told
from flip_trust.admission import AcceptedTask, Grounds, admit, require_live
from flip_trust.agent import log
from flip_trust.agent.sessions import Pool, Session, Sessions
from flip_trust.audit import Entry
from flip_trust.cohort import select as cohorts
from flip_trust.cohort import statistics
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.select import CohortSnapshot
from flip_trust.config import TrustConfig
from flip_trust.database import Database, Statement
from flip_trust.disclosure.protect import ProtectedUpdate, protect, repeat
from flip_trust.engine.records import EngineError, RawUpdate
from flip_trust.errors import DisclosureError, LedgerUnavailableError, RefusedError
from flip_trust.verify import VerifiedTask

_log = logging.getLogger(__name__)
Clock = Callable[[], datetime]
_REFUSABLE = (RefusalCode.MODEL_REFUSED, RefusalCode.MODEL_TOO_LARGE, RefusalCode.SANDBOX_MISSING)


@dataclass(frozen=True)
class TaskRunner:
    """Everything that a task needs, put together once."""

    config: TrustConfig
    database: Database
    omop: Omop
    pool: Pool
    sessions: Sessions
    grounds: Grounds
    clock: Clock

    def run(self, verified: VerifiedTask) -> ProtectedUpdate | KeyShare | Refusal:
        """Carry out a verified task, or refuse it. Never raises."""
        task, about = verified.task, log.about(verified.task)
        try:
            return self._run(verified)
        except RefusedError as refused:
            code = refused.refusal
        except Exception as error:  # noqa: BLE001 - the boundary: nothing of an unforeseen error may leave but a code
            log.failure(_log, "task.failed", error, **about)
            code = self._concluded(verified, RefusalCode.ENGINE_FAILED, TaskState.FAILED)
        log.event(_log, "task.refused", code=code.value, **about)
        return self.refusal(code, task.task_id, task.job_id)

    def refusal(self, code: RefusalCode, task_id: str = "", job_id: str = "") -> Refusal:
        """The record of a refusal."""
        return Refusal(task_id=task_id, job_id=job_id, trust=self.config.name, code=code, issued_at=self.clock())

    def _run(self, verified: VerifiedTask) -> ProtectedUpdate | KeyShare:
        accepted = admit(verified, database=self.database, config=self.config, grounds=self.grounds, now=self.clock())
        try:
            if verified.task.step == "keys":
                return self._key_share(accepted)
            return self._repeated(accepted) if accepted.stored else self._computed(accepted)
        except LedgerUnavailableError:
            raise
        except RefusedError as refused:
            code = self._concluded(verified, refused.refusal, TaskState.REFUSED, refused.details)
            raise RefusedError(code) from refused
        except EngineError as error:
            log.failure(_log, "engine.failed", error, job=verified.task.job_id, code=error.code.value)
            refusable = error.code in _REFUSABLE
            state = TaskState.REFUSED if refusable else TaskState.FAILED
            code = error.code if refusable else RefusalCode.ENGINE_FAILED
            raise RefusedError(self._concluded(verified, code, state)) from error

    def _key_share(self, accepted: AcceptedTask) -> KeyShare:
        """This Trust's public key for the job, the same however often it is asked for."""
        task, shared = accepted.verified.task, accepted.sharing
        if shared is None:
            raise DisclosureError("the job shares no noise")
        with self.database.transaction() as transaction:
            require_live(transaction, accepted, self.grounds.rules, self.clock())
            taskbook.step(transaction, task.task_id, TaskState.EXECUTED)
            taskbook.step(transaction, task.task_id, TaskState.PROTECTED)
        return KeyShare(
            task_id=task.task_id,
            job_id=task.job_id,
            trust=task.trust,
            public_key=shared.key.public_hex,
            issued_at=self.clock(),
        )

    def _repeated(self, accepted: AcceptedTask) -> ProtectedUpdate:
        stored, task = accepted.stored, accepted.verified.task
        if stored is None or stored.record is None:
            raise RefusedError(stored.refusal if stored and stored.refusal else RefusalCode.OUT_OF_ORDER)
        update = repeat(accepted, stored.record, stored.tensors, self.clock())
        with self.database.transaction() as transaction:
            require_live(transaction, accepted, self.grounds.rules, self.clock())
            taskbook.step(transaction, task.task_id, TaskState.PROTECTED)
        return update

    def _computed(self, accepted: AcceptedTask) -> ProtectedUpdate:
        task = accepted.verified.task
        raw = self._raw(accepted)
        try:
            protected = protect(accepted, raw, self.config, self.clock())
        except RefusedError as refused:
            # the noisy count was looked at: that is a release, and asking again must not draw new noise
            with self.database.transaction() as transaction:
                kept = self._release(accepted, None, refused.refusal)
                also = seen.sized(task.job_id, raw.persons)
                taskbook.step(transaction, task.task_id, TaskState.REFUSED, kept, *also, refusal=refused.refusal)
            raise
        persons: Statement = ("UPDATE job SET persons = ? WHERE job_id = ?", (protected.persons, task.job_id))
        with self.database.transaction() as transaction:
            require_live(transaction, accepted, self.grounds.rules, self.clock())
            taskbook.step(transaction, task.task_id, TaskState.EXECUTED)
            also = [persons] if protected.persons is not None else []
            also += seen.sized(task.job_id, raw.persons)
            also += sharing.noted(accepted.verified, self.clock())
            also += self._told(accepted, protected)
            taskbook.step(
                transaction, task.task_id, TaskState.PROTECTED, self._release(accepted, protected, None), *also
            )
        return protected

    def _told(self, accepted: AcceptedTask, protected: ProtectedUpdate) -> list[Statement]:
        spec = accepted.verified.job.spec
        if not isinstance(spec, CountSpec):
            return []
        # one that was kept back is noted as well: it is the newest, and shows nothing
        persons, rounding = int(protected.persons or 0), self.config.rounding
        return [told.note(spec.project_id, spec.cohort, persons, spec.epsilon, rounding, self.clock())]

    def _release(
        self, accepted: AcceptedTask, protected: ProtectedUpdate | None, refusal: RefusalCode | None
    ) -> Statement:
        task = accepted.verified.task
        record = protected.update.canonical() if protected else None
        tensors = protected.tensors if protected else None
        code = refusal.value if refusal else None
        values = (task.job_id, task.step, task.round, accepted.verified.inputs, code, record, tensors)
        row = (*values, self.clock().isoformat(), task.sum_attempt)
        return "INSERT INTO release VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row

    def _raw(self, accepted: AcceptedTask) -> RawUpdate:
        job = accepted.verified.job
        if isinstance(job.spec, CountSpec):
            return cohorts.count(accepted, self.omop, self.clock())
        if isinstance(job.spec, StatisticsSpec):
            return statistics.answer(accepted, self.omop, self.config.jobs, self.clock())
        chosen = cohorts.select(accepted, self.omop, self.config.jobs, self.clock())
        if accepted.graph is not None:
            cohorts.keep_graph(self.config.jobs, job.job_id, accepted.graph)

        def opening() -> Session:
            return self.pool.open(chosen.snapshot, chosen.bounds, accepted.graph)

        for may_fail in (True, False):
            try:
                with self.sessions.lend(job.job_id, opening, keep=accepted.graph is not None) as session:
                    return replace(_engine(accepted, chosen, session), persons=chosen.snapshot.count)
            except EngineError as error:
                if error.code != RefusalCode.ENGINE_FAILED or not may_fail:
                    raise
                # a worker that was killed: nothing of it was released, so a fresh one may do it once more
                log.failure(_log, "engine.retried", error, job=job.job_id)
        raise AssertionError

    def _concluded(
        self, verified: VerifiedTask, code: RefusalCode, state: TaskState, details: dict[str, str] | None = None
    ) -> RefusalCode:
        """Record how an accepted task ended without a result, unless that is recorded; returns the code to give."""
        task_id = verified.task.task_id
        try:
            with self.database.transaction() as transaction:
                now = taskbook.state_of(transaction, task_id)
                if now is None:
                    transaction.write(Entry("agent", "task.refused", f"task/{task_id}", {"code": code.value}))
                if now == TaskState.CANCELLED:
                    return RefusalCode.CANCELLED
                if now == TaskState.ACCEPTED:
                    taskbook.step(transaction, task_id, state, refusal=code, details=details)
        except LedgerUnavailableError:
            return RefusalCode.LEDGER_UNAVAILABLE
        return code


def _engine(accepted: AcceptedTask, chosen: CohortSnapshot, session: Session) -> RawUpdate:
    verified = accepted.verified
    spec, weights = verified.job.spec, verified.weights
    if isinstance(spec, TrainSpec) and verified.task.step == "prepare":
        if spec.privacy.scaling == "dp_statistics":
            return session.statistics(weight_of_count(spec))
        persons = np.array([chosen.snapshot.count], dtype=np.float64)
        return RawUpdate({"persons": persons}, sensitivity=weight_of_count(spec), noised=False)
    if weights is None or not isinstance(spec, TrainSpec | EvaluateSpec):
        raise DisclosureError("the task has no weights to compute with")
    if isinstance(spec, EvaluateSpec):
        classes = spec.label.classes
        several = classes > 2
        return (
            session.confusion(weights, verified.scaling, classes)
            if several
            else session.scores(weights, verified.scaling, spec.bins)
        )
    mechanism = spec.privacy.mechanism
    if isinstance(mechanism, FullBatch):
        return session.gradient(weights, verified.scaling, spec.loss, mechanism.max_grad_norm)
    if not isinstance(mechanism, DPSGD):
        return session.sufficient_statistics(verified.scaling, spec.loss)
    noise = getattr(accepted.event, "noise_multiplier", math.nan)
    persons_before = accepted.persons if accepted.persons is not None else math.nan
    return session.dp_sgd(
        weights,
        verified.scaling,
        spec.loss,
        mechanism,
        noise,
        expected_persons=persons_before,
        correction=verified.correction,
    )
