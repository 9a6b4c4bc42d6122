"""One transaction's worth of news about a job, and the only function that writes it.

The runner never touches a table: it makes a :class:`Change`, which is committed with its audit entries or not at all.
A crash therefore falls between two changes, never inside one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flip_sdk.contract.api import JobResult
from flip_sdk.contract.jobs import ModelRef, Scaling
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.contract.tasks import RefusalCode
from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from flip_hub.database import (
    Checkpoint,
    Database,
    Entry,
    Job,
    JobEventRow,
    JobResultRow,
    ReceivedUpdate,
    RefusalRow,
    Routine,
    SharedSum,
    TaskRow,
    also,
    now,
)
from flip_hub.dispatcher.accept import Answer
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.events import Happening
from flip_hub.dispatcher.facts import Sum
from flip_hub.errors import ConflictError
from flip_hub.models import BlobStore, keep_model

ACTOR = "dispatcher"


@dataclass(frozen=True)
class NewCheckpoint:
    """A job after a round. The state's bytes are in the blob store already."""

    round: int
    state_digest: str
    scaling: Scaling | None
    history: tuple[dict[str, float], ...]


@dataclass(frozen=True)
class NewModel:
    """A trained model. Its bytes are in the blob store already."""

    model: ModelRef
    lineage: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """The job moves along its state table."""

    source: JobState
    target: JobState
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """What one transaction writes.

    Attributes:
        entries: audit entries beside the state step's own; without any, ``routine`` says why there is none.
        deliveries: tasks, new or changed.
        sum: with noise shares, the sum that the next answers belong to.
        waits_for: what the job waits for, in words; None leaves it as it is.
    """

    entries: tuple[Entry, ...] = ()
    routine: str = ""
    step: Step | None = None
    deliveries: tuple[Delivery, ...] = ()
    updates: tuple[Answer, ...] = ()
    refusals: tuple[tuple[str, RefusalCode], ...] = ()
    events: tuple[Happening, ...] = ()
    checkpoint: NewCheckpoint | None = None
    result: JobResult | None = None
    model: NewModel | None = None
    sum: Sum | None = None
    waits_for: str | None = None

    def followed_by(self, other: Change) -> Change:
        """Both in one transaction: tasks, audit entries and events of the other come after this one's."""
        return replace(
            self,
            entries=(*self.entries, *other.entries),
            deliveries=(*self.deliveries, *other.deliveries),
            events=(*self.events, *other.events),
        )


def entry(event: str, job_id: str, **details: Any) -> Entry:
    """An audit entry of the dispatcher about a job."""
    return Entry(ACTOR, event, f"job/{job_id}", details)


def commit(database: Database, blobs: BlobStore, job_id: str, change: Change) -> None:
    """Write a change.

    Raises:
        ConflictError: the job is no longer in the state that the change starts from; nothing was written.
    """
    entries = _entries(job_id, change)
    with database.write(entries[0] if entries else Routine(change.routine)) as session:
        for further in entries[1:]:
            also(session, further)
        job = session.get_one(Job, job_id)
        _write_deliveries(session, job_id, change.deliveries)
        _write_answers(session, job_id, change)
        _write_events(session, job_id, change.events)
        if change.checkpoint is not None:
            _write_checkpoint(session, job, change.checkpoint)
        if change.sum is not None:
            session.merge(_sum(job_id, change.sum))
        if change.waits_for is not None:
            job.reason = change.waits_for
        if change.model is not None:
            keep_model(session, blobs, job, change.model.model, change.model.lineage)
        if change.result is not None:
            session.add(JobResultRow(job_id=job_id, content=change.result))
        if change.step is not None:
            _move(job, change.step)


def _entries(job_id: str, change: Change) -> tuple[Entry, ...]:
    if change.step is None:
        return change.entries
    row = JOB.step(change.step.source, change.step.target)
    details = {"reason": change.step.reason} if change.step.reason else {}
    return (*change.entries, entry(row.event, job_id, **details))


def _move(job: Job, step: Step) -> None:
    if job.state != step.source:
        raise ConflictError(f"Job {job.job_id} is {job.state}, not {step.source}.", "Look at it again.")
    job.state, job.reason = step.target, step.reason
    if step.target in JOB.ends():
        job.ended_at = now()


def _write_deliveries(session: Session, job_id: str, deliveries: Sequence[Delivery]) -> None:
    new = [_task(job_id, d) for d in deliveries if d.state is DeliveryState.PLANNED]
    changed = [_task(job_id, d) for d in deliveries if d.state is not DeliveryState.PLANNED]
    if new:
        session.execute(insert(TaskRow), new)
    if changed:
        session.execute(update(TaskRow), changed)


def _task(job_id: str, delivery: Delivery) -> dict[str, Any]:
    return {
        "task_id": delivery.task_id,
        "job_id": job_id,
        "trust": delivery.trust,
        "step": delivery.step,
        "round": delivery.round,
        "sum_attempt": delivery.sum_attempt,
        "attempt": delivery.attempt,
        "state": delivery.state,
        "message_id": delivery.message_id or None,
        "epoch": delivery.epoch,
        "sent_at": delivery.sent_at,
        "expires_at": delivery.expires_at,
    }


def _write_answers(session: Session, job_id: str, change: Change) -> None:
    rows = [_update(job_id, one) for one in change.updates]
    if rows:
        # one that was stored before and could not be read any more gives way
        place = tuple_(ReceivedUpdate.step, ReceivedUpdate.round, ReceivedUpdate.sum_attempt, ReceivedUpdate.trust)
        same = place.in_([(*one.place, one.trust) for one in change.updates])
        session.execute(delete(ReceivedUpdate).where(ReceivedUpdate.job_id == job_id, same))
        session.execute(insert(ReceivedUpdate), rows)
    for trust, code in change.refusals:
        session.merge(RefusalRow(job_id=job_id, trust=trust, code=code, at=now()))


def _update(job_id: str, accepted: Answer) -> dict[str, Any]:
    step, number, sum_attempt = accepted.place
    return {
        "job_id": job_id,
        "step": step,
        "round": number,
        "trust": accepted.trust,
        "sum_attempt": sum_attempt,
        "record": accepted.token,
        "tensors": accepted.blob,
        "received_at": now(),
    }


def _sum(job_id: str, new: Sum) -> SharedSum:
    return SharedSum(
        job_id=job_id,
        step=new.step,
        round=new.number,
        attempt=new.attempt,
        roster=new.roster,
        trusts=list(new.trusts),
        opened_at=now(),
    )


def _write_events(session: Session, job_id: str, events: Sequence[Happening]) -> None:
    if not events:
        return
    last = session.scalar(select(func.max(JobEventRow.sequence)).where(JobEventRow.job_id == job_id)) or 0
    rows = [
        {
            "job_id": job_id,
            "sequence": sequence,
            "at": now(),
            "event": event.event,
            "round": event.round,
            "trust": event.trust,
            "words": event.words,
            "numbers": dict(event.numbers),
        }
        for sequence, event in enumerate(events, start=last + 1)
    ]
    session.execute(insert(JobEventRow), rows)


def _write_checkpoint(session: Session, job: Job, checkpoint: NewCheckpoint) -> None:
    scaling = checkpoint.scaling
    session.add(
        Checkpoint(
            job_id=job.job_id,
            round=checkpoint.round,
            state_digest=checkpoint.state_digest,
            scaling=None if scaling is None else scaling.model_dump(mode="json"),
            history=list(checkpoint.history),
            at=now(),
        )
    )
    job.round = checkpoint.round
