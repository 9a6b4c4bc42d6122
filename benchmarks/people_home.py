"""A hub's home for people who sign in for real: passwords, records, a project and a job each."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from flip_hub.config import HubConfig
from flip_hub.database import Database, Project
from flip_hub.governance import agreement
from flip_hub.governance.office import Office, identify
from flip_hub.home import make_home
from flip_hub.jupyterhub.accounts import set_password
from flip_hub.testing import show_records
from flip_sdk.contract.applications import NewSignature

from benchmarks.governance_hub import add_jobs, fill, state_of

PASSWORD = "the-password-of-everybody-here"  # noqa: S105 - of made-up people
PROJECTS = 2000
ENTRIES = 2000


def make(home: Path, people: int, workspaces: int) -> tuple[HubConfig, list[int]]:
    """Make it; returns the numbers of those who may open a workspace, too."""
    config = make_home(home, {}, by="a benchmark")
    fill(config, PROJECTS, ENTRIES)
    database = Database.of(config)
    show_records(database, *(f"person-{number}" for number in range(people)))
    add_jobs(database, [number for number in range(people) if number % 10])
    database.close()
    _passwords(config, people)
    open_ones = [number for number in range(people) if state_of(number) == "approved"]
    # spread over those who arrive
    chosen = open_ones[:: max(1, len(open_ones) // workspaces)][:workspaces]
    for number in chosen:
        _sign(config, number)
    return config, chosen


def _passwords(config: HubConfig, people: int) -> None:
    """Everybody has one password, and signing in costs what it costs: making 200 would take long."""
    set_password(config, "person-0", PASSWORD)
    with sqlite3.connect(config.jupyterhub / "accounts.sqlite") as accounts:
        for number in range(1, people):
            accounts.execute(
                "INSERT INTO account SELECT ?, salt, hash FROM account WHERE name = 'person-0'", (f"person-{number}",)
            )
    accounts.close()


def _sign(config: HubConfig, number: int) -> None:
    office, project = Office.of(config), f"project-{number}"
    with office.database.read() as session:
        text = agreement.agreement_of(session.get_one(Project, project)).digest
        subject = identify(session, f"person-{number}")
    agreement.sign(office, subject, project, NewSignature(agreement=text, typed_name=subject.name.title()))
