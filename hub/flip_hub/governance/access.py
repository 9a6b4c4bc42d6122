"""The one way to a project: it exists for this person, policy permits the action, and its state has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Person, Project, once
from flip_hub.errors import DeniedError, MissingError
from flip_hub.governance.office import Office
from flip_hub.governance.when import check_when
from flip_hub.policy import Object, Subject

HUB = Object()


def permit(office: Office, session: Session, subject: Subject, action: str, project_id: str) -> Project:
    """The project, for this person to do this with.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
        DeniedError: a policy says no.
        NotNowError: the project's state does not have this action.
    """
    project = visible(office, session, subject, project_id)
    office.policies.authorise(subject, action, object_of(session, project))
    check_when(action, project)
    return project


def visible(office: Office, session: Session, subject: Subject, project_id: str) -> Project:
    """The project, where this person may know of it.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
        DeniedError: they are on its team, but something else forbids it.
    """
    project = session.get(Project, project_id)
    missing = MissingError(f"There is no project {project_id} of yours.", "See your projects on the hub's first page.")
    if project is None:
        raise missing
    decision = office.policies.decide(subject, "view_project", object_of(session, project, signatures=False))
    if decision.allowed:
        return project
    if subject.name in project.members:
        raise DeniedError(decision.reason, decision.mend, decision.policy)
    raise missing


def organisations_of(session: Session, names: Iterable[str]) -> dict[str, str]:
    """The organisations of those of these people whom the hub knows."""
    rows = session.execute(select(Person.name, Person.organisation).where(Person.name.in_(set(names))))
    return {name: organisation for name, organisation in rows}  # noqa: C416


def object_of(
    session: Session, project: Project, *, signatures: bool = True, known: Mapping[str, str] | None = None
) -> Object:
    """A project as the policies see it.

    Args:
        session: the database.
        project: the project.
        signatures: whether to look up who has not signed its agreement; ``view_project`` does not ask. Before approval
            there is nothing to sign yet, and its state keeps everybody out.
        known: :func:`organisations_of` all members at least, where several projects are looked at.
    """
    from flip_hub.governance.agreement import unsigned

    # a session forgets what nobody holds, and would read it again
    once(session, ("held", project.project_id), lambda: project)
    seen = once(session, ("object", project.project_id), lambda: _object(session, project, known))
    if not signatures or project.state != "approved":
        return seen
    return once(session, ("signed", project.project_id), lambda: replace(seen, unsigned=unsigned(session, project)))


def _object(session: Session, project: Project, known: Mapping[str, str] | None) -> Object:
    members = frozenset(project.members)
    where = organisations_of(session, members) if known is None else known
    organisations = {where[name] for name in members if name in where}
    current = [
        review for review in project.reviews if review.version == project.version and review.decision != "recused"
    ]
    return Object(
        project=project.project_id,
        owner=project.owner,
        members=members,
        organisations=frozenset(organisations | {project.application.organisation}),
        submitted=project.version > 0,
        reviewers=frozenset(review.reviewer for review in current),
        recused=frozenset(review.reviewer for review in project.reviews if review.decision == "recused"),
        reviewing_organisations=frozenset(review.organisation for review in current),
    )
