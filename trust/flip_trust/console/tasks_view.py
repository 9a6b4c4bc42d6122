"""What ran, and what was refused: tasks with the jobs that they belong to, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flip_trust.audit import Reader
from flip_trust.console.paging import ON_A_PAGE
from flip_trust.console.words import STEPS

_ROWS = (
    "SELECT task.*, query.kind, query.epsilon, json_extract(seen_job.record, '$.researcher') AS researcher, "
    "seen_job.persons, (SELECT count(*) FROM ledger WHERE ledger.job_id = task.job_id) AS debits, query.answer_of, "
    "(SELECT json_extract(audit.details, '$.reason') FROM audit WHERE task.refusal IS NOT NULL AND "
    "audit.subject = 'task/' || task.task_id AND audit.event = 'task.refused' LIMIT 1) AS why "
    "FROM task LEFT JOIN query USING (job_id) LEFT JOIN seen_job USING (job_id)"
)


@dataclass(frozen=True)
class TaskRow:
    """One task, as a steward reads it.

    Attributes:
        persons: the cohort's exact size, where it was reckoned; for the steward alone.
        epsilon: of the whole job; it is debited once.
        debited: whether the ledger has the job.
        repeated: whether an earlier answer was sent again.
        why: in words that stay here, where a policy refused it.
    """

    task_id: str
    job_id: str
    project_id: str
    at: str
    kind: str
    step: str
    researcher: str
    persons: int | None
    epsilon: float | None
    debited: bool
    repeated: bool
    state: str
    refusal: str
    why: str = ""


def of_project(reader: Reader, project_id: str, offset: int) -> Sequence[TaskRow]:
    """A page of a project's tasks, the newest first."""
    return _rows(reader, "WHERE task.project_id = ? ORDER BY task.received_at DESC", (project_id,), offset)


def of_job(reader: Reader, job_id: str, offset: int = 0) -> Sequence[TaskRow]:
    """A page of a job's tasks, in the order in which they came."""
    return _rows(reader, "WHERE task.job_id = ? ORDER BY task.received_at", (job_id,), offset)


def running(reader: Reader) -> Sequence[TaskRow]:
    """What the agent works on now."""
    return _rows(reader, "WHERE task.state IN ('accepted', 'executed') ORDER BY task.received_at DESC", (), 0)


def count(reader: Reader, column: str, value: str) -> int:
    """How many tasks a project or a job has."""
    known = {"project_id": "project_id", "job_id": "job_id"}[column]
    return int(reader.read(f"SELECT count(*) AS n FROM task WHERE {known} = ?", (value,))[0]["n"])  # noqa: S608


def _rows(reader: Reader, rest: str, parameters: tuple[str, ...], offset: int) -> Sequence[TaskRow]:
    rows = reader.read(f"{_ROWS} {rest} LIMIT ? OFFSET ?", (*parameters, ON_A_PAGE, offset))
    return [
        TaskRow(
            row["task_id"],
            row["job_id"],
            row["project_id"],
            row["received_at"],
            row["kind"] or "",
            STEPS.get(row["step"], row["step"]) + (f", round {row['round']}" if row["round"] else ""),
            row["researcher"] or "",
            row["persons"],
            row["epsilon"],
            bool(row["debits"]),
            bool(row["answer_of"]),
            "expired_task" if row["state"] == "expired" else row["state"],
            row["refusal"] or "",
            row["why"] or "",
        )
        for row in rows
    ]
