"""Jobs that a person decides on: they wait until a reviewer without a conflict of interest decides, or time is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flip_sdk.contract.api import JobView
from flip_sdk.contract.applications import JobDecision
from flip_sdk.contract.check import Violation
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.pricing import epsilon_of
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from flip_hub.database import Database, Entry, Job, Project, Review, Routine, SignOff, also, now
from flip_hub.errors import ConflictError, InvalidError
from flip_hub.governance.access import object_of, organisations_of
from flip_hub.governance.envelope import hard
from flip_hub.governance.jobs import load, view
from flip_hub.governance.listing import visible_to
from flip_hub.governance.office import Office
from flip_hub.governance.rules import chosen_trusts, violations
from flip_hub.governance.signoff import move, sign_off
from flip_hub.policy import Subject

WAITING = 10
"""Jobs that are shown as waiting for a reviewer."""
_LOOKED_AT = 100
"""Jobs that are looked at for them."""


def ask(office: Office, session: Session, project: Project, job: Job, reasons: Sequence[Violation]) -> None:
    """Let a job wait for a person: at most until the hub's time for decisions, or the project's, is over."""
    until = min(job.submitted_at + timedelta(hours=office.config.decision_hours), project.expires_at)
    job.expires_at = until
    job.reason = f"A reviewer decides until {until:%-d %B %Y, %H:%M} UTC. {' '.join(one.message for one in reasons)}"
    told = [{"rule": one.rule, "words": one.message} for one in reasons]
    session.add(SignOff(job_id=job.job_id, reasons=told, decide_by=until))
    details: dict[str, object] = {"rules": [one.rule for one in reasons], "decide_by": until.isoformat()}
    also(session, Entry("governance", "job.decision_asked", f"job/{job.job_id}", details))


def decide(office: Office, subject: Subject, job_id: str, decision: JobDecision) -> JobView:
    """A reviewer approves or refuses a job; one who names a conflict of interest steps aside, and it goes on waiting.

    Raises:
        MissingError: no such job.
        DeniedError: no reviewer, or one with a conflict of interest.
        NotNowError: the project's state does not have it.
        ConflictError: the job does not wait, or it breaks a rule that nobody at the hub may set aside.
        InvalidError: no reason, or no declaration.
    """
    entry = Entry(subject.name, _event(decision), f"job/{job_id}")
    with office.database.write(entry) as session:
        job = load(office, session, subject, "sign_off_job", job_id)
        session.refresh(job, with_for_update=True)
        row, project = _waiting_row(session, job), session.get_one(Project, job.project_id)
        _check(decision)
        entry.details.update(project=job.project_id, declared=decision.conflict.strip() or "none")
        if decision.declares == "conflict":
            project.reviews.append(_stepped_aside(subject, decision))
            return view(session, job)
        reason = decision.reason.strip()
        row.decision, row.decided_by, row.reason, row.decided_at = decision.decision, subject.name, reason, now()
        if decision.decision == "refuse":
            move(session, job, JobState.REJECTED, f"A reviewer refused the job: {reason}")
            entry.details.update(reason=reason)
        else:
            _approve(office, session, project, job, subject, reason)
            entry.details.update(_signed(job, row))
        session.flush()
        return view(session, job)


def cancel(session: Session, job: Job, words: str) -> None:
    """End a job that waits: nobody has begun with it."""
    move(session, job, JobState.CANCELLED, words)


def end_due(database: Database) -> list[str]:
    """End the waiting jobs whose time for a decision is over, or whose project was stopped.

    Returns:
        The jobs.
    """
    due = or_(SignOff.decide_by <= now(), Job.cancel_requested)
    chosen = select(Job.job_id).join(SignOff).where(Job.state == JobState.VALIDATED, due)
    with database.read() as session:
        found = list(session.scalars(chosen))
    for job_id in found:
        with database.write(Routine("the step itself is recorded, once")) as session:
            job = session.get_one(Job, job_id)
            session.refresh(job, with_for_update=True)
            if job.state == JobState.VALIDATED:
                also(session, _ended(session, job))
    return found


def waiting(office: Office, session: Session, subject: Subject) -> list[tuple[Job, SignOff]]:
    """Jobs that this person may decide on now, the most urgent first; at most :data:`WAITING`."""
    if "governance reviewer" not in subject.roles:
        return []
    chosen = (
        select(Job, SignOff, Project)
        .join(SignOff, SignOff.job_id == Job.job_id)
        .join(Project, Project.project_id == Job.project_id)
        .where(Job.state == JobState.VALIDATED, Job.cancel_requested.is_(False), SignOff.decide_by > now())
        .where(visible_to(subject))
        .order_by(SignOff.decide_by, Job.job_id)
        .limit(_LOOKED_AT)
        .options(selectinload(Project.reviews))
    )
    rows = session.execute(chosen).all()
    known = organisations_of(session, (name for _, _, project in rows for name in project.members))
    targets = {p.project_id: object_of(session, p, signatures=False, known=known) for _, _, p in rows}
    judged = office.policies.allowed(subject, "sign_off_job", list(targets.values())) if targets else []
    mine = {name for name, allowed in zip(targets, judged, strict=True) if allowed}
    return [(job, row) for job, row, project in rows if project.project_id in mine][:WAITING]


def _event(decision: JobDecision) -> str:
    if decision.declares == "conflict":
        return "job.conflict_declared"
    target = JobState.SIGNED_OFF if decision.decision == "approve" else JobState.REJECTED
    return JOB.step(JobState.VALIDATED, target).event


def _waiting_row(session: Session, job: Job) -> SignOff:
    row = session.get(SignOff, job.job_id)
    if row is None or job.state != JobState.VALIDATED:
        raise ConflictError(f"The job is {str(job.state).replace('_', ' ')}: it waits for nobody.", "Load it again.")
    if job.cancel_requested or row.decide_by <= now():
        raise ConflictError("The job was cancelled, or its time for a decision is over.", "It has to be sent again.")
    return row


def _check(decision: JobDecision) -> None:
    if decision.declares is None:
        raise InvalidError(
            "You have not said whether you have a conflict of interest.", "Declare that you have none, or name it."
        )
    if decision.declares == "conflict" and not decision.conflict.strip():
        raise InvalidError("You have not named your conflict of interest.", "Say in a few words what it is.")
    if decision.declares == "none" and not decision.reason.strip():
        raise InvalidError("A decision needs a reason.", "Say why: the researcher reads it, and it stays.")


def _approve(office: Office, session: Session, project: Project, job: Job, subject: Subject, reason: str) -> None:
    """Sign the job off for those of its Trusts that still take part: a person adds no Trust and no right at one."""
    if found := hard(violations(office, session, project, job.spec)):
        told = " ".join(one.message for one in found)
        raise ConflictError(f"Nobody at the hub may set this aside: {told}", "Refuse the job, or wait.")
    now_willing = set(chosen_trusts(office, session, project, job.spec))
    trusts = [name for name in job.trusts if name in now_willing]
    if not trusts:
        raise ConflictError("No Trust of this job takes part any more.", "Refuse the job.")
    job.trusts, job.reason = trusts, ""
    sign_off(office, project, job, subject.name)
    move(session, job, JobState.SIGNED_OFF, f"A reviewer signed it off for {', '.join(trusts)}: {reason}")


def _signed(job: Job, row: SignOff) -> dict[str, object]:
    rules = [one["rule"] for one in row.reasons]
    cost = {"epsilon": epsilon_of(job.spec), "spec": job.spec_digest}
    return {"trusts": job.trusts, "signed_off": "person", "rules": rules, "reason": row.reason, **cost}


def _stepped_aside(subject: Subject, decision: JobDecision) -> Review:
    return Review(
        version=0,
        reviewer=subject.name,
        organisation=subject.organisation,
        decision="recused",
        comment="",
        declared=decision.conflict.strip(),
        decided_at=now(),
    )


def _ended(session: Session, job: Job) -> Entry:
    if job.cancel_requested:
        event = move(session, job, JobState.CANCELLED, "It was cancelled before anybody decided on it.")
    else:
        event = move(session, job, JobState.REJECTED, "Nobody decided on it in time. Submit it again.")
    return Entry("governance", event, f"job/{job.job_id}", {"project": job.project_id})
