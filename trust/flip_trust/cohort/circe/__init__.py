"""A cohort expression (CIRCE JSON) answered from resident columns: which persons, from when to when.

Nothing is compiled and no SQL is made: the expression is walked, and each criterion is a few operations on arrays. The
stages and their order are those of circe-be's cohort query (``generateCohort.sql``): entry events, additional criteria,
inclusion rules, the end of each event's time in the cohort, and one row for times that touch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from flip_sdk.contract.check_circe import check_expression, walk
from flip_sdk.contract.circe import (
    CohortExpression,
    CorrelatedCriterion,
    DemographicCriteria,
    EntryEvents,
    Period,
    ResultLimit,
    Window,
)
from flip_sdk.errors import SpecError

from flip_trust.cohort.circe.criteria import Criteria
from flip_trust.cohort.circe.events import Index
from flip_trust.cohort.circe.groups import Groups
from flip_trust.cohort.resident import Resident
from flip_trust.cohort.resident.columns import day_of, first_of_each, key_of, place_of
from flip_trust.cohort.resident.dates import day
from flip_trust.cohort.resident.tables import Days, Ints, Rows

__all__ = ["Members", "evaluate"]


@dataclass(frozen=True)
class Members:
    """Who is in a cohort, a row for each time in it, by person and start.

    Attributes:
        person_id: OMOP's ids; a person may be there several times.
        start, end: days since 1970.
    """

    person_id: Ints = field(repr=False)
    start: Days = field(repr=False)
    end: Days = field(repr=False)

    @property
    def persons(self) -> Ints:
        """Each person once, ascending."""
        return np.unique(self.person_id)

    def __len__(self) -> int:
        return len(self.persons)


def evaluate(expression: CohortExpression, resident: Resident) -> Members:
    """The members of a cohort, from the files as they are now.

    Raises:
        SpecError: the expression breaks a rule of its contract.
        SetupError: a table, a column or a vocabulary that it needs is missing.
    """
    if found := check_expression(expression):
        raise SpecError(found)
    with resident.lock:
        resident.refresh()
        return _members(expression, resident)


def _members(expression: CohortExpression, resident: Resident) -> Members:
    sets = {concept_set.id: resident.vocabulary.members(concept_set) for concept_set in expression.ConceptSets}
    groups = Groups(Criteria(resident, sets), ends=_asks_for_ends(expression), visits=_asks_for_visits(expression))
    index = _entries(expression.PrimaryCriteria, groups)
    if expression.AdditionalCriteria is not None:
        index = index.where(groups.holds(expression.AdditionalCriteria, index))
        index = _limited(index, expression.QualifiedLimit)
    for rule in expression.InclusionRules:
        index = index.where(groups.holds(rule.expression, index))
    index = _limited(index, expression.ExpressionLimit)
    place, start, end = _collapsed(index, _ends(expression, index, groups), expression.CollapseSettings.EraPad)
    place, start, end = _clipped(place, start, end, expression.CensorWindow)
    return Members(resident.persons.ids[place], start, end)


def _entries(asked: EntryEvents, groups: Groups) -> Index:
    """Entry events, observed for long enough, of each person as many as wanted."""
    index, _ = groups.index([groups.events(criterion) for criterion in asked.CriteriaList])
    window = asked.ObservationWindow
    start = index.start
    inside = (index.op_start + window.PriorDays <= start) & (start + window.PostDays <= index.op_end)
    return _limited(index.where(inside), asked.PrimaryCriteriaLimit)


def _limited(index: Index, limit: ResultLimit) -> Index:
    """All events, or each person's first or last; of several on one day, the one with the lowest number."""
    if limit.Type == "ALL" or not len(index):
        return index
    if limit.Type == "LAST":
        place = index.place
        last = np.flatnonzero(np.r_[place[1:] != place[:-1], True])
        sizes = np.diff(np.r_[-1, last])
        index = index.where(index.keys == np.repeat(index.keys[last], sizes))
    return index.where(first_of_each(index.keys, index.order))


def _ends(expression: CohortExpression, index: Index, groups: Groups) -> Days:
    """When the time in the cohort that begins with each event ends; before its start where it never began."""
    end = index.op_end
    if expression.EndStrategy is not None:
        asked = expression.EndStrategy.DateOffset
        end = np.minimum(end, index.day(end=asked.DateField == "EndDate") + np.int32(asked.Offset))
    nowhere = np.int32(2**31 - 1)
    for criterion in expression.CensoringCriteria:
        keys = groups.events(criterion).keys
        at = np.searchsorted(keys, index.keys, side="left")
        later = keys[np.minimum(at, len(keys) - 1)] if len(keys) else index.keys
        hit = (at < len(keys)) & (place_of(later) == index.place) & (day_of(later) <= index.op_end)
        censored = np.where(hit, day_of(later), nowhere)
        # an end before the start does not count, but a censoring event after it does
        end = np.where((end >= index.start) & (end < censored), end, np.where(hit, censored, end))
    return end.astype(np.int32)


def _collapsed(index: Index, end: Days, pad: int) -> tuple[Rows, Days, Days]:
    """Times of one person that touch or overlap, after ``pad`` more days at their ends, as one time."""
    kept = end >= index.start
    place, start = index.place[kept], index.start[kept]
    if not len(place):
        return place, start, start
    # the latest end so far, person by person: a person's key is above every key of the persons before
    reached = np.maximum.accumulate(key_of(place, end[kept] + np.int32(pad)))
    fresh = np.r_[True, (place[1:] != place[:-1]) | (reached[:-1] < key_of(place[1:], start[1:]))]
    begins = np.flatnonzero(fresh)
    last = np.r_[begins[1:], len(place)] - 1
    return place[begins], start[begins], day_of(reached[last]) - np.int32(pad)


def _clipped(place: Rows, start: Days, end: Days, window: Period | None) -> tuple[Rows, Days, Days]:
    if window is not None and window.StartDate is not None:
        start = np.maximum(start, np.int32(day(window.StartDate)))
    if window is not None and window.EndDate is not None:
        end = np.minimum(end, np.int32(day(window.EndDate)))
    kept = start <= end
    return place[kept], start[kept], end[kept]


def _asks_for_ends(expression: CohortExpression) -> bool:
    strategy = expression.EndStrategy
    if strategy is not None and strategy.DateOffset.DateField == "EndDate":
        return True
    return any(
        bool(record.UseIndexEnd) if isinstance(record, Window) else record.OccurrenceEndDate is not None
        for _, _, record in walk(expression)
        if isinstance(record, Window | DemographicCriteria)
    )


def _asks_for_visits(expression: CohortExpression) -> bool:
    return any(isinstance(record, CorrelatedCriterion) and record.RestrictVisit for _, _, record in walk(expression))
