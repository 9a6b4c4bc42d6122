"""A cohort's rules answered from resident bitmaps, where tables are large: a scan of Parquet takes a second or more.

Loading takes longer than a scan, so a question never waits for it: while the columns are loaded in the background,
questions are answered by scanning. Both give the same persons.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

import numpy as np
import polars as pl
from flip_sdk.contract.cohorts import AgeBetween, Criterion, HasCondition, SexIs

from flip_trust.agent import log
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident import Bitmap, Resident, resident
from flip_trust.errors import SetupError

LARGE = 2_000_000
"""Rows of ``condition_occurrence`` from which on the columns are worth their memory."""
CONDITION = "ConditionOccurrence"
_log = logging.getLogger(__name__)


def ready(omop: Omop) -> Resident | None:
    """The resident columns, when they are loaded, fresh and hold every condition; else they are loaded for later."""
    held = resident(omop.folder)
    if not held.lock.acquire(blocking=False):
        return None
    try:
        held.refresh()
        if held.is_loaded(CONDITION):
            return None if held.columns(CONDITION).undated else held
    finally:
        held.lock.release()
    if omop.is_larger("condition_occurrence", LARGE):
        threading.Thread(target=load, args=(held,), name="resident", daemon=True).start()
    return None


def persons(criteria: Iterable[Criterion], omop: Omop, year: int) -> pl.Series | None:
    """``person_id`` of those for whom every criterion holds, ascending; None where the columns are not ready.

    Args:
        criteria: the rules.
        omop: the tables, for what is not resident.
        year: the year in which ages are reckoned.
    """
    held = resident(omop.folder)
    # kept until the answer is whole, so that nobody exchanges the columns for those of newer files in between
    if not held.lock.acquire(blocking=False):
        return None
    try:
        if ready(omop) is None:
            return None
        found = Bitmap.of(np.ones(len(held.persons.ids), dtype=bool))
        for criterion in criteria:
            meets = _who(criterion, omop, held, year)
            found = found - meets if criterion.negate else found & meets
        return pl.Series("person_id", held.persons.ids[found.places()])
    finally:
        held.lock.release()


def _who(criterion: Criterion, omop: Omop, held: Resident, year: int) -> Bitmap:
    match criterion:
        case AgeBetween():
            return held.born(year - criterion.high, year - criterion.low)
        case SexIs():
            return held.demographic("gender_concept_id", criterion.concept_ids)
        case HasCondition():
            return held.bitmap(CONDITION, frozenset(criterion.concept_ids))
        case _:
            value = pl.col("value").is_between(criterion.low, criterion.high)
            ids = omop.latest([criterion.concept_id]).filter(value).select(pl.col("person_id").cast(pl.Int64)).collect()
            places, known = held.persons.places(ids["person_id"].to_numpy())
            return Bitmap.at(len(held.persons.ids), places[known])


def load(held: Resident) -> None:
    """Load the conditions; without them, questions go on being answered by scanning."""
    try:
        held.columns(CONDITION)
    except (SetupError, pl.exceptions.PolarsError, OSError, MemoryError) as error:
        log.failure(_log, "columns.not_loaded", error)
