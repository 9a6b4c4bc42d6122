"""Sums that are kept are the sums there are, whatever happened to the rows in between."""

from __future__ import annotations

import contextlib
import shutil

from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.composition import alone, sum_of
from flip_sdk.accounting.events import Gaussian, PoissonGaussian, Pure, SharedGaussian
from flip_trust.database import Database
from flip_trust.ledger import store, sums

EVENTS = (
    Pure(epsilon=0.1),
    Gaussian(noise_multiplier=3.3, steps=7),
    SharedGaussian(noise_multiplier=1.7, honest=3, steps=20),
    PoissonGaussian(noise_multiplier=1.1, sampling_rate=0.1, steps=50),
    Pure(epsilon=0.1),
    Gaussian(noise_multiplier=1e-200),
)


def debit(reader, number: int, project: str | None = "p") -> None:
    store.debit(reader, project, f"job-{number}", [Debit("any", EVENTS[number % len(EVENTS)])], "test")


def check(reader) -> None:
    for project in ("p", "q", None, "unknown"):
        events = store.events_of(reader, project)
        found = sums.sums_of(reader, project)
        assert found.stated == sum_of(events)
        assert found.alone == sum_of(alone(events))


def test_row_after_row(trust):
    for number in range(14):
        with trust.database.transaction() as transaction:
            debit(transaction, number, ("p", "q", None)[number % 3])
        check(trust.database)


def test_rows_that_were_rolled_back(trust):
    with trust.database.transaction() as transaction:
        debit(transaction, 0)
    for number in (1, 2, 3):
        with contextlib.suppress(KeyboardInterrupt), trust.database.transaction() as transaction:
            debit(transaction, number)
            check(transaction)
            raise KeyboardInterrupt
        check(trust.database)
        with trust.database.transaction() as transaction:
            debit(transaction, number + 10)
        check(trust.database)


def test_a_database_that_was_put_back_to_an_older_copy(trust, tmp_path):
    with trust.database.transaction() as transaction:
        debit(transaction, 0)
    trust.database.close()
    shutil.copy(trust.config.database, tmp_path / "older.db")
    newer = Database.open(trust.config.database)
    with newer.transaction() as transaction:
        debit(transaction, 1)
    check(newer)
    newer.close()

    older = Database.open(tmp_path / "older.db")
    check(older)
    with older.transaction() as transaction:
        debit(transaction, 2)
    check(older)
    older.close()


def test_more_ledgers_than_are_kept(trust):
    with trust.database.transaction() as transaction:
        for number in range(sums._MOST_KEPT + 2):
            store.debit(transaction, f"project-{number}", f"job-{number}", [Debit("any", EVENTS[0])], "test")
    for number in range(sums._MOST_KEPT + 2):
        assert sums.sums_of(trust.database, f"project-{number}").stated == sum_of({EVENTS[0]: 1})
    assert len(sums._kept) <= sums._MOST_KEPT
