"""Publishing a notebook for the project's own members, with the results it may show."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path

from flip_sdk.contract.api import DashboardView, JobResult, PublishDashboard
from flip_sdk.contract.states import OutputState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import BlobUse, Dashboard, Entry, Job, JobResultRow, now
from flip_hub.errors import InvalidError
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

ADDRESS = "/services/dashboards/voila/render/{project}/{name}/notebook.ipynb"


def publish(office: Office, subject: Subject, project_id: str, wanted: PublishDashboard) -> DashboardView:
    """Lay a notebook out for Voila, in place of an earlier one of the same name.

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
        results = _results(session, project_id, wanted.jobs)
        row = session.get(Dashboard, (project_id, wanted.name))
        if row is None:
            row = Dashboard(project_id=project_id, name=wanted.name)
            session.add(row)
        row.state = OutputState.REQUESTED
        row.notebook, row.jobs = wanted.notebook, list(wanted.jobs)
        row.published_by, row.published_at = subject.name, now()
        session.flush()
        _lay_out(office.config.dashboards / project_id, wanted.name, notebook, results)
        return view(row)


def dashboards_of(office: Office, session: Session, subject: Subject, project_id: str) -> list[DashboardView]:
    """A project's dashboards, by name."""
    permit(office, session, subject, "view_dashboard", project_id)
    chosen = select(Dashboard).where(Dashboard.project_id == project_id).order_by(Dashboard.name)
    return [view(row) for row in session.scalars(chosen)]


def view(row: Dashboard) -> DashboardView:
    """A dashboard, with where to look."""
    return DashboardView(
        project_id=row.project_id,
        name=row.name,
        state=OutputState(row.state),
        address=ADDRESS.format(project=row.project_id, name=row.name),
        published_by=row.published_by,
        published_at=row.published_at,
    )


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


def _results(session: Session, project_id: str, jobs: tuple[str, ...]) -> dict[str, JobResult]:
    chosen = (
        select(JobResultRow)
        .join(Job, Job.job_id == JobResultRow.job_id)
        .where(Job.project_id == project_id, JobResultRow.job_id.in_(jobs))
    )
    results = {row.job_id: row.content for row in session.scalars(chosen)}
    if missing := sorted(set(jobs) - results.keys()):
        raise InvalidError(f"No result in this project: {', '.join(missing)}.", "Publish completed jobs only.")
    return results


def _lay_out(folder: Path, name: str, notebook: bytes, results: dict[str, JobResult]) -> None:
    """Write the new layout beside the old one, then swap: Voila never sees a half of it."""
    draft = folder / f".{name}.{secrets.token_hex(8)}"
    try:
        _write(draft / "notebook.ipynb", notebook)
        for job_id, content in results.items():
            _write(draft / "jobs" / f"{job_id}.json", content.canonical())
        old = folder / f".{name}.{secrets.token_hex(8)}"
        target = folder / name
        if target.exists():
            target.rename(old)
        draft.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
