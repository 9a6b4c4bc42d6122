"""A hub's home with people and projects in it, made by the hub's own code."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat
from flip_hub.config import HubConfig
from flip_hub.dashboards import versions
from flip_hub.database import BlobUse, DashboardLink, Database, Job, JobResultRow, Project, Release, Routine, now
from flip_hub.governance import agreement, dashboards, links
from flip_hub.governance.office import Office, identify
from flip_hub.governance.people import add_person
from flip_hub.home import make_home
from flip_hub.jupyterhub.accounts import set_password
from flip_hub.models import allow_blob
from flip_hub.testing import show_records
from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.api import JobResult, PublishDashboard
from flip_sdk.contract.applications import Application, NewSignature
from flip_sdk.contract.jobs import CountSpec
from flip_sdk.contract.links import AskLink
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select

from demo.notebook_runner import Login

PASSWORD = "a-password-of-the-tests"
ADA, BEN, RUFUS = (Login(name, PASSWORD) for name in ("ada", "ben", "rufus"))
OPEN, DRAFT, OTHER, PASSING = "open-project", "draft-project", "other-project", "passing-project"
REPORT = "report"
JOB = "j1"


def populated_home(path: Path) -> HubConfig:
    """ada and ben are colleagues in two approved projects; rufus reviews, and has a project of his own."""
    config = make_home(path, {}, by="tests")
    database = Database.of(config)
    for login, role in ((ADA, "researcher"), (BEN, "researcher"), (RUFUS, "governance reviewer")):
        add_person(
            database, login.name, display_name=login.name.title(), organisation="Northbridge", roles=(role,), by="tests"
        )
        set_password(config, login.name, login.password)
        show_records(database, login.name)
    with database.write(Routine("made by a test")) as session:
        session.add(project(OPEN, ProjectState.APPROVED, ADA, BEN))
        session.add(project(PASSING, ProjectState.APPROVED, ADA))
        session.add(project(DRAFT, ProjectState.DRAFT, ADA))
        session.add(project(OTHER, ProjectState.APPROVED, BEN))
    database.close()
    sign(config)
    return config


def sign(config: HubConfig) -> None:
    """Everybody signs the agreement of every open project that they are in."""
    office = Office.of(config)
    with office.database.read() as session:
        rows = [row for row in session.scalars(select(Project)) if row.state == ProjectState.APPROVED]
        texts = {row.project_id: (agreement.agreement_of(row).digest, row.members) for row in rows}
    for name, (text, members) in texts.items():
        for person in members:
            with office.database.read() as session:
                subject = identify(session, person)
            agreement.sign(office, subject, name, NewSignature(agreement=text, typed_name=person.title()))


def project(name: str, state: ProjectState, owner: Login, *team: Login) -> Project:
    """A project's row."""
    ends = now() + timedelta(days=30)
    application = Application(
        title=name.title(),
        lay_summary="What this project is about, in words that everybody understands.",
        public_benefit="What everybody gains when this project is done, in plain words.",
        organisation="Northbridge",
        team=tuple(person.name for person in team),
        trusts=("aldgate",),
        epsilon=10,
        expires_at=ends,
    )
    return Project(
        project_id=name, state=state, application=application, owner=owner.name, created_at=now(), expires_at=ends
    )


def set_state(config: HubConfig, name: str, state: ProjectState) -> None:
    """Move a project to a state."""
    database = Database.of(config)
    with database.write(Routine("made by a test")) as session:
        row = session.get(Project, name)
        assert row is not None
        row.state = state
    database.close()


def publish(config: HubConfig, name: str, *cells: str, **about: Any) -> str:
    """Publish a dashboard of the open project, with the result of a job; returns its address."""
    office = Office.of(config)
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# The report"), *code])
    content = nbformat.writes(notebook).encode()
    digest = office.blobs.put(content)
    with office.database.write(Routine("made by a test")) as session:
        if session.get(BlobUse, (OPEN, digest)) is None:
            allow_blob(session, OPEN, digest, len(content), ADA.name, inside=True, outside=False)
        if session.get(Job, JOB) is None:
            session.add(_job())
            session.flush()
            session.add(
                JobResultRow(
                    job_id=JOB,
                    content=JobResult(
                        refusals=(),
                        kind="count",
                        trusts=("aldgate",),
                        counts={"aldgate": 42},
                        job_id=JOB,
                        epsilon=0.5,
                        delta=0.0,
                    ),
                )
            )
        subject = identify(session, ADA.name)
    wanted = PublishDashboard(notebook=digest, name=name, jobs=(JOB,), **about)
    view = dashboards.publish(office, subject, OPEN, wanted)
    office.database.close()
    return view.address


def release(config: HubConfig, name: str, audience: str = "project") -> str:
    """Release the newest version of a dashboard, as the airlock does once two checkers agree; returns the release."""
    office = Office.of(config)
    with office.database.write(Routine("made by a test")) as session:
        row = versions.newest(session, OPEN, name)
        assert row is not None
        made = Release(release_id=secrets.token_hex(12), project_id=OPEN, content=row.notebook, audience=audience)
        made.statement = OutputStatement(
            path="report.ipynb", content=row.notebook, title="A dashboard", jobs=tuple(row.jobs), dashboard=name
        )
        made.released_at = now()
        assert versions.show_release(session, made, now())
        release_id = made.release_id
    office.database.close()
    return release_id


def revoke(config: HubConfig, release_id: str) -> None:
    """Revoke a release of a dashboard, as the airlock does."""
    office = Office.of(config)
    with office.database.write(Routine("made by a test")) as session:
        versions.hide_release(session, Release(release_id=release_id))
    office.database.close()


def link(config: HubConfig, name: str, reader: str) -> tuple[str, str]:
    """A link of the owner's, as the airlock has it once two checkers agree; returns its id and its address."""
    office = Office.of(config)
    with office.database.read() as session:
        owner = identify(session, ADA.name)
    asked = AskLink(readers=(reader,), ends_at=now() + timedelta(days=1), reason="To look at it together.")
    made = links.ask(office, owner, OPEN, name, asked)
    with office.database.write(Routine("made by a test")) as session:
        session.get_one(DashboardLink, made.link_id).state = "agreed"
    office.database.close()
    return made.link_id, f"/services/flip/{made.address}"


def end_link(config: HubConfig, link_id: str) -> None:
    """Its owner ends a link."""
    office = Office.of(config)
    with office.database.read() as session:
        owner = identify(session, ADA.name)
    links.end(office, owner, link_id)
    office.database.close()


def _job() -> Job:
    spec = CountSpec(project_id=OPEN)
    return Job(
        job_id=JOB,
        project_id=OPEN,
        kind="count",
        spec=spec,
        spec_digest=spec.digest(),
        state="completed",
        trusts=["aldgate"],
        submitted_by=ADA.name,
        idempotency_key="k1",
        submitted_at=now(),
    )
