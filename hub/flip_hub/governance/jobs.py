"""Reading jobs: their state, their steps and their results."""

from __future__ import annotations

from flip_sdk.contract.api import JobEvent, JobEvents, JobResult, JobView, RefusalView
from flip_sdk.contract.states import JobState
from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flip_hub.database import Job, JobEventRow, JobResultRow, RefusalRow
from flip_hub.errors import ConflictError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

EVENTS_PER_PAGE = 1000


def load(office: Office, session: Session, subject: Subject, action: str, job_id: str) -> Job:
    """A job, for this person to do this with.

    Raises:
        MissingError: there is no such job, or it is none of this person's projects'.
        DeniedError: a policy says no.
        NotNowError: the project's state does not have this action.
    """
    job = session.get(Job, job_id)
    missing = MissingError(f"There is no job {job_id} of yours.", "See project.jobs().")
    if job is None:
        raise missing
    try:
        permit(office, session, subject, action, job.project_id)
    except MissingError as error:
        raise missing from error
    return job


def view(session: Session, job: Job) -> JobView:
    """A job's state, with the Trusts that refused."""
    chosen = select(RefusalRow).where(RefusalRow.job_id == job.job_id).order_by(RefusalRow.trust)
    return JobView(
        job_id=job.job_id,
        project_id=job.project_id,
        kind=job.kind,
        state=JobState(job.state),
        reason=job.reason,
        round=job.round,
        rounds=job.rounds,
        trusts=tuple(job.trusts),
        refusals=tuple(
            RefusalView(trust=row.trust, code=RefusalCode(row.code), words=REFUSAL_WORDS[RefusalCode(row.code)])
            for row in session.scalars(chosen)
        ),
        submitted_by=job.submitted_by,
        submitted_at=job.submitted_at,
        ended_at=job.ended_at,
    )


def jobs_of(office: Office, session: Session, subject: Subject, project_id: str) -> list[JobView]:
    """A project's jobs, newest first."""
    project = permit(office, session, subject, "view_jobs", project_id)
    chosen = select(Job).where(Job.project_id == project.project_id).order_by(Job.submitted_at.desc(), Job.job_id)
    return [view(session, job) for job in session.scalars(chosen)]


def events_after(session: Session, job: Job, after: int) -> JobEvents:
    """A job's steps after one of them, and its state."""
    chosen = (
        select(JobEventRow)
        .where(JobEventRow.job_id == job.job_id, JobEventRow.sequence > after)
        .order_by(JobEventRow.sequence)
        .limit(EVENTS_PER_PAGE)
    )
    events = tuple(
        JobEvent(
            sequence=row.sequence,
            at=row.at,
            event=row.event,
            round=row.round,
            trust=row.trust,
            words=row.words,
            numbers=row.numbers,
        )
        for row in session.scalars(chosen)
    )
    return JobEvents(job=view(session, job), events=events)


def progress(session: Session, job_ids: list[str]) -> dict[str, tuple[int, str]]:
    """Last event and state of several jobs, in one query."""
    chosen = (
        select(Job.job_id, func.coalesce(func.max(JobEventRow.sequence), 0), Job.state)
        .outerjoin(JobEventRow, JobEventRow.job_id == Job.job_id)
        .where(Job.job_id.in_(job_ids))
        .group_by(Job.job_id, Job.state)
    )
    return {job_id: (last, state) for job_id, last, state in session.execute(chosen)}


def result(office: Office, session: Session, subject: Subject, job_id: str) -> JobResult:
    """What a completed job released.

    Raises:
        ConflictError: it has not completed.
    """
    job = load(office, session, subject, "view_result", job_id)
    row = session.get(JobResultRow, job_id)
    if row is None:
        reason = f" {job.reason}" if job.reason else ""
        raise ConflictError(f"The job is {job.state} and has no result.{reason}", "Wait for it, or submit it again.")
    return told(row, job)


def told(row: JobResultRow, job: Job) -> JobResult:
    """A result as it is shown: with the time at which its job ended."""
    return row.content.model_copy(update={"completed_at": job.ended_at})
