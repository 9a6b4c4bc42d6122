"""The agent's loop: receive, verify, hand over to a lane, answer. Nothing in it waits for a computation."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from flip_sdk.contract.jobs import EvaluateSpec, TrainSpec
from flip_sdk.contract.signatures import SigningKey
from flip_sdk.contract.states import TaskState
from flip_sdk.contract.tasks import CancelReceipt, KeyShare, RefusalCode

from flip_trust import egress, taskbook
from flip_trust.agent import jobs, log
from flip_trust.agent.carrier import Received
from flip_trust.agent.hub_client import HubUnreachableError
from flip_trust.agent.lanes import Lanes
from flip_trust.agent.run_task import TaskRunner
from flip_trust.audit import Entry
from flip_trust.disclosure.protect import ProtectedUpdate
from flip_trust.errors import LedgerUnavailableError, RefusedError
from flip_trust.keys import PinnedHub
from flip_trust.verify import VerifiedTask, verify_task

_log = logging.getLogger(__name__)
_RECEIVE_SECONDS = 1.0


class Carrier(egress.Carrier, Protocol):
    """The connection to the hub (``flip_trust.agent.carrier.FleetCarrier``)."""

    def receive(self, wait: float = 2.0) -> Received | None:
        """The next message, or None after about ``wait`` seconds."""
        ...


@dataclass(frozen=True)
class _Order:
    verified: VerifiedTask
    received: Received


class Agent:
    """Takes the hub's messages until it is told to stop.

    Args:
        ran: is set after each task that was carried out.
    """

    def __init__(
        self,
        runner: TaskRunner,
        carrier: Carrier,
        key: SigningKey,
        hub: PinnedHub,
        ran: threading.Event | None = None,
    ) -> None:
        self._runner, self._carrier, self._key, self._hub = runner, carrier, key, hub
        self._ran = ran or threading.Event()
        self._config, self._database, self._clock = runner.config, runner.database, runner.clock
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._lanes: Lanes[_Order] = Lanes(
            self._carry_out, engine_workers=self._config.engine_sessions, count_workers=self._config.count_workers
        )

    def recover(self) -> None:
        """After a start: settle what a crash left behind. What was released stays kept; the rest may be asked again.

        Raises:
            LedgerUnavailableError: the database cannot be written.
        """
        for task_id in taskbook.abandon(self._database):
            log.event(_log, "task.abandoned", task=task_id)
        jobs.clean(self._database, self._config)

    def run(self, stop: threading.Event) -> None:
        """Receive until ``stop`` is set, then end what is under way."""
        try:
            while not stop.is_set():
                received = self._carrier.receive(_RECEIVE_SECONDS)
                if received is not None:
                    self.take(received)
        finally:
            self._runner.sessions.close()
            self._lanes.close()

    def take(self, received: Received) -> None:
        """Verify one message, and queue it, act on it or refuse it. Returns at once."""
        try:
            verified = verify_task(
                received.parts,
                hub=self._hub,
                trust=self._config.name,
                now=self._clock(),
                seen=self._seen,
                skew=timedelta(seconds=self._config.clock_skew),
            )
            if verified.task.step == "cancel":
                self._cancel(verified, received)
                return
        except RefusedError as refused:
            self._refuse(refused, received)
            return
        except Exception as error:  # noqa: BLE001 - the boundary: a message must not be able to stop the agent
            log.failure(_log, "message.failed", error)
            self._refuse(RefusedError(RefusalCode.BAD_RECORD), received)
            return
        with self._lock:
            self._pending.add(verified.task.task_id)
        engine = isinstance(verified.job.spec, TrainSpec | EvaluateSpec)
        self._lanes.put(verified.task.job_id, _Order(verified, received), engine=engine)

    def housekeeping(self) -> None:
        """End jobs that are over, and expire answers that nobody asked for again.

        Raises:
            LedgerUnavailableError: the database cannot be written.
        """
        now = self._clock()
        for job_id in jobs.over(self._database, self._config, now):
            self._end(job_id)
        jobs.clean(self._database, self._config)
        taskbook.expire(self._database, now)

    def _seen(self, task_id: str) -> bool:
        with self._lock:
            if task_id in self._pending:
                return True
        return taskbook.is_known(self._database, task_id)

    def _carry_out(self, order: _Order) -> None:
        task, about = order.verified.task, log.about(order.verified.task)
        outgoing = self._runner.run(order.verified)
        self._ran.set()
        try:
            sent = self._send(order.received, outgoing)
            if sent and isinstance(outgoing, ProtectedUpdate | KeyShare):
                with self._database.transaction() as transaction:
                    taskbook.step(transaction, task.task_id, TaskState.REPORTED)
                log.event(_log, "task.reported", **about)
                if jobs.is_last(order.verified):
                    self._end(task.job_id)
        except Exception as error:  # noqa: BLE001 - the boundary: a lane must not die
            log.failure(_log, "report.failed", error, **about)
        finally:
            with self._lock:
                self._pending.discard(task.task_id)

    def _cancel(self, verified: VerifiedTask, received: Received) -> None:
        task = verified.task
        try:
            jobs.cancel(self._database, verified)
        finally:
            # work is stopped even when it cannot be recorded
            dropped = self._lanes.drop(task.job_id)
            self._runner.sessions.stop(task.job_id)
            for order in dropped:
                self._refuse_order(order, RefusalCode.CANCELLED)
        receipt = CancelReceipt(
            task_id=task.task_id, job_id=task.job_id, trust=self._config.name, issued_at=self._clock()
        )
        self._send(received, receipt)
        log.event(_log, "job.cancelled", job=task.job_id)
        jobs.end(self._database, self._config, task.job_id)

    def _refuse_order(self, order: _Order, code: RefusalCode) -> None:
        task = order.verified.task
        with self._lock:
            self._pending.discard(task.task_id)
        self._refuse(RefusedError(code, task.task_id, task.job_id), order.received)

    def _refuse(self, refused: RefusedError, received: Received) -> None:
        """Refuse a message that never became a task here."""
        subject = f"task/{refused.task_id}" if refused.task_id else f"trust/{self._config.name}"
        code = refused.refusal
        try:
            with self._database.transaction() as transaction:
                transaction.write(Entry("agent", "task.refused", subject, {"code": code.value, "job": refused.job_id}))
        except LedgerUnavailableError:
            code = RefusalCode.LEDGER_UNAVAILABLE
        log.event(_log, "task.refused", code=code.value, task=refused.task_id, job=refused.job_id)
        self._send(received, self._runner.refusal(code, refused.task_id, refused.job_id))

    def _send(self, received: Received, outgoing: egress.Outgoing) -> bool:
        try:
            egress.send(self._carrier, received, outgoing, self._key)
        except HubUnreachableError:
            log.event(_log, "answer.kept", level=logging.WARNING)
            return False
        return True

    def _end(self, job_id: str) -> None:
        self._runner.sessions.end(job_id)
        jobs.end(self._database, self._config, job_id)
