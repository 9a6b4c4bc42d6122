"""The one way to what waits at the airlock: it exists for this person, policy permits it, and its time is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flip_sdk.errors import NotAllowedError
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from flip_hub.database import Ingress, Output, Person, Project, Release, ReleaseRequest, once
from flip_hub.errors import MissingError
from flip_hub.governance.access import object_of, permit
from flip_hub.governance.office import Office
from flip_hub.governance.when import check_when
from flip_hub.policy import Object, Subject

NOBODY = Subject("", "", frozenset())
"""Who is not signed in."""


def item_of(
    session: Session, project: Project, item: str, author: str, known: Mapping[str, str] | None = None
) -> Object:
    """Something at a project's airlock, as the policies see it: whoever asked counts as one of the team."""
    # whether somebody signed is asked of workspaces and jobs, not of what waits at the airlock
    base = object_of(session, project, signatures=False, known=known)
    where = (known or {}).get(author) or _organisation(session, author)
    return replace(
        base,
        item=item,
        author=author,
        members=base.members | {author},
        organisations=base.organisations | {where},
    )


def _organisation(session: Session, name: str) -> str:
    return once(session, ("organisation", name), lambda: session.get_one(Person, name).organisation)


def request_item(session: Session, row: ReleaseRequest, known: Mapping[str, str] | None = None) -> Object:
    """A release request, as the policies see it."""
    return item_of(session, session.get_one(Project, row.project_id), row.request_id, row.requested_by, known)


def load_project(office: Office, session: Session, subject: Subject, action: str, project_id: str) -> Project:
    """A project, for this person to do this with at its airlock: output checkers have no other part in it.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
        DeniedError: they are on its team, but something forbids it.
        NotNowError: the project's state does not have this action.
    """
    project = session.get(Project, project_id)
    if project is not None and office.policies.decide(subject, action, object_of(session, project)).allowed:
        check_when(action, project)
        return project
    return permit(office, session, subject, action, project_id)


def load_request(office: Office, session: Session, subject: Subject, action: str, request_id: str) -> ReleaseRequest:
    """A release request, for this person to do this with.

    Raises:
        MissingError: there is no such request, or this person may not know of it.
        DeniedError: a policy says no.
        NotNowError: the project's state does not have this action.
    """
    together = selectinload(ReleaseRequest.outputs).selectinload(Output.decisions)
    row = session.get(ReleaseRequest, request_id, options=[together])
    if row is None:
        raise MissingError("There is no such release request of yours.", "See the airlock's first page.")
    _authorise(office, subject, ("view_release", action), request_item(session, row))
    check_when(action, session.get_one(Project, row.project_id))
    return row


def load_output(office: Office, session: Session, subject: Subject, action: str, output_id: str) -> Output:
    """One file of a release request, for this person to do this with.

    Raises:
        MissingError: there is no such file, or this person may not know of it.
        DeniedError: a policy says no.
        NotNowError: the project's state does not have this action.
    """
    output = session.get(Output, output_id)
    if output is None:
        raise MissingError("There is no such file at the airlock.", "See the airlock's first page.")
    load_request(office, session, subject, action, output.request_id)
    return output


def load_release(office: Office, session: Session, subject: Subject | None, release_id: str) -> Release:
    """A released file, for this person, or for nobody in particular, to fetch.

    Raises:
        MissingError: there is no such release, or not for them.
        DeniedError: it was revoked.
    """
    missing = MissingError("There is no such release, or not for you.", "Sign in, or ask the project's team.")
    row = session.scalars(select(Release).where(Release.release_id == release_id)).one_or_none()
    if row is None:
        raise missing
    request = session.get_one(ReleaseRequest, row.request_id)
    target = replace(request_item(session, request), item=release_id, audience=row.audience, released=True)
    if not office.policies.decide(subject or NOBODY, "download_release", target).allowed:
        raise missing
    office.policies.authorise(subject or NOBODY, "download_release", replace(target, released=row.revoked_at is None))
    return row


def load_ingress(office: Office, session: Session, subject: Subject, action: str, ingress_id: str) -> Ingress:
    """A file on its way in, for this person to do this with.

    Raises:
        MissingError: there is no such file, or this person may not know of it.
        DeniedError: a policy says no.
        NotNowError: the project's state does not have this action.
    """
    row = session.get(Ingress, ingress_id)
    if row is None:
        raise MissingError("There is no such file on its way in.", "See the airlock's first page.")
    project = session.get_one(Project, row.project_id)
    target = item_of(session, project, ingress_id, row.requested_by)
    _authorise(office, subject, ("view_ingress", action), target)
    check_when(action, project)
    return row


def _authorise(office: Office, subject: Subject, actions: tuple[str, str], target: Object) -> None:
    """Somebody who has no part at the airlock does not learn that there is such a thing."""
    view, action = actions
    if office.policies.decide(subject, action, target).allowed:
        return
    try:
        office.policies.authorise(subject, view, target)
    except NotAllowedError as error:
        checks = subject.roles & {"output checker", "data steward"}
        if checks or subject.name in target.members:
            raise
        raise MissingError("There is no such thing at the airlock for you.", "See the airlock's first page.") from error
    if action != view:
        office.policies.authorise(subject, action, target)
