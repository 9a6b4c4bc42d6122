"""One process that holds every job: looks for new ones, pulls answers, and lets each job take its next steps.

It waits where waiting is cheap: for the first answer while something is outstanding, else for the next look at the
database. A job that fails in a way nobody foresaw is read afresh from the database; when that keeps happening, it ends
with a reason, and the others go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from time import monotonic

from flip_sdk.contract.states import JobState
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from flip_hub.database import Job, TaskRow
from flip_hub.dispatcher import events
from flip_hub.dispatcher.changes import Change, Step, commit
from flip_hub.dispatcher.deliveries import OPEN
from flip_hub.dispatcher.errors import SignOffError
from flip_hub.dispatcher.runner import JobRunner
from flip_hub.dispatcher.tools import Tools
from flip_hub.flower.grid import CarrierUnavailableError, Incoming

LOG = logging.getLogger(__name__)
ACTIVE = (JobState.SIGNED_OFF, JobState.EXECUTING)
LOOK_SECONDS = 0.2
PULL_SECONDS = 0.15
PRESENCE_SECONDS = 0.5
RETRY_SECONDS = 1.0
MOST_FAILURES = 5


@dataclass
class Dispatcher:
    """Every job of one hub.

    Attributes:
        runners: by job id.
    """

    tools: Tools
    runners: dict[str, JobRunner] = field(default_factory=dict)
    _cancel_requested: dict[str, bool] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    _online: frozenset[str] | None = None
    _looked_at: float = float("-inf")
    _saw_at: float = float("-inf")

    def serve(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        while not stop.is_set():
            try:
                busy = self.tick()
            except OperationalError:
                # the database is locked or its disk is full: nothing was written, so everything is tried again
                LOG.exception("the database cannot be used at the moment")
                stop.wait(RETRY_SECONDS)
                continue
            if not busy:
                stop.wait(LOOK_SECONDS)

    def tick(self) -> bool:
        """One turn. Returns whether answers are outstanding, so that the next turn waits for them by itself."""
        new = self._look_for_jobs()
        incoming = self._pull(0.0 if new else PULL_SECONDS)
        self._see_trusts()
        for job_id in list(self.runners):
            self._advance(job_id, [item for item in incoming if item.message_id in self.runners[job_id].outstanding])
        self.runners = {job_id: runner for job_id, runner in self.runners.items() if not runner.done}
        return self._online is not None and any(runner.outstanding for runner in self.runners.values())

    def _look_for_jobs(self) -> bool:
        """Take up every job that has not ended, or whose Trusts have still to be told to stop; whether any is new."""
        if monotonic() - self._looked_at < LOOK_SECONDS:
            return False
        with self.tools.database.read() as session:
            rows = session.execute(select(Job.job_id, Job.cancel_requested).where(Job.state.in_(ACTIVE)))
            self._cancel_requested = {row.job_id: row.cancel_requested for row in rows}
            stops = select(TaskRow.job_id).where(TaskRow.step == "cancel", TaskRow.state.in_(OPEN)).distinct()
            wanted = {*self._cancel_requested, *session.scalars(stops)}
        self._looked_at = monotonic()
        new = [job_id for job_id in sorted(wanted - self.runners.keys()) if self._may_try(job_id)]
        for job_id in new:
            self._take_up(job_id)
        return bool(new)

    def _take_up(self, job_id: str) -> None:
        try:
            self.runners[job_id] = JobRunner(job_id, self.tools)
        except SignOffError as error:
            LOG.exception("job %s cannot be run", job_id)
            self._fail(job_id, f"The hub cannot run this job: {error}. Tell the hub's operator.")
        except OperationalError:
            raise
        except Exception:  # as below
            LOG.exception("job %s cannot be read", job_id)
            self._count_failure(job_id)

    def _pull(self, wait: float) -> list[Incoming]:
        ids = [message for runner in self.runners.values() for message in runner.outstanding]
        if not ids:
            return []
        try:
            return self.tools.carrier.pull(ids, wait=wait)
        except CarrierUnavailableError:
            self._online, self._saw_at = None, monotonic()
            return []

    def _see_trusts(self) -> None:
        if not self.runners or monotonic() - self._saw_at < PRESENCE_SECONDS:
            return
        self._saw_at = monotonic()
        try:
            self._online = self.tools.carrier.online()
        except CarrierUnavailableError:
            self._online = None

    def _advance(self, job_id: str, incoming: Collection[Incoming]) -> None:
        runner = self.runners[job_id]
        try:
            if incoming:
                runner.receive(incoming)
            runner.advance(self._online, cancel_requested=self._cancel_requested.get(job_id, False))
            self._failures.pop(job_id, None)
        except CarrierUnavailableError as error:
            LOG.warning("the gateway cannot be reached: %s", error)
            self._online = None
        except OperationalError:
            del self.runners[job_id]
            raise
        except Exception:  # one job's fault must not stop the others; it is logged, and ends the job when it stays
            LOG.exception("job %s: an error that nobody foresaw", job_id)
            self._read_again(job_id)

    def _read_again(self, job_id: str) -> None:
        """Forget what was known of a job, so that the next look reads it from the database."""
        del self.runners[job_id]
        self._count_failure(job_id)

    def _may_try(self, job_id: str) -> bool:
        """A job that failed to go on is left alone for a while: a full disk may have room again by then."""
        return monotonic() >= self._not_before.get(job_id, 0.0)

    def _count_failure(self, job_id: str) -> None:
        self._failures[job_id] = self._failures.get(job_id, 0) + 1
        self._not_before[job_id] = monotonic() + RETRY_SECONDS * 2 ** self._failures[job_id]
        if self._failures[job_id] >= MOST_FAILURES:
            self._fail(job_id, "The hub failed to go on with this job. Its operator finds why in the dispatcher's log.")

    def _fail(self, job_id: str, reason: str) -> None:
        with self.tools.database.read() as session:
            state, number = session.execute(select(Job.state, Job.round).where(Job.job_id == job_id)).one()
        if state in ACTIVE:
            step = Step(JobState(state), JobState.FAILED, reason)
            change = Change(step=step, events=(events.failed(reason, number),))
            commit(self.tools.database, self.tools.blobs, job_id, change)
