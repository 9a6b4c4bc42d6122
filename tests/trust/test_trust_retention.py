"""A Trust's log lets go of what a policy says, its file refuses everything else, and the log verifies afterwards."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flip_sdk.contract.log_check import check
from flip_sdk.contract.log_entries import REDUCED_EVENT, from_row, reduced, to_row
from flip_trust import audit, retention
from flip_trust.audit import Entry
from flip_trust.cli import app
from flip_trust.errors import AuditBrokenError, LedgerUnavailableError, SetupError
from typer.testing import CliRunner

from tests.trust.world import Trust

POLICY = retention.policy_of()
CHANGED = ("actor", "subject", "details", "salt", "reduced")


class Clock(datetime):
    """Twenty-one years ago, where the log asks."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - timedelta(days=366 * 21)


@pytest.fixture
def log(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> Trust:
    """An old entry about a decision, another about a person, and one of the agent."""
    with monkeypatch.context() as patch, trust.database.transaction() as transaction:
        patch.setattr("flip_trust.audit.datetime", Clock)
        transaction.write(Entry("steward/sam", "consent.left", "project/old", {"reason": "a lump", "epsilon": 1.0}))
        transaction.write(Entry("operator/pat", "console.person_closed", "person/sam"))
        transaction.write(Entry("agent", "task.offered", "task/old", {"job": "old", "researcher": "ada"}))
    return trust


def by_subject(trust: Trust, subject: str) -> dict:
    return trust.database.read("SELECT * FROM audit WHERE subject = ?", (subject,))[0]


def attempt(trust: Trust, row: dict, *, told: bool = True, event: str = REDUCED_EVENT) -> None:
    """Change a row, as the program does it."""
    number = trust.database.read("SELECT sequence FROM audit_head")[0]["sequence"] + 1
    telling = [("INSERT INTO audit_reduction (sequence) VALUES (?)", (number,))] if told else []
    sql = f"UPDATE audit SET {', '.join(f'{name} = ?' for name in CHANGED)} WHERE sequence = ?"
    values = tuple(row[name] for name in CHANGED)
    with trust.database.transaction() as transaction:
        transaction.write(Entry("eve", event, "audit/own"), *telling, (sql, (*values, row["sequence"])))


def refused(trust: Trust, row: dict, **options) -> None:
    with pytest.raises(LedgerUnavailableError) as caught:
        attempt(trust, row, **options)
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)


def test_old_details_go_and_the_log_verifies(log: Trust) -> None:
    before = list(audit.entries_of(log.database))
    assert retention.reduce_due(log.database, POLICY, datetime.now(UTC), "operator/pat") == 3
    after = list(audit.entries_of(log.database))
    assert [one["hash"] for one in after[:-1]] == [one["hash"] for one in before]
    assert check(after, [], [POLICY]).whole
    assert audit.verify_database(log.database, [POLICY])[0] == len(after)
    left, person, task = after[-4:-1]
    assert (left["actor"], left["subject"], left["details"]) == ("", "project/old", {"epsilon": 1.0})
    assert (person["actor"], person["subject"]) == ("", "")
    assert (task["actor"], task["details"]) == ("agent", {"job": "old"})
    assert retention.reduce_due(log.database, POLICY, datetime.now(UTC), "operator/pat") == 0


def test_the_file_refuses_every_other_change(log: Trust) -> None:
    number = log.database.read("SELECT sequence FROM audit_head")[0]["sequence"] + 1
    whole = by_subject(log, "project/old")
    good = to_row(reduced(from_row(whole), ["details.reason"], number))
    wrong = [{"actor": ""}, {"details": "{}"}, {"reduced": ""}, {"salt": whole["salt"]}]
    for row in (whole, *(good | one for one in wrong)):
        refused(log, row)
    refused(log, good, told=False)
    refused(log, good, event="job.ended")
    assert by_subject(log, "project/old") == whole
    attempt(log, good)
    assert json.loads(by_subject(log, "project/old")["details"]) == {"epsilon": 1.0}


@pytest.mark.parametrize("table", ["audit", "ledger"])
def test_no_row_takes_anothers_place(log: Trust, table: str) -> None:
    """INSERT OR REPLACE deletes without asking the trigger of deletions."""
    connection = sqlite3.connect(log.config.database)
    connection.execute("INSERT INTO ledger (at, job_id, purpose, event) VALUES ('now', 'j', 'p', '{}')")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")
    connection.close()


def test_an_attacker_who_drops_what_no_policy_lets_go_is_found(log: Trust) -> None:
    number = log.database.read("SELECT sequence FROM audit_head")[0]["sequence"] + 1
    attempt(log, to_row(reduced(from_row(by_subject(log, "task/old")), ["details.job"], number)))
    assert {one.kind for one in check(audit.entries_of(log.database), [], [POLICY]).findings} == {"dropped"}
    with pytest.raises(AuditBrokenError):
        audit.verify_database(log.database, [POLICY])


def test_the_commands(log: Trust, tmp_path: Path) -> None:
    home, run = str(log.config.home), CliRunner()

    def said(*words: str) -> str:
        answer = run.invoke(app, ["audit", *words])
        assert answer.exit_code == 0, answer.output
        return answer.output

    assert "3 entries have parts" in said("retain", "--dry-run", "--home", home)
    assert "3 entries were reduced" in said("retain", "--operator", "pat", "--home", home)
    file = tmp_path / "trust.jsonl"
    said("export", str(file), "--home", home)
    assert "3 entries have details reduced to digests" in said("verify", str(file))
    assert "whole" in said("verify", "--home", home)


def test_what_is_no_policy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not a policy"):
        retention.policy_of(tmp_path / "none.yaml")
