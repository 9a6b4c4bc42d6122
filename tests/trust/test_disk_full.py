"""A disk that is full at the ledger: nothing is computed, nothing is released, and it mends itself."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from flip_sdk.contract.tasks import RefusalCode, SafeUpdate
from flip_trust.audit import Entry
from flip_trust.database import Database
from flip_trust.errors import LedgerUnavailableError, SetupError

from tests.trust.world import answer_of, count_spec, evaluate_spec, train_spec


@contextmanager
def no_room(database: Database):
    """SQLite may not grow the file by a page: what a full disk is to it."""
    pages = database.read("PRAGMA page_count")[0]["page_count"]
    database.read(f"PRAGMA max_page_count = {pages}")
    fill(database)
    try:
        yield
    finally:
        database.read("PRAGMA max_page_count = 1073741823")


def fill(database: Database) -> None:
    while True:
        try:
            with database.transaction() as transaction:
                transaction.write(Entry("test", "filled", "disk", {"with": "x" * 200}))
        except LedgerUnavailableError:
            return


@pytest.fixture
def agent(trust):
    trust.opt_in()
    return trust.agent()


def ask(trust, agent, parts):
    received = trust.carrier.put(parts)
    agent.take(trust.carrier.receive())
    return answer_of(trust, trust.carrier.answer(received))


@pytest.mark.parametrize("kind", ["count", "evaluate", "train"])
def test_nothing_is_computed_and_the_hub_is_told(trust, agent, kind):
    parts = {
        "count": lambda: trust.hub.parts(trust.hub.job(count_spec()), "count"),
        "evaluate": lambda: trust.hub.evaluate(trust.hub.job(evaluate_spec())),
        "train": lambda: trust.hub.prepare(trust.hub.job(train_spec())),
    }[kind]
    with no_room(trust.database):
        refusal, tensors = ask(trust, agent, parts())

    assert refusal.code == RefusalCode.LEDGER_UNAVAILABLE
    assert tensors is None
    assert trust.pool.calls == []
    assert trust.ledger() == []
    assert trust.database.read("SELECT * FROM release") == []


def test_once_there_is_room_the_job_runs(trust, agent):
    job = trust.hub.job(evaluate_spec())
    with no_room(trust.database):
        ask(trust, agent, trust.hub.evaluate(job))

    assert isinstance(ask(trust, agent, trust.hub.evaluate(job, attempt=2))[0], SafeUpdate)


def test_a_disk_that_fills_after_the_debit_keeps_the_debit_and_releases_nothing(trust, agent):
    job = trust.hub.job(evaluate_spec())
    room = no_room(trust.database)
    trust.pool.before_work = room.__enter__
    refusal, tensors = ask(trust, agent, trust.hub.evaluate(job))
    trust.pool.before_work = None
    room.__exit__(None, None, None)

    assert refusal.code == RefusalCode.LEDGER_UNAVAILABLE
    assert tensors is None
    assert len(trust.ledger()) == 1
    assert trust.database.read("SELECT * FROM release") == []


_WRITER = """
import sys
from pathlib import Path
from flip_trust.audit import Entry
from flip_trust.database import Database
from flip_trust.errors import LedgerUnavailableError
database = Database.open(Path(sys.argv[1]))
written = 0
try:
    while True:
        with database.transaction() as transaction:
            transaction.write(Entry("test", "filled", "disk", {"with": "x" * 1000}))
        written += 1
except LedgerUnavailableError:
    print(written)
"""


def test_a_file_that_the_system_will_not_let_grow(trust):
    """The operating system's own refusal (EFBIG), not SQLite's page limit."""

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    done = subprocess.run(
        [sys.executable, "-c", _WRITER, str(trust.config.database)],
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        check=True,
    )
    written = int(done.stdout)

    assert written > 0
    fresh = Database.open(trust.config.database)
    assert len(fresh.read("SELECT 1 FROM audit WHERE event = 'filled'")) == written


def test_no_database_and_another_version(tmp_path, trust):
    with pytest.raises(SetupError):
        Database.open(tmp_path / "none.db")
    trust.database.read("PRAGMA user_version = 99")
    with pytest.raises(SetupError):
        Database.open(trust.config.database)
    (tmp_path / "junk.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(SetupError):
        Database.open(tmp_path / "junk.db")


def test_commits_are_on_the_disk_before_they_count(trust):
    assert trust.database.read("PRAGMA synchronous")[0]["synchronous"] == 2
    assert trust.database.read("PRAGMA journal_mode")[0]["journal_mode"] == "wal"
