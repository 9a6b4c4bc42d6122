"""Counts that are asked again and again, straight from the sorted columns: no expression, no entry events."""

from __future__ import annotations

import numpy as np

from flip_trust.cohort.resident import Resident
from flip_trust.cohort.resident.bitmaps import Bitmap
from flip_trust.cohort.resident.columns import day_of, place_of
from flip_trust.cohort.resident.dates import years
from flip_trust.cohort.resident.tables import Ints


def by_year(resident: Resident, name: str, concepts: frozenset[int], column: str) -> dict[tuple[int, int], int]:
    """Persons with an event of a concept set, by the event's year and a column of the person table.

    Args:
        resident: the tables.
        name: the domain, such as ``ConditionOccurrence``.
        concepts: whose events count; a person counts once in each year.
        column: of the person table, such as ``gender_concept_id``.
    """
    with resident.lock:
        keys = resident.keys(name, concepts)
        if not len(keys):
            return {}
        place, year = place_of(keys), years(day_of(keys))
        fresh = np.r_[True, (place[1:] != place[:-1]) | (year[1:] != year[:-1])]
        values, codes = resident.persons.coded(column)
        low = int(year.min())
        cell = (year[fresh] - low) * len(values) + codes[place[fresh]]
        counted = np.bincount(cell)
    found = np.flatnonzero(counted)
    return {(low + int(at // len(values)), int(values[at % len(values)])): int(counted[at]) for at in found}


def followed(resident: Resident, early: Ints, late: Ints, days: int) -> Bitmap:
    """Who has an event among ``early`` and then, at most so many days later, one among ``late``.

    Args:
        resident: the tables.
        early: keys by person and date, as :meth:`Resident.keys` gives them, or some of these.
        late: likewise.
        days: the longest time between them; the same day counts.
    """
    if not len(late):
        return Bitmap.at(len(resident.persons.ids), late)
    at = np.searchsorted(late, early, side="left")
    at[at == len(late)] = len(late) - 1
    gap = late[at] - early
    return Bitmap.at(len(resident.persons.ids), place_of(early[(gap >= 0) & (gap <= days)]))
