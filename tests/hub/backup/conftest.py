"""A hub worth keeping, and where its backup goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flip_hub.backup import Saved, back_up, rows
from flip_hub.config import HubConfig
from flip_hub.database import BlobUse, Database, Routine, now
from flip_hub.governance import intake
from flip_hub.jupyterhub.accounts import set_password
from flip_hub.models import BlobStore

from tests.hub.conftest import Hub

PHRASE = "correct horse battery staple"


def told(what: str, done: int, of: int) -> None:
    assert 0 <= done <= of, what


@pytest.fixture
def full(hub: Hub) -> Hub:
    """A hub with a job, blobs, a workspace, a password and settings."""
    config = hub.office.config
    hub.ready()
    intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    for number in range(5):
        blob(hub, b"weights %d " % number * 5000)
    file = config.workspaces / "cytology" / "ada" / "a b" / "notes – ü.txt"
    file.parent.mkdir(parents=True)
    file.write_text("by ada")
    (file.parent / "run.sh").write_text("#!/bin/sh\n")
    (file.parent / "run.sh").chmod(0o700)
    (file.parent / "elsewhere").symlink_to("/etc/passwd")
    set_password(config, "ada", "a password of hers")
    address = f'database_url = "{config.database_url}"\n' if config.database_url else ""
    (config.home / "hub.toml").write_text(f'title = "Kept"\n{address}')
    return hub


def blob(hub: Hub, content: bytes, name: str = "ada") -> str:
    digest = BlobStore(hub.office.config.blobs).put(content)
    with hub.office.database.write(Routine("a test")) as session:
        session.merge(BlobUse(project_id="cytology", digest=digest, size=len(content), by=name, at=now()))
    return digest


def saved(hub: Hub, path: Path, passphrase: str = PHRASE) -> Saved:
    office = hub.office
    return back_up(office.config, office.database, path, by="olga", told=told, passphrase=passphrase)


def content(database: Database) -> dict[str, list[bytes]]:
    """Every row of every table."""
    with database.read() as session:
        connection = session.connection()
        return {table.name: sorted(rows.lines_of(connection, table)) for table in rows.tables_of(connection)}


@pytest.fixture
def place(tmp_path: Path, database_kind: str, postgres_of: Callable[[], str]) -> tuple[Path, str]:
    """Where a backup is restored to: a home, and a database of the same kind."""
    return tmp_path / "new", postgres_of() if database_kind == "postgresql" else ""


def opened(home: Path) -> Database:
    return Database.of(HubConfig.load(home, {}))
