"""Which index events a group of criteria holds for, and the events of criteria that have a group of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from flip_sdk.contract.circe import CorrelatedCriterion, CriteriaGroup, Criterion, DemographicCriteria

from flip_trust.cohort.circe.criteria import Criteria
from flip_trust.cohort.circe.events import Events, Index, indexed
from flip_trust.cohort.circe.ranges import among, within
from flip_trust.cohort.circe.windows import counts
from flip_trust.cohort.resident.dates import years
from flip_trust.cohort.resident.tables import Ints, Mask

_PERSON_COLUMNS = {"Gender": "gender_concept_id", "Race": "race_concept_id", "Ethnicity": "ethnicity_concept_id"}


class Groups:
    """Groups of criteria, over one Trust's tables.

    Args:
        criteria: answers single criteria.
        ends: whether the expression asks for the ends of index events.
        visits: whether it asks for their visits.
    """

    def __init__(self, criteria: Criteria, *, ends: bool, visits: bool) -> None:
        self.criteria = criteria
        self.ends = ends
        self.visits = visits

    def events(self, criterion: Criterion) -> Events:
        """The events of a criterion, those around which its own correlated criteria hold."""
        ((name, asked),) = criterion.named()
        found = self.criteria.events(name, asked)
        group = asked.CorrelatedCriteria
        if group is None or is_empty(group):
            return found
        index, origin = self.index([found])
        kept = np.zeros(len(found.rows), dtype=bool)
        kept[origin[self.holds(group, index)]] = True
        return found.where(kept)

    def index(self, found: list[Events]) -> tuple[Index, Ints]:
        """Events as index events, those within an observation period."""
        return indexed(found, self.criteria.resident.periods, ends=self.ends, visits=self.visits)

    def holds(self, group: CriteriaGroup, index: Index) -> Mask:
        """The index events that a group holds for."""
        if is_empty(group) or not len(index):
            return np.ones(len(index), dtype=bool)
        if group.Type == "ALL":
            return self._all(group, index)
        count = np.zeros(len(index), dtype=np.int64)
        for mask in self._each(group, index):
            count += mask
        if group.Type == "ANY":
            return count > 0
        needed = group.Count or 0
        return count >= needed if group.Type == "AT_LEAST" else count <= needed

    def _all(self, group: CriteriaGroup, index: Index) -> Mask:
        """Each criterion is asked only of the index events that are still there."""
        left = np.arange(len(index))
        for part in _parts(group):
            left = left[self._part(part, index.where(left))]
        holds = np.zeros(len(index), dtype=bool)
        holds[left] = True
        return holds

    def _each(self, group: CriteriaGroup, index: Index) -> Iterator[Mask]:
        for part in _parts(group):
            yield self._part(part, index)

    def _part(self, part: DemographicCriteria | CorrelatedCriterion | CriteriaGroup, index: Index) -> Mask:
        match part:
            case DemographicCriteria():
                return self._demographic(part, index)
            case CorrelatedCriterion():
                return self._correlated(part, index)
            case CriteriaGroup():
                return self.holds(part, index)

    def _correlated(self, asked: CorrelatedCriterion, index: Index) -> Mask:
        found = counts(index, self.events(asked.Criteria), asked)
        needed = asked.Occurrence.Count
        holds: Mask = (np.equal, np.less_equal, np.greater_equal)[asked.Occurrence.Type](found, needed)
        return holds

    def _demographic(self, asked: DemographicCriteria, index: Index) -> Mask:
        holds = np.ones(len(index), dtype=bool)
        place = index.place
        if asked.Age is not None:
            holds &= within(years(index.start) - self.criteria.born(place), asked.Age)
        for attribute, column in _PERSON_COLUMNS.items():
            if concepts := getattr(asked, attribute):
                holds &= among(self.criteria.resident.persons.column(column)[place], concepts)
        if asked.OccurrenceStartDate is not None:
            holds &= within(index.start, asked.OccurrenceStartDate)
        if asked.OccurrenceEndDate is not None:
            holds &= within(index.day(end=True), asked.OccurrenceEndDate)
        return holds


def is_empty(group: CriteriaGroup) -> bool:
    """Whether a group has nothing in it; it holds for everyone then."""
    return not (group.CriteriaList or group.DemographicCriteriaList or group.Groups)


def _parts(group: CriteriaGroup) -> Iterator[DemographicCriteria | CorrelatedCriterion | CriteriaGroup]:
    """What is in a group, the cheapest first."""
    yield from group.DemographicCriteriaList
    yield from group.CriteriaList
    yield from group.Groups
