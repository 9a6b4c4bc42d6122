from __future__ import annotations

import sqlite3

import pytest
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.events import Gaussian, Pure
from flip_trust.errors import LedgerUnavailableError
from flip_trust.ledger import store

COUNT = Debit("count", Pure(epsilon=0.5))


def debit(trust, job_id, project="p", *debits):
    with trust.database.transaction() as transaction:
        store.debit(transaction, project, job_id, debits or (COUNT,), "admission")


def test_projects_and_the_whole_data_set(trust):
    debit(trust, "a", "p")
    debit(trust, "b", "q", Debit("train", Gaussian(noise_multiplier=3.0)))
    debit(trust, "c", None)

    one, two, total = (store.spent(trust.database, 1e-5, project) for project in ("p", "q", None))

    assert one == pytest.approx(0.5, abs=1e-3)
    assert max(one, two) < total < 1.15 * (one + two + 0.5)


def test_what_would_be_spent(trust):
    debit(trust, "a")

    assert store.would_cost(trust.database, [COUNT], 1e-5, "p") == pytest.approx(1.0, abs=1e-2)
    assert store.would_cost(trust.database, [COUNT], 1e-5, "unknown") == pytest.approx(0.5, abs=1e-3)
    assert store.spent(trust.database, 1e-5, "unknown") == 0


def test_a_debit_is_audited_and_listed(trust):
    debit(trust, "a")

    (line,) = store.lines(trust.database)
    (entry,) = trust.events("ledger.debited")
    assert (line.project_id, line.job_id, line.purpose, line.event) == ("p", "a", "count", COUNT.event)
    assert entry["details"]["events"]["count"]["epsilon"] == 0.5


def test_a_job_is_debited_once(trust):
    debit(trust, "a")

    with pytest.raises(LedgerUnavailableError):
        debit(trust, "a")
    assert len(trust.ledger()) == 1
    assert len(trust.events("ledger.debited")) == 1


@pytest.mark.parametrize("sql", ["DELETE FROM ledger", "UPDATE ledger SET event = '{}'"])
def test_the_ledger_is_append_only(trust, sql):
    debit(trust, "a")
    other = sqlite3.connect(trust.config.database)

    with pytest.raises(sqlite3.IntegrityError):
        other.execute(sql)
