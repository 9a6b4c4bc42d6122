"""One criterion's events: those of its concept set, the first of a person where asked, then what it says of them.

The order is circe-be's: a concept set first, ``First`` among those, and every other attribute after that, so that
"the first diagnosis, in 2020" is nobody's second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from flip_sdk.contract.circe import (
    CirceConcept,
    DateRange,
    DomainCriteria,
    ImageCriteria,
    NumericRange,
    ObservationPeriodCriteria,
    Period,
    WholeRange,
)

from flip_trust.cohort.circe.events import Events, with_dates
from flip_trust.cohort.circe.ranges import among, within
from flip_trust.cohort.resident import Resident
from flip_trust.cohort.resident.columns import first_of_each
from flip_trust.cohort.resident.dates import day, years
from flip_trust.cohort.resident.tables import Floats, Ints, Mask
from flip_trust.errors import SetupError

_ENDS: Final = ("OccurrenceEndDate", "EraEndDate", "PeriodEndDate", "AgeAtEnd")
_DATES: Final = ("OccurrenceStartDate", "EraStartDate", "PeriodStartDate", *_ENDS)
_AGES: Final = ("Age", "AgeAtStart", "AgeAtEnd")
_LENGTHS: Final = ("VisitLength", "EraLength", "PeriodLength")
_RATIOS: Final = {"RangeLowRatio": "RangeLow", "RangeHighRatio": "RangeHigh"}
_ELSEWHERE: Final = ("CodesetId", "First", "CorrelatedCriteria", "UserDefinedPeriod", "Modality")
"""Attributes that are not conditions on one event."""

Asked = NumericRange | WholeRange | DateRange | tuple[CirceConcept, ...]


@dataclass(frozen=True)
class Criteria:
    """Answers criteria from one Trust's tables.

    Attributes:
        resident: the tables.
        sets: the concepts of each concept set of the expression.
    """

    resident: Resident
    sets: Mapping[int, frozenset[int]] = field(repr=False)

    def events(self, name: str, asked: DomainCriteria) -> Events:
        """The events of a criterion; the criteria around its own events are not looked at here.

        Raises:
            SetupError: a table or a column that it needs is missing.
        """
        found = self._of_concepts(name, asked)
        if getattr(asked, "First", None):
            found = found.where(first_of_each(found.keys, found.order))
        if isinstance(asked, ObservationPeriodCriteria) and asked.UserDefinedPeriod is not None:
            found = _redated(found, asked.UserDefinedPeriod)
        for attribute in type(asked).model_fields:
            value = getattr(asked, attribute)
            special = attribute in _ELSEWHERE or attribute.endswith(("Exclude", "SourceConcept"))
            if value and not special:
                exclude = getattr(asked, f"{attribute}Exclude", False)
                mask = self._holds(found, attribute, value)
                found = found.where(~mask if exclude else mask)
        return found

    def born(self, events_of: Ints) -> Ints:
        """The year of birth of persons, by their places."""
        return self.resident.persons.born[events_of].astype(np.int64)

    def _of_concepts(self, name: str, asked: DomainCriteria) -> Events:
        columns = self.resident.columns(name)
        rows = self.resident.rows(name, self._concepts(asked))
        attribute, source = columns.domain.source
        number = getattr(asked, attribute, None) if attribute else None
        if number is not None:
            rows = rows[np.isin(columns.ids(source, rows), list(self.sets[number]))]
        return Events(columns, rows, columns.keys[rows])

    def _concepts(self, asked: DomainCriteria) -> frozenset[int] | None:
        if isinstance(asked, ImageCriteria):
            return frozenset(concept.CONCEPT_ID for concept in asked.Modality) if asked.Modality else None
        number = getattr(asked, "CodesetId", None)
        return None if number is None else self.sets[number]

    def _holds(self, found: Events, attribute: str, value: Asked) -> Mask:
        """For which events one attribute holds."""
        if isinstance(value, tuple):
            return among(self._ids(found, attribute), value)
        if attribute in _AGES:
            ends = attribute in _ENDS
            return within(years(found.end if ends else found.start) - self.born(found.place), value)
        if attribute in _DATES:
            return within(found.end if attribute in _ENDS else found.start, value)
        if attribute in _LENGTHS:
            return within(found.end - found.start, value)
        return within(self._numbers(found, attribute), value)

    def _ids(self, found: Events, attribute: str) -> Ints:
        if attribute == "Gender":
            return self.resident.persons.column("gender_concept_id")[found.place]
        column = found.columns.domain.concepts.get(attribute)
        if column is not None:
            return found.columns.ids(column, found.rows)
        if attribute == "VisitType":
            return self._kinds_of_visit(found)
        raise SetupError(f"{attribute} cannot be asked of this table.", "Leave it out.")

    def _kinds_of_visit(self, found: Events) -> Ints:
        """The concept of the visit that each event belongs to, if it is the same person's; else -1."""
        visits = self.resident.columns("VisitOccurrence")
        every = self.resident.rows("VisitOccurrence", None)
        numbers = visits.ids("visit_occurrence_id", every)
        sorting = np.argsort(numbers, kind="stable")
        at = np.searchsorted(numbers, found.visit, sorter=sorting)
        at[at == len(numbers)] = 0
        if not len(numbers):
            return np.full(len(found.rows), -1)
        row = every[sorting[at]]
        same = (numbers[sorting[at]] == found.visit) & (visits.keys[row] >> 32 == found.place)
        return np.where(same, visits.concept_at(row), -1)

    def _numbers(self, found: Events, attribute: str) -> Floats:
        if attribute in _RATIOS:
            edge = self._numbers(found, _RATIOS[attribute])
            value = self._numbers(found, "ValueAsNumber")
            ratio: Floats = np.divide(value, edge, out=np.full(len(value), np.nan), where=edge != 0)
            return ratio
        return found.columns.numbers(found.columns.domain.numbers[attribute], found.rows)


def _redated(found: Events, period: Period) -> Events:
    """The periods that hold the days given, starting and ending on them."""
    start, end = (None if edge is None else day(edge) for edge in (period.StartDate, period.EndDate))
    for edge in (start, end):
        if edge is not None:
            found = found.where((found.start <= edge) & (edge <= found.end))
    return with_dates(found, start, end)
