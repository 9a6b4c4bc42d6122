from __future__ import annotations

import json
import sqlite3

import pytest
from flip_trust import audit
from flip_trust.audit import Entry
from flip_trust.errors import AuditBrokenError, LedgerUnavailableError


@pytest.fixture
def log(trust):
    trust.opt_in()
    for number in range(5):
        with trust.database.transaction() as transaction:
            transaction.write(Entry("agent", "test.happened", f"job/{number}", {"number": number}))
    return trust


def tamper(trust, *statements: str) -> None:
    """What somebody with the file in their hands can do."""
    connection = sqlite3.connect(trust.config.database)
    for trigger in ("audit_stays", "audit_fixed"):
        connection.execute(f"DROP TRIGGER {trigger}")
    for sql in statements:
        connection.execute(sql)
    connection.commit()
    connection.close()


def broken_at(trust) -> int:
    with pytest.raises(AuditBrokenError) as caught:
        audit.verify_database(trust.database)
    return caught.value.sequence


def test_a_whole_log_verifies(log):
    count, last = audit.verify_database(log.database)

    assert count == 7
    assert len(last) == 64


def test_a_log_longer_than_a_page_verifies(log):
    with log.database.transaction() as transaction:
        for number in range(2100):
            transaction.write(Entry("agent", "test.happened", f"job/{number}"))

    assert audit.verify_database(log.database)[0] == 2107


@pytest.mark.parametrize(
    ("sql", "sequence"),
    [
        ("UPDATE audit SET details = '{\"number\":9}' WHERE sequence = 4", 4),
        ("UPDATE audit SET actor = 'somebody' WHERE sequence = 2", 2),
        ("UPDATE audit SET at = '2020-01-01T00:00:00+00:00' WHERE sequence = 7", 7),
        ("DELETE FROM audit WHERE sequence = 3", 3),
        ("DELETE FROM audit WHERE sequence = 7", 7),
        ("UPDATE audit SET sequence = 99 WHERE sequence = 5", 5),
        ("UPDATE audit SET hash = substr(hash, 2) || substr(hash, 1, 1) WHERE sequence = 6", 6),
    ],
)
def test_a_changed_row_is_found(log, sql, sequence):
    tamper(log, sql)

    assert broken_at(log) == sequence


@pytest.mark.parametrize("sql", ["DELETE FROM audit", "UPDATE audit SET actor = 'somebody'"])
def test_the_log_is_append_only(log, sql):
    with pytest.raises(sqlite3.IntegrityError):
        sqlite3.connect(log.config.database).execute(sql)


def test_an_exported_log_verifies_alone(log):
    lines = [json.dumps(entry) for entry in audit.entries_of(log.database)]

    assert audit.verify_entries(audit.read_export(lines)) == audit.verify_database(log.database)
    with pytest.raises(AuditBrokenError):
        audit.verify_entries(audit.read_export([lines[0], lines[2]]))
    with pytest.raises(AuditBrokenError):
        audit.verify_entries(audit.read_export([lines[0], lines[1].replace("sam", "eve")]))


@pytest.mark.parametrize("line", ["not json", "[]", "1"])
def test_what_is_not_an_export_is_an_error(line):
    with pytest.raises(AuditBrokenError):
        list(audit.read_export([line]))


def test_a_write_that_fails_leaves_no_entry(log):
    before = audit.verify_database(log.database)
    with pytest.raises(LedgerUnavailableError), log.database.transaction() as transaction:
        transaction.write(Entry("agent", "test.happened", "job/1"), ("INSERT INTO nowhere VALUES (1)", ()))

    assert audit.verify_database(log.database) == before


def test_an_error_inside_leaves_no_entry(log):
    before = audit.verify_database(log.database)

    def fails() -> None:
        with log.database.transaction() as transaction:
            transaction.write(Entry("agent", "test.happened", "job/1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert audit.verify_database(log.database) == before
