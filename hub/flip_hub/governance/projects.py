"""Projects: applying, submitting, suspending, expiring."""

from __future__ import annotations

from collections.abc import Iterator

from flip_sdk.contract.api import ProjectView
from flip_sdk.contract.applications import Application, NewProject, ReviewView
from flip_sdk.contract.check import Violation
from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Database, Entry, Person, Project, Routine, Trust, now
from flip_hub.errors import ConflictError, IncompleteError, InvalidError
from flip_hub.governance import closing, conditions, drafts, submissions
from flip_hub.governance.access import HUB, permit, visible
from flip_hub.governance.office import Office
from flip_hub.governance.when import EXPIRES, move, settle, state_of, stop_jobs
from flip_hub.policy import Subject


def view(project: Project) -> ProjectView:
    """A project as its members and reviewers see it, with the reviews of its present submission."""
    return ProjectView(
        project_id=project.project_id,
        state=state_of(project),
        application=project.application,
        owner=project.owner,
        members=project.members,
        reviews=tuple(
            ReviewView(
                reviewer=review.reviewer,
                organisation=review.organisation,
                decision=review.decision,
                comment=review.comment,
                declared=review.declared,
                decided_at=review.decided_at,
                sign_off=review.sign_off,
            )
            for review in project.reviews
            if review.version == project.version
        ),
        created_at=project.created_at,
        expires_at=project.expires_at,
        version=project.version,
        conditions=tuple(conditions.view(row) for row in conditions.conditions_of(project)),
        reason=project.state_reason,
    )


def create(office: Office, subject: Subject, wanted: NewProject) -> ProjectView:
    """Begin an application.

    Raises:
        DeniedError: only researchers apply.
        ConflictError: the id is taken.
    """
    office.policies.authorise(subject, "apply", HUB)
    entry = Entry(subject.name, "project.created", f"project/{wanted.project_id}")
    entry.details["application"] = wanted.application.digest()
    with office.database.write(entry) as session:
        if session.get(Project, wanted.project_id) is not None:
            raise ConflictError(f"The project id {wanted.project_id} is taken.", "Choose another one.")
        project = Project(
            project_id=wanted.project_id,
            state=ProjectState.DRAFT,
            application=wanted.application,
            owner=subject.name,
            version=0,
            created_at=now(),
            expires_at=wanted.application.ends_at,
            reviews=[],
        )
        session.add(project)
        session.flush()
        return view(project)


def edit(office: Office, subject: Subject, project_id: str, application: Application) -> ProjectView:
    """Change an application before it is submitted (again).

    Raises:
        DeniedError: only its owner edits it.
        NotNowError: it is submitted already.
    """
    entry = Entry(subject.name, "project.edited", f"project/{project_id}", {"application": application.digest()})
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "edit_project", project_id)
        project.application = application
        project.expires_at = application.ends_at
        drafts.drop(session, project_id)
        return view(project)


def submit(office: Office, subject: Subject, project_id: str) -> ProjectView:
    """Hand an application in for review.

    Raises:
        DeniedError: only its owner submits it.
        IncompleteError: it lacks something, names people or Trusts that are unknown, or ends in the past.
        ConflictError: it is submitted already.
    """
    entry = Entry(subject.name, "project.submitted", f"project/{project_id}")
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "submit_project", project_id)
        entry.details.update(move(project, ProjectState.SUBMITTED, subject.name).details)
        if found := problems(session, project):
            raise IncompleteError(found)
        drafts.drop(session, project_id)
        project.version += 1
        submissions.keep(session, project, subject.name)
        entry.details.update(version=project.version, application=project.application.digest())
        return view(project)


def change_state(office: Office, subject: Subject, project_id: str, target: str, reason: str = "") -> ProjectView:
    """Suspend, resume or close a project; the reason is shown to everybody who sees the project.

    Raises:
        DeniedError: only operators do.
        ConflictError: its state does not have this step.
        InvalidError: not a state that an operator sets, or a suspension without a reason.
    """
    events = {
        ProjectState.SUSPENDED: "project.suspended",
        ProjectState.APPROVED: "project.resumed",
        ProjectState.CLOSED: "project.closed",
    }
    if target not in events:
        raise InvalidError(f"An operator does not set {target!r}.", f"Choose one of {', '.join(events)}.")
    wanted = ProjectState(target)
    if wanted is ProjectState.SUSPENDED and not reason.strip():
        raise InvalidError("A suspension needs a reason.", "Say why: the team reads it.")
    entry = Entry(subject.name, events[wanted], f"project/{project_id}")
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "change_project_state", project_id)
        settle(session, project)
        step = move(project, wanted, subject.name)
        if step.event != entry.event:
            raise ConflictError("Only a suspended project resumes.", "Reviewers approve the others.")
        entry.details.update(step.details, reason=reason.strip())
        project.state_reason = reason.strip()
        if wanted is ProjectState.CLOSED:
            closing.begin(session, project, subject.name, reason.strip())
        if wanted is ProjectState.APPROVED:
            project.workspaces_closed_at = None
        if wanted is not ProjectState.APPROVED:
            stop_jobs(session, project)
        return view(project)


def show(office: Office, subject: Subject, project_id: str) -> ProjectView:
    """One project.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
    """
    with office.database.read() as session:
        return view(visible(office, session, subject, project_id))


def expire(database: Database) -> list[str]:
    """Write down every expiry that has come about.

    Returns:
        The projects that expired.
    """
    with database.read() as session:
        past = select(Project).where(Project.state.in_(EXPIRES), Project.expires_at <= now())
        due = [p.project_id for p in session.scalars(past) if state_of(p) != p.state]
    for project_id in due:
        with database.write(Routine("settle() records the expiry itself, once")) as session:
            settle(session, session.get_one(Project, project_id))
    return due


def problems(session: Session, project: Project) -> list[Violation]:
    """Everything that keeps an application from being submitted: of the form, and of what this hub knows."""
    draft = drafts.draft_of(session, project)
    found = [*draft.filled.problems, *_undecided(draft)]
    known = set(session.scalars(select(Person.name).where(Person.active, Person.name.in_(project.members))))
    if strangers := sorted(set(project.members) - known):
        told = f"This hub does not know: {', '.join(strangers)}."
        mend = "Ask the operator to register them, or take them off the team."
        found.append(Violation(rule="person_unknown", where="team", message=told, mend=mend))
    enrolled = set(session.scalars(select(Trust.name).where(Trust.active)))
    if strangers := sorted(set(project.application.trusts) - enrolled):
        told, mend = f"No such Trust is enrolled: {', '.join(strangers)}.", f"Enrolled: {_names(enrolled)}."
        found.append(Violation(rule="trust_unknown", where="trusts", message=told, mend=mend))
    if project.application.ends_at <= now():
        where = "expires_at" if project.application.expires_at <= now() else "references"
        told, mend = "The project would have ended already.", "Give an end in the future."
        found.append(Violation(rule="ends_in_the_past", where=where, message=told, mend=mend))
    return found


def _undecided(draft: drafts.Draft) -> Iterator[Violation]:
    """Fields of which two texts are kept: submitting would lose one."""
    for name, kept in draft.fields.items():
        if kept.rival is not None:
            told = f"{FIELDS[name].label}: Two texts are kept. Choose one."
            yield Violation(rule="two_texts", where=name, message=told)


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
