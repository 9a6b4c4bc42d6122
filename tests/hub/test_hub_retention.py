"""The hub's log lets go of what a policy says; the database refuses everything else, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flip_hub import audit, retention
from flip_hub.cli import app
from flip_hub.database import AuditReduction, AuditRow, Database, Entry, Routine, upgrade
from flip_hub.database.append_only import opening
from flip_hub.database.chain import as_entry
from flip_hub.errors import AuditError, ConfigError
from flip_hub.home import make_home
from flip_sdk.contract.log_check import check
from flip_sdk.contract.log_entries import REDUCED_EVENT, reduced, to_row
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from tests.hub.conftest import Hub

POLICY = retention.policy_of()


class Clock(datetime):
    """Twenty-one years ago, where the chain asks."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) - timedelta(days=366 * 21)


@pytest.fixture
def log(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Ten old entries, and young ones after them."""
    return fill(hub.office.database, monkeypatch)


def fill(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    with monkeypatch.context() as patch:
        patch.setattr("flip_hub.database.chain.datetime", Clock)
        for number in range(10):
            details = {"reason": f"a lump {number}", "job": str(number), "team": ["ada", "alan"]}
            with database.write(Entry("ada", "job.cancel_requested", f"job/{number}", details)):
                pass
    with database.write(Entry("ada", "job.cancel_requested", "job/young", {"reason": "young"})):
        pass
    return database


def entries(database: Database) -> list[dict[str, Any]]:
    with database.read() as session:
        return list(audit.export(session))


def old(database: Database) -> AuditRow:
    with database.read() as session:
        return session.scalars(select(AuditRow).where(AuditRow.subject == "job/3")).one()


def now() -> datetime:
    return datetime.now(UTC)


def test_old_details_go_and_the_log_verifies(log: Database) -> None:
    before = entries(log)
    assert retention.due_now(log, POLICY, now()).parts == {"actor": 10, "details.reason": 10, "details.team": 10}
    assert entries(log) == before
    assert retention.reduce_due(log, POLICY, now(), "olga") == 10
    after = entries(log)
    assert "lump" not in json.dumps(after)
    assert [one["hash"] for one in after[:-1]] == [one["hash"] for one in before]
    assert (after[-1]["event"], after[-1]["actor"], after[-1]["details"]["entries"]) == (REDUCED_EVENT, "olga", 10)
    assert check(after, [], [POLICY]).whole
    with log.read() as session:
        assert audit.verify(session, [POLICY]) == audit.verify(session)
    assert retention.reduce_due(log, POLICY, now(), "olga") == 0


def test_several_transactions(log: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST", 4)
    assert retention.reduce_due(log, POLICY, now(), "olga") == 10
    assert [one["details"]["entries"] for one in entries(log) if one["event"] == REDUCED_EVENT] == [4, 4, 2]
    assert check(entries(log), [], [POLICY]).whole


def test_an_altered_entry_stays_as_it_is(log: Database) -> None:
    with log.write(Routine("an attacker with the database")) as session:
        for statement in opening(log.engine.dialect.name):
            session.execute(text(statement))
        session.execute(update(AuditRow).where(AuditRow.subject == "job/3").values(actor="eve"))
    with pytest.raises(AuditError, match="was changed"):
        retention.reduce_due(log, POLICY, now(), "olga")
    assert "lump 2" in json.dumps(entries(log))


def attempt(
    log: Database, values: dict[str, Any], subject: str = "job/3", *, told: bool = True, event: str = REDUCED_EVENT
) -> None:
    """Change one row in an update of one's own, told or not."""
    with log.write(Entry("eve", event, "audit/hub")) as session:
        if told:
            session.execute(insert(AuditReduction).values(sequence=next_number(log)))
        session.execute(update(AuditRow).where(AuditRow.subject == subject).values(values))


def next_number(log: Database) -> int:
    return int(entries(log)[-1]["sequence"]) + 1


def properly(log: Database, subject: str = "job/3", names: tuple[str, ...] = ("details.reason",)) -> dict[str, Any]:
    with log.read() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.subject == subject)).one()
    made = to_row(reduced(as_entry(row), names, next_number(log)))
    return {name: made[name] for name in ("actor", "subject", "details", "salt", "reduced")}


def test_the_database_refuses_every_other_change(log: Database) -> None:
    good = properly(log)
    whole = old(log)
    wrong = [
        {"actor": "eve"},
        {"details": "{}"},
        {"hash": "0" * 64},
        {"reduced": ""},
        good | {"hash": "0" * 64},
        good | {"at": "2001-01-01T00:00:00+00:00"},
        good | {"event": "job.completed"},
        good | {"previous": "0" * 64},
        good | {"version": 1},
        good | {"actor": ""},
        good | {"actor": "eve"},
        good | {"subject": ""},
        good | {"salt": whole.salt},
        good | {"details": '{"job":"4","team":["ada","alan"]}'},
        good | {"details": '{"job":"3","more":1,"team":["ada","alan"]}'},
        good | {"details": '{"job":"3"}'},
        good | {"reduced": good["reduced"].replace(f'"by":{next_number(log)}', '"by":1')},
        good | {"reduced": "{}"},
    ]
    before = entries(log)
    for values in wrong:
        with pytest.raises(DBAPIError, match="append-only"):
            attempt(log, values)
    with pytest.raises(DBAPIError, match="append-only"):
        attempt(log, good, told=False)
    with pytest.raises(DBAPIError, match="append-only"):
        attempt(log, properly(log, "job/young"), "job/young")
    with pytest.raises(DBAPIError, match="append-only"), log.write(Routine("an attacker")) as session:
        session.execute(delete(AuditRow).where(AuditRow.subject == "job/3"))
    assert entries(log) == before
    attempt(log, good)
    assert "lump 3" not in json.dumps(entries(log))


def test_what_is_dropped_has_to_be_told_at_once(log: Database) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        attempt(log, properly(log), event="job.submitted")


def test_what_went_once_does_not_change_afterwards(log: Database) -> None:
    attempt(log, properly(log))
    gone = json.loads(old(log).reduced)["reduced"]["details.reason"]["digest"]
    further = properly(log, names=("actor",))
    with pytest.raises(DBAPIError, match="append-only"):
        attempt(log, further | {"reduced": further["reduced"].replace(gone, "0" * 64)})
    attempt(log, further)
    with log.read() as session:
        row = session.scalars(select(AuditRow).where(AuditRow.subject == "job/3")).one()
    assert row.actor == ""


def test_the_database_takes_no_row_in_anothers_place(log: Database) -> None:
    """INSERT OR REPLACE deletes without asking the trigger of deletions."""
    again = "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE sequence = 3" if log.is_sqlite else "TRUNCATE audit"
    with pytest.raises(DBAPIError, match="append-only"), log.write(Routine("an attacker")) as session:
        session.execute(text(again))


def test_an_attacker_who_drops_what_no_policy_lets_go_is_found(log: Database) -> None:
    """The database lets it through: it looks right. The log does not verify."""
    attempt(log, properly(log, names=("details.job",)))
    verdict = check(entries(log), [], [POLICY])
    assert {one.kind for one in verdict.findings} == {"dropped"}
    with log.read() as session, pytest.raises(AuditError, match="lost details"):
        audit.verify(session, [POLICY])


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_home(tmp_path / "hub", {"title": "A hub"}, by="olga")
    database = Database.of(config)
    upgrade(database)
    fill(database, monkeypatch)

    def said(*words: str, code: int = 0) -> str:
        answer = CliRunner().invoke(app, ["audit", *words])
        assert answer.exit_code == code, answer.output
        return answer.output

    home, file, other = str(config.home), tmp_path / "hub.jsonl", tmp_path / "other.yaml"
    assert "10 entries have parts" in said("retain", "--dry-run", "--home", home)
    assert "10 entries were reduced" in said("retain", "--by", "olga", "--home", home)
    said("export", str(file), "--home", home)
    assert "reduced to digests, by the retention policy flip-default" in said("verify", str(file))
    said("verify", "--home", home)
    other.write_text("name: strict\nrules: []\n")
    assert "no policy of retention" in said("verify", str(file), "--policy", str(other), code=1)


CONTENTS = ["", "- 1", "name: x", "name: x\nrules: [{name: a, why: b, years: 0, parts: [actor]}]"]


@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_no_policy_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="not a policy"):
        retention.policy_of(path)
