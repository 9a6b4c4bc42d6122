"""Where each job stands at this Trust, and what is deleted when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flip_sdk.contract.jobs import StatisticsSpec, TrainSpec
from flip_sdk.contract.states import TaskState
from flip_sdk.contract.statistics import rounds_of

from flip_trust import sharing, taskbook
from flip_trust.audit import Entry, Reader
from flip_trust.cohort import select as cohorts
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.sums import sharing_of
from flip_trust.verify import VerifiedTask

_LAST_SUM_KEPT = timedelta(minutes=15)


def is_last(verified: VerifiedTask) -> bool:
    """Whether a job needs nothing more of this Trust after this task. A sum may be tried again after the last round."""
    spec = verified.job.spec
    if sharing_of(spec) is not None:
        return False
    if isinstance(spec, StatisticsSpec):
        return verified.task.round + 1 >= rounds_of(spec.question)
    return not isinstance(spec, TrainSpec) or verified.task.round == spec.rounds


def cancel(database: Database, verified: VerifiedTask) -> list[str]:
    """Record that a job is cancelled, whether it began or not; returns the tasks that it had under way."""
    task, job = verified.task, verified.job
    expires = job.expires_at.astimezone(UTC).isoformat()
    values = (job.job_id, task.project_id, job.spec.kind, job.spec.digest(), datetime.now(UTC).isoformat(), expires)
    with database.transaction() as transaction:
        taskbook.offer(transaction, verified)
        stopped = taskbook.cancel(transaction, job.job_id)
        transaction.write(
            Entry("agent", "job.cancelled", f"job/{job.job_id}", {"tasks": stopped}),
            ("INSERT OR IGNORE INTO job VALUES (?, ?, ?, ?, 'cancelled', NULL, ?, ?)", values),
            ("UPDATE job SET state = 'cancelled' WHERE job_id = ?", (job.job_id,)),
        )
        sharing.forget(transaction, job.job_id)
        taskbook.step(transaction, task.task_id, TaskState.CANCELLED, details={"order": "cancel"})
    return stopped


def end(database: Database, config: TrustConfig, job_id: str) -> None:
    """A job is over at this Trust: its frozen cohort, its graph and its key are deleted."""
    cohorts.delete(config.jobs, job_id)
    with database.transaction() as transaction:
        sharing.forget(transaction, job_id)
        if transaction.read("SELECT 1 FROM job WHERE job_id = ? AND state = 'running'", (job_id,)):
            transaction.write(
                Entry("agent", "job.ended", f"job/{job_id}"),
                ("UPDATE job SET state = 'ended' WHERE job_id = ?", (job_id,)),
            )


def over(reader: Reader, config: TrustConfig, now: datetime) -> list[str]:
    """Jobs that never heard of their end: signed off no longer, too old, or of a project that the Trust left.

    A job with noise shares is over once its last round's sum has not been tried again for a while.
    """
    oldest = now - timedelta(hours=config.keep_snapshot_hours)
    rows = reader.read(
        "SELECT job_id FROM job LEFT JOIN consent USING (project_id) LEFT JOIN sharing USING (job_id)"
        " WHERE job.state = 'running'"
        " AND (job.expires_at < ? OR job.accepted_at < ? OR consent.state = 'left' OR sharing.last_at < ?)",
        tuple(moment.astimezone(UTC).isoformat() for moment in (now, oldest, now - _LAST_SUM_KEPT)),
    )
    return [row["job_id"] for row in rows]


def clean(reader: Reader, config: TrustConfig) -> None:
    """Delete folders of jobs that are not running: a crash may have left some."""
    running = {row["job_id"] for row in reader.read("SELECT job_id FROM job WHERE state = 'running'")}
    for folder in config.jobs.iterdir() if config.jobs.exists() else ():
        if folder.name not in running:
            cohorts.delete(config.jobs, folder.name)
