"""Signing a job off: automatically inside what reviewers approved, else by the one who decided on it. It expires."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flip_sdk.contract.states import JOB, JobState
from flip_sdk.contract.tasks import SignedOffJob
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flip_hub.database import Job, JobEventRow, Project, now
from flip_hub.governance.office import Office
from flip_hub.keys import signing_key


def approvers(project: Project) -> tuple[str, ...]:
    """Those whose approval of the application an automatic sign-off rests on."""
    return tuple(r.reviewer for r in project.reviews if r.version == project.version and r.decision == "approve")


def sign_off(office: Office, project: Project, job: Job, person: str = "") -> None:
    """Put the signed order on a job: these Trusts, this spec, until this moment, and nothing else.

    Args:
        office: governance.
        project: the job's.
        job: to be signed off.
        person: who decided on it; without, it is automatic.
    """
    moment = now() if person else job.submitted_at
    expires_at = min(moment + timedelta(hours=office.config.sign_off_hours), project.expires_at)
    order = SignedOffJob(
        job_id=job.job_id,
        spec=job.spec,
        project_title=project.application.title,
        project_expires_at=project.expires_at,
        trusts=tuple(job.trusts),
        researcher=job.submitted_by,
        signed_off_by=(person,) if person else approvers(project),
        issued_at=moment,
        expires_at=expires_at,
        signed_off="person" if person else "automatic",
    )
    job.signed_job = signing_key(office.config, "governance").sign(order)
    job.expires_at = expires_at


def move(session: Session, job: Job, target: JobState, words: str) -> str:
    """Make one step of the job's state table and tell its watchers; the reason stays where it ends or waits.

    Returns:
        The step's audit event.
    """
    event = JOB.step(job.state, target).event
    job.state = target
    if target in JOB.ends():
        job.reason, job.ended_at = words, now()
    tell(session, job, [(event, words)])
    return event


def tell(session: Session, job: Job, steps: Sequence[tuple[str, str]]) -> None:
    """Add steps to what the job's watchers read."""
    session.flush()
    last = session.scalar(select(func.max(JobEventRow.sequence)).where(JobEventRow.job_id == job.job_id)) or 0
    for number, (event, words) in enumerate(steps, start=last + 1):
        session.add(JobEventRow(job_id=job.job_id, sequence=number, at=now(), event=event, words=words))
