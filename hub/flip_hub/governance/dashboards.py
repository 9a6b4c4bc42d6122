"""Publishing a notebook as a draft for the project's own team, with the results it may show, and its versions."""

from __future__ import annotations

import json

from flip_sdk.contract.api import DashboardView, PublishDashboard
from flip_sdk.contract.states import OutputState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.dashboards.access import item
from flip_hub.dashboards.versions import draft, heading, is_personal, newest, shown, versions_of
from flip_hub.database import BlobUse, Dashboard, DashboardVersion, Entry, Job, JobResultRow, now
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

ADDRESS = "/services/dashboards/voila/render/{project}/{name}/notebook.ipynb"
OF_A_VERSION = "/services/dashboards/voila/render/{project}/{name}/{version}/notebook.ipynb"


def publish(office: Office, subject: Subject, project_id: str, wanted: PublishDashboard) -> DashboardView:
    """Keep a notebook as a new version of a dashboard: a draft for the project's own team.

    Raises:
        DeniedError: not a researcher of the team.
        NotNowError: the project is not approved, or has expired.
        InvalidError: no notebook, or jobs without a result in this project.
    """
    entry = Entry(subject.name, "dashboard.published", f"project/{project_id}")
    entry.details.update(name=wanted.name, notebook=wanted.notebook, jobs=list(wanted.jobs))
    with office.database.write(entry) as session:
        permit(office, session, subject, "publish_dashboard", project_id)
        notebook = _notebook(office, session, project_id, wanted.notebook)
        _check_results(session, project_id, wanted.jobs)
        row = draft(session, project_id, wanted.name)
        row.notebook, row.jobs, row.frames = wanted.notebook, list(wanted.jobs), list(wanted.frames)
        row.title, row.kind = wanted.title or heading(notebook) or wanted.name, wanted.kind
        row.personal = wanted.personal or is_personal(notebook)
        row.published_by, row.published_at = subject.name, now()
        session.flush()
        entry.details.update(version=row.version, personal=row.personal, frames=row.frames)
        return view(session, row)


def dashboards_of(office: Office, session: Session, subject: Subject, project_id: str) -> list[DashboardView]:
    """A project's dashboards by name, each as it is shown; one that is not yet, as its newest draft."""
    permit(office, session, subject, "view_dashboard", project_id)
    chosen = select(Dashboard.name).where(Dashboard.project_id == project_id).order_by(Dashboard.name)
    rows = [shown(session, project_id, name) or newest(session, project_id, name) for name in session.scalars(chosen)]
    return [view(session, row) for row in rows if row is not None]


def history(office: Office, subject: Subject, project_id: str, name: str) -> list[DashboardView]:
    """All versions of a dashboard for its own team, the newest first.

    Raises:
        MissingError: no such project, or it has no such dashboard.
    """
    with office.database.read() as session:
        permit(office, session, subject, "view_dashboard", project_id)
        if not (rows := versions_of(session, project_id, name)):
            raise MissingError(f"The project {project_id} has no dashboard “{name}”.", "Look at the project's page.")
        return [view(session, row) for row in rows]


def show_version(office: Office, subject: Subject, project_id: str, name: str, version: int) -> DashboardView:
    """Show an earlier, or a later, released version instead of the one that is shown.

    Raises:
        MissingError: no such version for this person.
        DeniedError: neither the project's owner nor an output checker who may decide on it.
        ConflictError: it is not released.
    """
    entry = Entry(subject.name, "dashboard.version_shown", f"project/{project_id}", {"name": name, "version": version})
    with office.database.write(entry) as session:
        row = session.get(DashboardVersion, (project_id, name, version))
        if row is None:
            raise MissingError("There is no such version of this dashboard.", "Look at the project's page.")
        office.policies.authorise(subject, "show_dashboard_version", item(session, row))
        if row.state != OutputState.RELEASED:
            raise ConflictError(f"Version {version} is not released.", "Ask for its release at the airlock.")
        dashboard = session.get_one(Dashboard, (project_id, name))
        entry.details["before"], dashboard.shown = dashboard.shown, version
        session.flush()
        return view(session, row)


def view(session: Session, row: DashboardVersion) -> DashboardView:
    """A version, with where to look."""
    dashboard = session.get_one(Dashboard, (row.project_id, row.name))
    is_shown = dashboard.shown == row.version
    template = ADDRESS if is_shown or (dashboard.shown is None and row.version == _last(session, row)) else OF_A_VERSION
    return DashboardView(
        project_id=row.project_id,
        name=row.name,
        version=row.version,
        title=row.title or row.name,
        kind=row.kind,
        state=OutputState(row.state),
        shown=is_shown,
        audience=row.audience,
        personal=row.personal,
        frames=tuple(row.frames),
        address=template.format(project=row.project_id, name=row.name, version=row.version),
        published_by=row.published_by,
        published_at=row.published_at,
        released_at=row.released_at,
    )


def _last(session: Session, row: DashboardVersion) -> int:
    last = newest(session, row.project_id, row.name)
    return last.version if last else 0


def _notebook(office: Office, session: Session, project_id: str, digest: str) -> bytes:
    if session.get(BlobUse, (project_id, digest)) is None:
        raise InvalidError("The project has no such notebook.", "Upload it first, in this project.")
    content = office.blobs.get(digest)
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidError(
            "This is not a Jupyter notebook (nbformat 4).", "Save it as .ipynb and publish again."
        ) from error
    if not isinstance(cells, list):
        raise InvalidError("This is not a Jupyter notebook (nbformat 4).", "Save it as .ipynb and publish again.")
    return content


def _check_results(session: Session, project_id: str, jobs: tuple[str, ...]) -> None:
    chosen = (
        select(JobResultRow.job_id)
        .join(Job, Job.job_id == JobResultRow.job_id)
        .where(Job.project_id == project_id, JobResultRow.job_id.in_(jobs))
    )
    if missing := sorted(set(jobs) - set(session.scalars(chosen))):
        raise InvalidError(f"No result in this project: {', '.join(missing)}.", "Publish completed jobs only.")
