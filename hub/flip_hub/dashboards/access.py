"""Who may see which dashboard: its audience the one that is shown, its own project's team every version."""

from __future__ import annotations

from dataclasses import replace

from flip_sdk.contract.states import OutputState
from flip_sdk.errors import NotAllowedError
from sqlalchemy.orm import Session

from flip_hub.airlock.access import NOBODY, item_of
from flip_hub.dashboards.guests import guests_of
from flip_hub.dashboards.versions import CLOSED, newest, shown
from flip_hub.database import DashboardVersion, Entry, Project
from flip_hub.errors import DeniedError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office, identify
from flip_hub.policy import Object, Subject


def item(session: Session, row: DashboardVersion) -> Object:
    """A version, as the policies see it."""
    project = session.get_one(Project, row.project_id)
    seen = item_of(session, project, f"{row.project_id}/{row.name}", row.published_by)
    is_released = row.state == OutputState.RELEASED
    guests = guests_of(session, row, project) if is_released else frozenset()
    return replace(seen, audience=row.audience, released=is_released, guests=guests)


def viewable(
    office: Office, session: Session, subject: Subject | None, project_id: str, name: str, version: int | None = None
) -> DashboardVersion:
    """The version that this person, or somebody who is not signed in, sees.

    Without a number it is the one that is shown, and for its team the newest draft while none is. Whoever chooses which
    version is shown sees each released one.

    Raises:
        NotAllowedError: it is for others, or not at this moment.
        MissingError: there is no such dashboard, or it was revoked.
    """
    row = shown(session, project_id, name)
    if row is not None and version in (None, row.version):
        target = item(session, row)
        if office.policies.decide(subject or NOBODY, "view_released_dashboard", target).allowed:
            return row
        if subject is None:
            office.policies.authorise(NOBODY, "view_released_dashboard", target)
    elif subject is not None and version is not None and _chooses(office, session, subject, project_id, name, version):
        return session.get_one(DashboardVersion, (project_id, name, version))
    if subject is None:
        raise MissingError("There is no such dashboard for everybody.", "Sign in, or ask who gave you its address.")
    _check_team(office, session, subject, project_id)
    found = (
        newest(session, project_id, name)
        if version is None
        else session.get(DashboardVersion, (project_id, name, version))
    )
    if found is None or found.state in CLOSED:
        raise MissingError(f"The project {project_id} has no open dashboard “{name}”.", "Look at the project's page.")
    return found


def may_view(office: Office, person: str, project_id: str, name: str, version: int | None = None) -> DashboardVersion:
    """The version that a signed-in person sees; a refusal is written down.

    Raises:
        NotAllowedError: it is for others, or not at this moment.
        MissingError: there is no such dashboard, or it was revoked.
    """
    try:
        with office.database.read() as session:
            return viewable(office, session, identify(session, person), project_id, name, version)
    except NotAllowedError as error:
        details = {"action": "view_dashboard", "dashboard": name, "reason": error.message}
        details["policy"] = getattr(error, "policy", "")
        with office.database.write(Entry(person, "access.denied", f"project/{project_id}", details)):
            pass
        raise


def _chooses(office: Office, session: Session, subject: Subject, project_id: str, name: str, version: int) -> bool:
    row = session.get(DashboardVersion, (project_id, name, version))
    actions = ("view_released_dashboard", "show_dashboard_version")
    return row is not None and all(
        office.policies.decide(subject, action, item(session, row)).allowed for action in actions
    )


def _check_team(office: Office, session: Session, subject: Subject, project_id: str) -> None:
    try:
        permit(office, session, subject, "view_dashboard", project_id)
    except MissingError as error:
        raise DeniedError(error.message, error.mend, "projects.view_own") from error
