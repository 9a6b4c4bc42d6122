"""What a Trust publishes about its data: its concepts, and a noisy number of persons that costs budget."""

from __future__ import annotations

from datetime import datetime

import polars as pl
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.notices import CatalogueNotice
from flip_sdk.errors import RecordError

from flip_trust import told
from flip_trust.audit import Entry
from flip_trust.cohort.omop import Omop
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.disclosure.protect import noisy_persons
from flip_trust.egress import new_id
from flip_trust.errors import ConsentError
from flip_trust.keys import write_private
from flip_trust.ledger import store

PENDING_FILE = "catalogue.pending.json"


def compile_notice(
    config: TrustConfig, database: Database, epsilon: float, steward: str, now: datetime
) -> CatalogueNotice:
    """Debit the data set, then count its persons with noise; the notice is kept until the hub has it.

    Raises:
        ConsentError: the data set's budget does not cover it; nothing was counted.
        SetupError: a table is missing; nothing was debited.
        LedgerUnavailableError: it cannot be debited; nothing was counted.
    """
    omop, notice_id = Omop(config.omop), new_id()
    concepts, persons = omop.catalogue(), omop.persons().select(pl.len())
    debits = (Debit("catalogue", Pure(epsilon=epsilon)),)
    with database.transaction() as transaction:
        if not store.covers(transaction, debits, config.total):
            raise ConsentError(
                "The data set's privacy budget does not cover this catalogue.",
                "Publish with a smaller --epsilon, or raise total_epsilon in trust.toml.",
            )
        store.debit(transaction, None, f"catalogue-{notice_id}", debits, f"steward/{steward}")
    told_persons = noisy_persons(int(persons.collect().item()), epsilon, config)
    kept = [told.note(None, Cohort(), told_persons, epsilon, config.rounding, now)] if told_persons is not None else []
    with database.transaction() as transaction:
        entry = Entry(f"steward/{steward}", "catalogue.compiled", f"catalogue/{notice_id}", {"persons": told_persons})
        transaction.write(entry, told.forget(), *kept)
    notice = CatalogueNotice(
        trust=config.name,
        notice_id=notice_id,
        title=config.title,
        persons=told_persons,
        persons_epsilon=epsilon,
        concepts=concepts,
        issued_at=now,
    )
    write_private(config.home / PENDING_FILE, notice.canonical())
    return notice


def pending(config: TrustConfig, now: datetime) -> CatalogueNotice | None:
    """A catalogue that the hub does not have yet, under a new id."""
    path = config.home / PENDING_FILE
    try:
        notice = CatalogueNotice.parse(path.read_bytes())
    except (FileNotFoundError, RecordError):
        return None
    return notice.model_copy(update={"notice_id": new_id(), "issued_at": now})


def delivered(config: TrustConfig) -> None:
    """The hub has the catalogue."""
    (config.home / PENDING_FILE).unlink(missing_ok=True)
