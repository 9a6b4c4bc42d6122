"""Emergency access: an operator opens it for a reason, a while and one thing; everybody who oversees is told at once.

It reads at the hub, suspends a project or ends a person's sessions. It runs nothing, releases nothing and decides
nothing (``policies/hub/safe_emergencies.cedar``), and somebody else reviews it afterwards.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta

from flip_sdk.contract.emergencies import EmergencyUse, EmergencyView, NewEmergency, ReviewEmergency
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import AuditRow, Database, Emergency, Entry, Person, Project, also, now
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance import sign_ins
from flip_hub.governance.access import HUB
from flip_hub.governance.office import Office
from flip_hub.governance.when import move, settle, stop_jobs
from flip_hub.policy import Object, Subject

LISTED = 200
"""How many the page lists, newest first."""
_ITSELF = "governance"


def open_(office: Office, subject: Subject, wanted: NewEmergency) -> EmergencyView:
    """Open emergency access; suspending and ending sessions are done at once, and over with it.

    Raises:
        DeniedError: not an operator, or from a workspace.
        InvalidError: longer than the hub allows.
        MissingError: no such project, or nobody of this name.
        ConflictError: it is open already, or the project cannot be suspended.
    """
    office.policies.authorise(subject, "open_emergency", HUB)
    most = office.config.emergency_max_hours
    if wanted.hours > most:
        raise InvalidError(f"Emergency access lasts {most} hours at most.", "Open it for less; it can be opened again.")
    moment = now()
    row = Emergency(
        emergency_id=secrets.token_hex(8),
        scope=wanted.scope,
        target=wanted.target.strip(),
        reason=wanted.reason.strip(),
        opened_by=subject.name,
        opened_at=moment,
        expires_at=moment + timedelta(hours=wanted.hours) if wanted.scope == "read" else moment,
    )
    details = {"scope": row.scope, "target": row.target, "reason": row.reason, "expires_at": row.expires_at.isoformat()}
    with office.database.write(Entry(subject.name, "emergency.opened", _subject(row), details)) as session:
        _do(session, subject, row)
        session.add(row)
        session.flush()
        return view(office.config, row, moment)


def end(office: Office, subject: Subject, emergency_id: str) -> EmergencyView:
    """End one before its time.

    Raises:
        DeniedError: neither an operator nor a governance reviewer.
        MissingError: there is none of this id.
        ConflictError: it is over already.
    """
    entry = Entry(subject.name, "emergency.ended", f"emergency/{emergency_id}")
    with office.database.write(entry) as session:
        row = _load(office, session, subject, "end_emergency", emergency_id)
        if not is_open(row, now()):
            raise ConflictError("This emergency access is over already.", "See its page.")
        row.ended_at, row.ended_by = now(), subject.name
        return view(office.config, row, now())


def review(office: Office, subject: Subject, emergency_id: str, wanted: ReviewEmergency) -> EmergencyView:
    """Say whether it was justified, after it ended.

    Raises:
        DeniedError: one's own, or neither an operator nor a governance reviewer.
        MissingError: there is none of this id.
        ConflictError: it is open still, or reviewed already.
    """
    details = {"finding": wanted.finding, "words": wanted.words.strip()}
    entry = Entry(subject.name, "emergency.reviewed", f"emergency/{emergency_id}", details)
    with office.database.write(entry) as session:
        row = _load(office, session, subject, "review_emergency", emergency_id)
        if is_open(row, now()):
            raise ConflictError("This emergency access is open still.", "End it first, or wait until it ends.")
        if row.finding:
            raise ConflictError("This emergency access is reviewed already.", "See its page.")
        _over(row)
        row.finding, row.words = wanted.finding, wanted.words.strip()
        row.reviewed_by, row.reviewed_at = subject.name, now()
        return view(office.config, row, now())


def listed(office: Office, subject: Subject) -> list[EmergencyView]:
    """All of them, newest first; those that wait for a review before the others.

    Raises:
        DeniedError: neither an operator nor a governance reviewer.
    """
    office.policies.authorise(subject, "view_emergencies", HUB)
    chosen = select(Emergency).order_by(Emergency.finding != "", Emergency.opened_at.desc()).limit(LISTED)
    with office.database.read() as session:
        return [view(office.config, row, now()) for row in session.scalars(chosen)]


def show(office: Office, subject: Subject, emergency_id: str) -> EmergencyView:
    """One of them, with everything that was asked for while it was open.

    Raises:
        DeniedError: neither an operator nor a governance reviewer.
        MissingError: there is none of this id.
    """
    office.policies.authorise(subject, "view_emergencies", HUB)
    with office.database.read() as session:
        row = _find(session, emergency_id)
        used = select(AuditRow).where(AuditRow.subject == _subject(row), AuditRow.event == "emergency.used")
        uses = [
            EmergencyUse(at=one.at, what=str(json.loads(one.details).get("what", ""))) for one in session.scalars(used)
        ]
        return view(office.config, row, now()).model_copy(update={"uses": tuple(uses)})


def unfinished(config: HubConfig, session: Session) -> list[EmergencyView]:
    """Those that are open or not reviewed: what everybody who oversees is shown on every page."""
    chosen = select(Emergency).where(Emergency.finding == "").order_by(Emergency.opened_at)
    return [view(config, row, now()) for row in session.scalars(chosen)]


def record_use(database: Database, subject: Subject, what: str) -> None:
    """Write down what a person asks for while theirs are open, before they are shown it."""
    for emergency_id in sorted(emergency_id for _, emergency_id in subject.emergencies):
        entry = Entry(subject.name, "emergency.used", f"emergency/{emergency_id}", {"what": what[:200]})
        with database.write(entry):
            pass


def end_due(database: Database) -> list[str]:
    """Write down those whose time is over.

    Returns:
        Their ids.
    """
    with database.read() as session:
        past = select(Emergency.emergency_id).where(Emergency.ended_at.is_(None), Emergency.expires_at <= now())
        due = list(session.scalars(past))
    for emergency_id in due:
        with database.write(Entry(_ITSELF, "emergency.ended", f"emergency/{emergency_id}")) as session:
            _over(session.get_one(Emergency, emergency_id))
    return due


def is_open(row: Emergency, moment: datetime) -> bool:
    """Whether it gives anything at this moment."""
    return row.ended_at is None and moment < row.expires_at


def view(config: HubConfig, row: Emergency, moment: datetime) -> EmergencyView:
    """An emergency access, as operators and governance reviewers see it."""
    over_at = row.ended_at or row.expires_at
    overdue = moment - over_at > timedelta(days=config.emergency_review_days)
    state = "open" if is_open(row, moment) else "reviewed" if row.finding else "overdue" if overdue else "waiting"
    return EmergencyView.model_validate(
        {
            "emergency_id": row.emergency_id,
            "scope": row.scope,
            "target": row.target,
            "reason": row.reason,
            "opened_by": row.opened_by,
            "opened_at": row.opened_at,
            "expires_at": row.expires_at,
            "ended_at": row.ended_at,
            "ended_by": row.ended_by,
            "state": state,
            "finding": row.finding,
            "words": row.words,
            "reviewed_by": row.reviewed_by,
            "reviewed_at": row.reviewed_at,
        }
    )


def _do(session: Session, subject: Subject, row: Emergency) -> None:
    match row.scope:
        case "read":
            _project(session, row.target)
            chosen = select(Emergency).where(Emergency.opened_by == subject.name, Emergency.target == row.target)
            if any(one.scope == "read" and is_open(one, row.opened_at) for one in session.scalars(chosen)):
                raise ConflictError("You have emergency access to this project already.", "Use that, or end it first.")
        case "suspend":
            _suspend(session, subject, _project(session, row.target), row)
        case _:
            if session.get(Person, row.target) is None:
                raise MissingError(f"Nobody is registered as {row.target}.", "See the list of people.")
            sign_ins.end_each(session, row.target, "operator")
            _over(row)


def _suspend(session: Session, subject: Subject, project: Project, row: Emergency) -> None:
    settle(session, project)
    step = move(project, ProjectState.SUSPENDED, subject.name)
    project.state_reason = row.reason
    stop_jobs(session, project)
    details = {**step.details, "reason": row.reason, "emergency": row.emergency_id}
    also(session, Entry(subject.name, step.event, f"project/{project.project_id}", details))
    _over(row)


def _over(row: Emergency) -> None:
    if row.ended_at is None:
        row.ended_at, row.ended_by = row.expires_at, _ITSELF


def _load(office: Office, session: Session, subject: Subject, action: str, emergency_id: str) -> Emergency:
    office.policies.authorise(subject, "view_emergencies", HUB)
    row = _find(session, emergency_id)
    office.policies.authorise(subject, action, Object(emergency=emergency_id, author=row.opened_by))
    return row


def _find(session: Session, emergency_id: str) -> Emergency:
    row = session.get(Emergency, emergency_id)
    if row is None:
        raise MissingError("There is no such emergency access.", "See the list of them.")
    return row


def _project(session: Session, project_id: str) -> Project:
    project = session.get(Project, project_id)
    if project is None:
        raise MissingError(f"There is no project {project_id}.", "See the list of projects.")
    return project


def _subject(row: Emergency) -> str:
    return f"emergency/{row.emergency_id}"
