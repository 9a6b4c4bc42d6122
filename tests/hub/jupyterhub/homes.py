"""A hub's home with people and projects in it, made by the hub's own code."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import nbformat
from flip_hub.config import HubConfig
from flip_hub.dashboards.access import NOTEBOOK, folder
from flip_hub.database import Dashboard, Database, Project, Routine, now
from flip_hub.governance import agreement
from flip_hub.governance.office import Office, identify
from flip_hub.governance.people import add_person
from flip_hub.home import make_home
from flip_hub.jupyterhub.accounts import set_password
from flip_hub.testing import show_records
from flip_sdk.contract.applications import Application, NewSignature
from flip_sdk.contract.states import OutputState, ProjectState
from sqlalchemy import select

from demo.notebook_runner import Login

PASSWORD = "a-password-of-the-tests"
ADA, BEN, RUFUS = (Login(name, PASSWORD) for name in ("ada", "ben", "rufus"))
OPEN, DRAFT, OTHER, PASSING = "open-project", "draft-project", "other-project", "passing-project"
REPORT = "report"


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


def publish(config: HubConfig, name: str, *cells: str) -> str:
    """A dashboard of the open project; returns its address."""
    place = folder(config, OPEN, name)
    (place / "jobs").mkdir(parents=True)
    (place / "jobs" / "j1.json").write_text('{"answer": 42}')
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# The report"), *code]), place / NOTEBOOK
    )
    database = Database.of(config)
    with database.write(Routine("made by a test")) as session:
        session.add(
            Dashboard(
                project_id=OPEN,
                name=name,
                state=OutputState.REQUESTED,
                notebook="sha256:" + "0" * 64,
                jobs=[],
                published_by=ADA.name,
                published_at=now(),
            )
        )
    database.close()
    return f"/services/dashboards/voila/render/{OPEN}/{name}/{NOTEBOOK}"
