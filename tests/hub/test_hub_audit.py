"""The audit chain: one entry with each write, whole under concurrent writers, and broken by any change."""

from __future__ import annotations

import copy
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from flip_hub.audit import export, verify, verify_entries
from flip_hub.database import AuditRow, Database, Entry, Person, Routine, also, upgrade
from flip_hub.errors import AuditError
from sqlalchemy import delete, update

from tests.hub.tampering import let_anything

PER_WRITER = 20


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'flip.db'}")
    upgrade(database)
    return database


def _write_many(url: str, writer: int) -> None:
    database = Database(url)
    for number in range(PER_WRITER):
        with database.write(Entry(f"writer-{writer}", "test.written", f"thing/{number}")) as session:
            session.add(_person(f"p{writer}-{number}"))
    database.close()


def _person(name: str) -> Person:
    return Person(name=name, display_name=name, organisation="o", roles=[])


def _fill(database: Database, count: int = 5) -> None:
    for number in range(count):
        with database.write(Entry("ada", "test.written", f"thing/{number}", {"n": number, "ä": [1.5, None]})):
            pass


def test_writers_in_several_processes_keep_one_chain(database: Database) -> None:
    url = str(database.engine.url)
    with ProcessPoolExecutor(3) as pool:
        list(pool.map(_write_many, [url] * 3, range(3)))
    with database.read() as session:
        assert verify(session)[0] == 3 * PER_WRITER


def _write_and_fail(database: Database) -> None:
    with database.write(Entry("ada", "e", "s")) as session:
        session.add(_person("ada"))
        raise ZeroDivisionError


def test_a_write_that_fails_leaves_no_entry(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(database)
    with database.read() as session:
        assert verify(session)[0] == 0
        assert session.get(Person, "ada") is None


def test_details_may_be_completed_until_the_commit(database: Database) -> None:
    entry = Entry("ada", "e", "s")
    with database.write(entry) as session:
        also(session, Entry("ada", "later", "s"))
        entry.details["n"] = 1
    with database.read() as session:
        assert [(row["event"], row["details"]) for row in export(session)] == [("e", {"n": 1}), ("later", {})]


def test_routine_writes_have_no_entry(database: Database) -> None:
    with database.write(Routine("a test")) as session:
        session.add(_person("ada"))
    with database.read() as session:
        assert verify(session)[0] == 0
        assert session.get(Person, "ada") is not None


def test_an_exported_chain_verifies_alone(database: Database) -> None:
    _fill(database)
    with database.read() as session:
        assert verify_entries(list(export(session))) == verify(session)


@pytest.mark.parametrize("field", ["actor", "event", "subject", "at", "details"])
def test_a_changed_entry_is_found(database: Database, field: str) -> None:
    _fill(database)
    value = '{"n":9}' if field == "details" else "2020"
    with database.write(Routine("an attacker with the file")) as session:
        let_anything(session)
        session.execute(update(AuditRow).where(AuditRow.sequence == 3).values({field: value}))
    with database.read() as session, pytest.raises(AuditError):
        verify(session)


@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_a_removed_entry_is_found(database: Database, sequence: int) -> None:
    _fill(database)
    with database.write(Routine("an attacker with the file")) as session:
        let_anything(session)
        session.execute(delete(AuditRow).where(AuditRow.sequence == sequence))
    with database.read() as session, pytest.raises(AuditError):
        verify(session)


def test_moved_entries_are_found(database: Database) -> None:
    _fill(database)
    with database.read() as session:
        entries = list(export(session))
    moved = copy.deepcopy(entries)
    moved[1], moved[2] = moved[2], moved[1]
    with pytest.raises(AuditError):
        verify_entries(moved)
