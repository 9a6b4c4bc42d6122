"""Several processes write at once, and one of them is killed: nothing kept is lost, and nobody waits for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest
from flip_hub import audit
from flip_hub.database import Database, Entry, Job, Person, Routine, now, upgrade
from flip_hub.database.trouble import in_words
from flip_sdk.contract.jobs import CountSpec
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tests.hub.conftest import Hub

WRITERS, TIMES = 4, 10
_VICTIM = """
import sys
from flip_hub.database import Database, Entry, Person
with Database(sys.argv[1]).write(Entry("victim", "test.begun", "thing/1")) as session:
    session.add(Person(name="victim", display_name="V", organisation="O", roles=[]))
    session.flush()
    print("in the middle", flush=True)
    sys.stdin.read()
"""


def _submit_many(url: str, writer: int) -> None:
    """Each job takes the next number of those before it: a check that holds only where writers take turns."""
    database = Database(url)
    for _ in range(TIMES):
        with database.write(Entry(f"writer-{writer}", "job.submitted", "job/x")) as session:
            number = len(session.scalars(select(Job.job_id)).all()) + 1
            session.add(_job(f"job-{number}"))
    database.close()


def _job(job_id: str) -> Job:
    spec = CountSpec(project_id="cytology")
    return Job(
        job_id=job_id,
        project_id="cytology",
        kind="count",
        spec=spec,
        spec_digest=spec.digest(),
        state="submitted",
        trusts=[],
        submitted_by="ada",
        idempotency_key=job_id,
        submitted_at=now(),
    )


def test_writers_take_turns_and_lose_nothing(hub: Hub) -> None:
    hub.approved()
    url = hub.office.config.database
    before = len(hub.events())
    with ProcessPoolExecutor(WRITERS) as pool:
        list(pool.map(_submit_many, [url] * WRITERS, range(WRITERS)))
    with hub.office.database.read() as session:
        jobs = set(session.scalars(select(Job.job_id)))
        assert jobs == {f"job-{number}" for number in range(1, WRITERS * TIMES + 1)}
        assert audit.verify(session)[0] == before + WRITERS * TIMES


def test_the_first_writers_of_an_empty_chain_take_turns_too(store: str) -> None:
    upgrade(Database(store))
    with ProcessPoolExecutor(WRITERS) as pool:
        list(pool.map(_note, [store] * WRITERS))
    with Database(store).read() as session:
        assert audit.verify(session)[0] == WRITERS


def _note(url: str) -> None:
    with Database(url).write(Entry("writer", "test.written", "thing/1")):
        pass


def test_a_writer_killed_in_the_middle_leaves_nothing_and_holds_nobody_up(store: str) -> None:
    database = Database(store)
    upgrade(database)
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "in the middle\n"
        with database.read() as session:  # a read waits for no writer
            assert session.scalars(select(Person)).all() == []
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    with database.write(Entry("ada", "test.written", "thing/2")) as session:
        assert session.scalars(select(Person)).all() == []
    with database.read() as session:
        assert [entry["actor"] for entry in audit.export(session)] == ["ada"]
        audit.verify(session)
    database.close()


def test_a_writer_that_waits_too_long_is_told(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flip_hub.database.engine.BUSY_MILLISECONDS", 50)
    monkeypatch.setitem(_options(), "options", "-c lock_timeout=50")
    first, second = Database(store), Database(store)
    upgrade(first)
    with first.write(Routine("a test")) as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(OperationalError) as raised:
            _write(second)
    assert "too long" in in_words(raised.value).message
    _write(second)
    first.close()
    second.close()


def _write(database: Database) -> None:
    with database.write(Entry("ada", "test.written", "thing/1")):
        pass


def _options() -> dict[str, object]:
    from flip_hub.database import postgresql

    return postgresql._CONNECT


def test_a_writer_that_hangs_is_undone(postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.url(postgres.make())
    patient = Database(url)
    upgrade(patient)
    patient.close()
    monkeypatch.setattr("flip_hub.database.postgresql.IDLE_MILLISECONDS", 100)
    hung, other = Database(url), Database(url)
    with pytest.raises(DBAPIError) as raised:
        _hang(hung, lambda: _write(other))
    assert "too long" in in_words(raised.value).message
    with other.read() as session:
        assert [entry["actor"] for entry in audit.export(session)] == ["ada"]


def _hang(database: Database, meanwhile: Callable[[], None]) -> None:
    with database.write(Entry("hung", "test.written", "thing/1")) as session:
        session.execute(text("SELECT 1"))
        meanwhile()  # another one waits for its turn, which comes when this one's is taken away
        session.execute(text("SELECT 1"))
