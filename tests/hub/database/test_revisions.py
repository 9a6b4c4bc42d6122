"""A hub of every earlier release goes on: what its own programs wrote (``revisions/``) is kept and still read.

Each file holds what that release's governance, or its dispatcher, wrote: a line is a table's name and a row. A new
migration needs no new file; a new release does (of the schema that it ships with).
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flip_hub import audit
from flip_hub.backup import rows
from flip_hub.database import Base, Database, Job, Person, Project, Routine, now, upgrade
from flip_hub.database.migrate import migrate
from flip_hub.governance import requirements
from sqlalchemy import select

FILES = sorted((Path(__file__).parent / "revisions").glob("*.jsonl"))


def _content(path: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text("utf-8").splitlines():
        table, row = json.loads(line)
        found.setdefault(table, []).append(row)
    return found


def _fill(database: Database, path: Path) -> dict[str, list[dict[str, Any]]]:
    """The database as that release left it."""
    content = _content(path)
    with database.connect_for_migration() as connection:
        migrate(connection, path.name.partition("-")[0])
        for table in rows.tables_of(connection):
            names = table.columns.keys()
            lines = [names, *([row[name] for name in names] for row in content.get(table.name, ()))]
            rows.put(connection, table, [json.dumps(line).encode() for line in lines])
    return content


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_earlier_release_wrote_is_kept_and_read(store: str, path: Path) -> None:
    database = Database(store)
    content = _fill(database, path)

    upgrade(database)

    with database.read() as session:
        for mapper in Base.registry.mappers:
            read = session.scalars(select(mapper.class_)).all()  # every record is parsed
            if mapper.local_table.name in content:
                assert len(read) == len(content[mapper.local_table.name]), mapper
        assert audit.verify(session)[0] == len(content["audit"])
    database.close()


def test_nobody_is_locked_out_by_records_that_were_not_asked_for_before(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'flip.db'}")
    _fill(database, FILES[0])

    upgrade(database)

    with database.read() as session:
        for person in session.scalars(select(Person)):
            assert requirements.lapsed(person, now()) == frozenset()
            assert requirements.lapsed(person, now() + timedelta(days=59)) == frozenset()
            needs = requirements.requirements().of(person.roles)
            assert bool(requirements.lapsed(person, now() + timedelta(days=61))) is bool(needs)
    database.close()


@pytest.mark.parametrize("path", [path for path in FILES if "jobs" in path.stem], ids=lambda path: path.stem)
def test_an_earlier_releases_hub_goes_on_writing(store: str, path: Path) -> None:
    database = Database(store)
    content = _fill(database, path)
    upgrade(database)

    with database.write(audit.Entry("ada", "project.closed", "project/breast-cytology")) as session:
        session.scalars(select(Project)).one().state = "closed"
    with database.write(Routine("a test")) as session:
        known = session.get_one(Job, "train-1")
        model = dict(content["model_version"][0])
        assert known.state == "completed"
        session.execute(Base.metadata.tables["model_version"].insert().values(_like(model)))
    with database.read() as session:
        assert audit.verify(session)[0] == len(content["audit"]) + 1
    database.close()


def _like(model: dict[str, Any]) -> dict[str, Any]:
    """One more model, whose number the database gives."""
    changed = {"weights": "sha256:" + "0" * 64, "lineage": {}, "created_at": now()}
    return {name: value for name, value in (model | changed).items() if name != "version_id"}
