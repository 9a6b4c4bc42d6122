from __future__ import annotations

import sqlite3

import pytest
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.caps import Cap
from flip_sdk.accounting.events import Gaussian, Pure, SharedGaussian
from flip_sdk.contract.notices import MOST_ENTRIES, LedgerMirror
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


def test_what_a_cap_covers(trust):
    debit(trust, "a")

    for cap, project, covered in ((1.0, "p", True), (0.99, "p", False), (0.5, "unknown", True), (0.99, None, False)):
        assert store.covers(trust.database, [COUNT], Cap(cap, 1e-5, 10.0), project) is covered
    assert not store.covers(trust.database, [COUNT], Cap(10.0, 1e-5, 0.9), "p")


def test_shared_noise_has_two_figures_and_both_are_capped(trust):
    share = Debit("train", SharedGaussian(noise_multiplier=3.0, honest=4))
    debit(trust, "a", "p", share)
    together, alone = (figure(trust.database, 1e-5, "p") for figure in (store.spent, store.spent_alone))

    assert alone > 1.8 * together
    assert store.covers(trust.database, [share], Cap(2 * together, 1e-5, 2 * alone), "p")
    assert not store.covers(trust.database, [share], Cap(2 * together, 1e-5, 1.1 * alone), "p")
    assert not store.covers(trust.database, [share], Cap(1.1 * together, 1e-5, 2 * alone), "p")


def test_what_the_hub_is_told(trust):
    debit(trust, "a", "p", COUNT)
    debit(trust, "b", "p", COUNT)
    debit(trust, "c", "q", Debit("train", Gaussian(noise_multiplier=1e-9)))

    told = store.mirror(trust.database, Cap(3.0, 1e-5, 12.0), "p")
    assert (told.entries[0].event, told.entries[0].times) == (COUNT.event, 2)
    assert (told.epsilon, told.epsilon_alone, told.complete) == (3.0, 12.0, True)
    assert told.spent == told.spent_alone == store.spent(trust.database, 1e-5, "p")
    # an infinity cannot be written
    assert LedgerMirror.parse(store.mirror(trust.database, Cap(3.0, 1e-5, 12.0)).canonical()).spent == 1e6


def test_a_ledger_of_very_many_different_events_is_told_in_part(trust):
    with trust.database.transaction() as transaction:
        for i in range(MOST_ENTRIES + 1):
            store.debit(transaction, "p", str(i), [Debit("count", Pure(epsilon=0.01 + i / 1e6))], "admission")

    told = store.mirror(trust.database, Cap(3.0, 1e-5, 12.0), "p")
    assert (len(told.entries), told.complete) == (MOST_ENTRIES, False)


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
