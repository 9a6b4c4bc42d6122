"""Where each task stands: every step is a row of ``contract.states.TASK``, written with its audit event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flip_sdk.contract.states import TASK, TaskState
from flip_sdk.contract.tasks import RefusalCode

from flip_trust.audit import Entry, Reader
from flip_trust.database import Database, Statement, Transaction
from flip_trust.verify import VerifiedTask

IN_FLIGHT = (TaskState.ACCEPTED, TaskState.EXECUTED)


def is_known(reader: Reader, task_id: str) -> bool:
    """Whether a task id was received before."""
    return bool(reader.read("SELECT 1 FROM task WHERE task_id = ?", (task_id,)))


def offer(transaction: Transaction, verified: VerifiedTask, *statements: Statement) -> None:
    """Record a task as received, with whatever belongs to the same step."""
    task = verified.task
    transaction.write(
        Entry("agent", "task.offered", f"task/{task.task_id}", described(verified)),
        (
            "INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)",
            (
                task.task_id,
                task.job_id,
                task.project_id,
                task.step,
                task.round,
                task.attempt,
                verified.inputs,
                TASK.start.value,
                datetime.now(UTC).isoformat(),
                task.expires_at.isoformat(),
            ),
        ),
        *statements,
    )


def described(verified: VerifiedTask) -> dict[str, Any]:
    """What the audit log says about a task."""
    task = verified.task
    summed = {"summed": list(task.summed), "try": task.sum_attempt, "roster": task.roster} if task.summed else {}
    return summed | {
        "order": task.digest(),
        "project": task.project_id,
        "job": task.job_id,
        "spec": verified.job.spec.digest(),
        "step": task.step,
        "round": task.round,
        "attempt": task.attempt,
        "researcher": verified.job.researcher,
    }


def step(
    transaction: Transaction,
    task_id: str,
    target: TaskState,
    *statements: Statement,
    refusal: RefusalCode | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Move a task on, with its audit event and whatever belongs to the same step.

    Raises:
        TransitionError: the table has no such step from where the task stands.
    """
    source = transaction.read("SELECT state FROM task WHERE task_id = ?", (task_id,))[0]["state"]
    row = TASK.step(source, target)
    code = {"code": refusal.value} if refusal else {}
    transaction.write(
        Entry(row.owner, row.event, f"task/{task_id}", code | (details or {})),
        (
            "UPDATE task SET state = ?, refusal = ? WHERE task_id = ?",
            (target.value, refusal.value if refusal else None, task_id),
        ),
        *statements,
    )


def state_of(reader: Reader, task_id: str) -> TaskState | None:
    """Where a task stands; None when it is not known."""
    rows = reader.read("SELECT state FROM task WHERE task_id = ?", (task_id,))
    return TaskState(rows[0]["state"]) if rows else None


def abandon(database: Database) -> list[str]:
    """After a start: fail the tasks that a crash cut short. Nothing of them was released: they may be asked again."""
    with database.transaction() as transaction:
        rows = transaction.read("SELECT task_id FROM task WHERE state IN (?, ?) ORDER BY received_at", IN_FLIGHT)
        for row in rows:
            step(transaction, row["task_id"], TaskState.FAILED, details={"why": "the agent stopped"})
    return [row["task_id"] for row in rows]


def cancel(transaction: Transaction, job_id: str) -> list[str]:
    """Cancel what a job has under way."""
    rows = transaction.read("SELECT task_id FROM task WHERE job_id = ? AND state IN (?, ?)", (job_id, *IN_FLIGHT))
    for row in rows:
        step(transaction, row["task_id"], TaskState.CANCELLED)
    return [row["task_id"] for row in rows]


def expire(database: Database, now: datetime) -> None:
    """Expire tasks whose answer was kept but never taken, once nobody can ask for it under that id any more."""
    with database.transaction() as transaction:
        rows = transaction.read(
            "SELECT task_id FROM task WHERE state = ? AND expires_at < ?",
            (TaskState.PROTECTED, now.astimezone(UTC).isoformat()),
        )
        for row in rows:
            step(transaction, row["task_id"], TaskState.EXPIRED)
