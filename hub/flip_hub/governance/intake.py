"""Taking a job in: all its violations at once, or a signed-off job, or one that waits for a person.

Nothing is half-done.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from flip_sdk.contract.api import JobView, SubmitJob
from flip_sdk.contract.check import Violation
from flip_sdk.contract.jobs import StatisticsSpec, TrainSpec
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.contract.statistics import rounds_of
from flip_sdk.errors import SpecError
from flip_sdk.pricing import epsilon_of
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flip_hub.database import Entry, Job, Project, also, now
from flip_hub.errors import ConflictError
from flip_hub.governance import deciding
from flip_hub.governance.access import permit
from flip_hub.governance.envelope import hard, reasons
from flip_hub.governance.jobs import load, view
from flip_hub.governance.office import Office
from flip_hub.governance.rules import Spec, chosen_trusts, violations
from flip_hub.governance.sharing import sharing_of, trust_model_words
from flip_hub.governance.signoff import sign_off, tell
from flip_hub.policy import Subject


def submit_job(office: Office, subject: Subject, project_id: str, wanted: SubmitJob) -> JobView:
    """Take a job in and sign it off, or let it wait for a reviewer. The same idempotency key again gives the same job.

    Raises:
        MissingError: no such project.
        DeniedError: not a researcher of its team.
        NotNowError: the project is not approved, or has expired.
        ConflictError: the idempotency key was used for another job.
        SpecError: the job breaks rules that nobody may set aside; all that it breaks.
    """
    with office.database.read() as session:
        project = permit(office, session, subject, "submit_job", project_id)
        known = _known(session, subject, project_id, wanted)
        if known is not None:
            return view(session, known)
        found = violations(office, session, project, wanted.spec)
    if hard(found):
        _record_refusal(office, subject, project_id, found)
        raise SpecError(found)
    return _take(office, subject, project_id, wanted)


def cancel_job(office: Office, subject: Subject, job_id: str) -> JobView:
    """Ask for a job to be stopped; what is done is done. A job that ended stays as it is.

    Raises:
        MissingError: no such job.
        DeniedError: neither on its project's team nor an operator.
    """
    with office.database.write(Entry(subject.name, "job.cancel_requested", f"job/{job_id}")) as session:
        job = load(office, session, subject, "cancel_job", job_id)
        session.refresh(job, with_for_update=True)
        if job.state not in JOB.ends():
            job.cancel_requested = True
        if job.state in (JobState.SUBMITTED, JobState.VALIDATED):
            also(session, Entry("governance", "job.cancelled", f"job/{job_id}", {"project": job.project_id}))
            deciding.cancel(session, job, "It was cancelled before anybody decided on it.")
        return view(session, job)


def _take(office: Office, subject: Subject, project_id: str, wanted: SubmitJob) -> JobView:
    job_id = secrets.token_urlsafe(12).replace("-", "x")
    entry = Entry(subject.name, "job.submitted", f"job/{job_id}")
    try:
        with office.database.write(entry) as session:
            project = permit(office, session, subject, "submit_job", project_id)
            trusts = chosen_trusts(office, session, project, wanted.spec)
            if not trusts:
                raise ConflictError("No Trust takes part any more.", "See project.budget(), and submit again.")
            job = _row(job_id, subject, wanted, trusts, now())
            session.add(job)
            session.flush()
            _settle(office, session, project, job, entry)
            session.flush()
            return view(session, job)
    except IntegrityError:
        return _same_again(office, subject, project_id, wanted)


def _same_again(office: Office, subject: Subject, project_id: str, wanted: SubmitJob) -> JobView:
    """Two requests with one idempotency key at once: the second gets the first one's job."""
    with office.database.read() as session:
        known = _known(session, subject, project_id, wanted)
        if known is None:
            raise ConflictError("The job could not be taken.", "Submit it again.")
        return view(session, known)


def _known(session: Session, subject: Subject, project_id: str, wanted: SubmitJob) -> Job | None:
    chosen = select(Job).where(
        Job.project_id == project_id,
        Job.submitted_by == subject.name,
        Job.idempotency_key == wanted.idempotency_key,
    )
    job = session.scalars(chosen).one_or_none()
    if job is not None and job.spec_digest != wanted.spec.digest():
        raise ConflictError("This idempotency key was used for another job.", "Use a new one.")
    return job


def _row(job_id: str, subject: Subject, wanted: SubmitJob, trusts: list[str], moment: datetime) -> Job:
    spec: Spec = wanted.spec
    return Job(
        job_id=job_id,
        project_id=spec.project_id,
        kind=spec.kind,
        spec=spec,
        spec_digest=spec.digest(),
        state=JobState.VALIDATED,
        reason="",
        round=0,
        rounds=_rounds(spec),
        trusts=trusts,
        submitted_by=subject.name,
        idempotency_key=wanted.idempotency_key,
        submitted_at=moment,
        cancel_requested=False,
    )


def _rounds(spec: Spec) -> int:
    if isinstance(spec, StatisticsSpec):
        return rounds_of(spec.question)
    return spec.rounds if isinstance(spec, TrainSpec) else 1


def _settle(office: Office, session: Session, project: Project, job: Job, entry: Entry) -> None:
    """Sign a job off, or ask a person to decide; the steps are those of the state table, for audit and watchers."""
    entry.details.update(project=job.project_id, kind=job.kind, spec=job.spec_digest, epsilon=epsilon_of(job.spec))
    asked = reasons(session, project, job.spec)
    validated = JOB.step(JobState.SUBMITTED, JobState.VALIDATED).event
    also(session, Entry("governance", validated, entry.subject))
    if asked:
        deciding.ask(office, session, project, job, asked)
        tell(session, job, [("job.submitted", "Submitted."), (validated, job.reason)])
        return
    job.state = JobState.SIGNED_OFF
    sign_off(office, project, job)
    signed = JOB.step(JobState.VALIDATED, JobState.SIGNED_OFF).event
    noise = trust_model_words(job.spec, job.trusts) if isinstance(job.spec, TrainSpec) else ""
    words = f"Signed off for {', '.join(job.trusts)}. {noise}".strip()
    tell(session, job, [("job.submitted", "Submitted."), (validated, "Every rule holds."), (signed, words)])
    also(session, Entry("governance", signed, entry.subject, _signed_details(job)))


def _signed_details(job: Job) -> dict[str, object]:
    model = sharing_of(job.spec)
    shared = {"trust_model": "distributed", "min_honest": model.honest_of(len(job.trusts))} if model else {}
    return {"trusts": job.trusts, "project": job.project_id, **shared}


def _record_refusal(office: Office, subject: Subject, project_id: str, found: list[Violation]) -> None:
    details = {"rules": sorted({violation.rule for violation in found})}
    with office.database.write(Entry(subject.name, "job.refused", f"project/{project_id}", details)):
        pass
