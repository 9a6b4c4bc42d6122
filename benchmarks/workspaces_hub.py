"""A hub with one person and one open project, for a benchmark of workspaces."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from flip_hub.config import HubConfig
from flip_hub.database import Database, Project, Routine, now
from flip_hub.governance import agreement
from flip_hub.governance.office import Office, identify
from flip_hub.governance.people import add_person
from flip_hub.home import make_home as make
from flip_hub.jupyterhub.accounts import set_password
from flip_hub.testing import show_records
from flip_sdk.contract.applications import Application, NewSignature

from demo.notebook_runner import Login

PASSWORD = secrets.token_urlsafe(12)
LOGIN = Login("ada", PASSWORD)
PROJECT = "open-project"


def make_home(path: Path, settings: Mapping[str, str | int | bool] | None = None) -> HubConfig:
    """Make it, with settings other than the defaults where they are given."""
    config = make(path, settings or {}, by="benchmark")
    database = Database.of(config)
    add_person(
        database, LOGIN.name, display_name="Ada", organisation="Northbridge", roles=("researcher",), by="benchmark"
    )
    set_password(config, LOGIN.name, PASSWORD)
    show_records(database, LOGIN.name)
    ends = now() + timedelta(days=30)
    words = "Words that everybody understands, of what this is about and whom it serves."
    application = Application(
        title="Open project",
        lay_summary=words,
        public_benefit=words,
        organisation="Northbridge",
        trusts=("aldgate",),
        epsilon=10,
        expires_at=ends,
    )
    with database.write(Routine("made by a benchmark")) as session:
        session.add(
            Project(
                project_id=PROJECT,
                state="approved",
                application=application,
                owner=LOGIN.name,
                created_at=now(),
                expires_at=ends,
            )
        )
    database.close()
    office = Office.of(config)
    with office.database.read() as session:
        subject = identify(session, LOGIN.name)
        text = agreement.agreement_of(session.get_one(Project, PROJECT)).digest
    agreement.sign(office, subject, PROJECT, NewSignature(agreement=text, typed_name="Ada"))
    return config
