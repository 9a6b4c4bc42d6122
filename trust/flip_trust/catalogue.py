"""What a Trust publishes about its data: its concepts, and a noisy number of persons that costs budget.

With it, if the steward wants, what it holds: noisy numbers of persons by concept, image, year and table; and a
synthetic twin: noisy numbers that people of the Trust's shape can be made up from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl
from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.events import Pure
from flip_sdk.contract.cohorts import Cohort
from flip_sdk.contract.notices import CatalogueConcept, CatalogueNotice
from flip_sdk.errors import RecordError
from flip_sdk.mechanisms.holdings import Counts, Public, debit_of_holdings
from flip_sdk.mechanisms.holdings import measure as measure_holdings
from flip_sdk.mechanisms.twins import debits_of_twin, measure

from flip_trust import told
from flip_trust.audit import Entry
from flip_trust.cohort.omop import Omop
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.disclosure.protect import noisy_persons
from flip_trust.egress import new_id
from flip_trust.errors import ConsentError, SetupError
from flip_trust.holdings import counts_of, public_of
from flip_trust.keys import write_private
from flip_trust.ledger import queries, store
from flip_trust.twin import table_of

PENDING_FILE = "catalogue.pending.json"
_MOST_GENDERS = 20
_MOST_BYTES = 5_000_000
"""Signed, in base64, a third more; a hub takes eight million."""
_BYTES_OF_A_NUMBER = 40


def compile_notice(
    config: TrustConfig,
    database: Database,
    epsilon: float,
    steward: str,
    now: datetime,
    twin_epsilon: float | None = None,
    holdings_epsilon: float | None = None,
    *,
    twin_images: bool = False,
) -> CatalogueNotice:
    """Debit the data set, then count its persons with noise; the notice is kept until the hub has it.

    Args:
        config: the Trust's settings.
        database: its ledger.
        epsilon: of the number of persons.
        steward: who publishes.
        now: when.
        twin_epsilon: of a synthetic twin; None for a catalogue without. A data set under the floor gets none.
        holdings_epsilon: of the numbers of persons by concept and so on; the same.
        twin_images: whether the twin tells of the geometry of images too, out of the same epsilon.

    Raises:
        ConsentError: the data set's budget does not cover it, or one part is over what a job may cost; nothing was
            counted or debited.
        SetupError: a table is missing or there are too many concepts, and nothing was debited; or it holds what cannot
            be counted, and it was.
        LedgerUnavailableError: it cannot be debited; nothing was counted.
    """
    omop, notice_id = Omop(config.omop), new_id()
    concepts, persons = omop.catalogue(), omop.persons().select(pl.len())
    delta = config.total.delta
    _check_size(concepts)
    _check_epsilons(config, epsilon, twin_epsilon, holdings_epsilon)
    debits: tuple[Debit, ...] = (Debit("catalogue", Pure(epsilon=epsilon)),)
    if twin_epsilon is not None:
        debits += debits_of_twin(twin_epsilon, delta)
    if holdings_epsilon is not None:
        debits += (debit_of_holdings(holdings_epsilon, delta),)
    with database.transaction() as transaction:
        if not store.covers(transaction, debits, config.total):
            raise ConsentError(
                "The data set's privacy budget does not cover this catalogue.",
                "Publish with a smaller --epsilon, --holdings or --twin, or raise total_epsilon in trust.toml.",
            )
        store.debit(transaction, None, f"catalogue-{notice_id}", debits, f"steward/{steward}")
    told_persons = noisy_persons(int(persons.collect().item()), epsilon, config)
    twin, holdings = None, None
    if twin_epsilon is not None and told_persons is not None:
        genders = [concept.concept_id for concept in concepts if concept.domain == "Gender"][:_MOST_GENDERS]
        twin = measure(table_of(omop, concepts, now.year, images=twin_images), genders, twin_epsilon, delta)
    if holdings_epsilon is not None and told_persons is not None:
        public = public_of(config, concepts, now.date())
        counts = _counted(omop, concepts, public, now)
        holdings = measure_holdings(counts, public, told_persons, holdings_epsilon, delta)
    kept = [told.note(None, Cohort(), told_persons, epsilon, config.rounding, now)] if told_persons is not None else []
    with database.transaction() as transaction:
        entry = Entry(
            f"steward/{steward}",
            "catalogue.compiled",
            f"catalogue/{notice_id}",
            {"persons": told_persons, "twin": twin is not None, "holdings": holdings is not None},
        )
        transaction.write(entry, told.forget(), queries.forget(), *kept)
    notice = CatalogueNotice(
        trust=config.name,
        notice_id=notice_id,
        title=config.title,
        persons=told_persons,
        persons_epsilon=epsilon,
        concepts=concepts,
        twin=twin,
        holdings=holdings,
        issued_at=now,
    )
    write_private(config.home / PENDING_FILE, notice.canonical())
    return notice


def _check_size(concepts: Sequence[CatalogueConcept]) -> None:
    """A hub takes no larger notice; better to know before the debit."""
    size = sum(len(concept.canonical()) + _BYTES_OF_A_NUMBER for concept in concepts)
    if size > _MOST_BYTES:
        raise SetupError(
            f"The catalogue's {len(concepts):,} concepts are more than the hub takes at a time.",
            "Keep those in the concept table that the data set uses. Nothing was debited.",
        )


def _check_epsilons(config: TrustConfig, *epsilons: float | None) -> None:
    """A slip of the finger must not cost the whole budget."""
    most = config.max_epsilon_per_job
    if above := [epsilon for epsilon in epsilons if epsilon is not None and epsilon > most]:
        raise ConsentError(
            f"ε = {above[0]:g} is more than one release may cost here.",
            f"Give at most {most:g}, or raise max_epsilon_per_job in trust.toml. Nothing was debited.",
        )


def _counted(omop: Omop, concepts: Sequence[CatalogueConcept], public: Public, now: datetime) -> Counts:
    try:
        return counts_of(omop, concepts, public, now.date())
    except pl.exceptions.PolarsError as error:
        raise SetupError(
            f"The OMOP tables cannot be counted ({type(error).__name__}).",
            "Run flip-trust quality and correct the columns that do not have their type. The debit stays.",
        ) from error


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
