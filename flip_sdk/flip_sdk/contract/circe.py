"""Cohort expressions as OHDSI's ATLAS writes them (CIRCE JSON), and one criterion of our own for images.

Field names are CIRCE's, letter by letter, because this *is* the wire format. The records are closed: a criterion or an
attribute that is not listed here is refused by its name and path, never ignored. What each one means is written down in
``docs/cohorts.md``; the names and meanings follow OHDSI's circe-be (``org.ohdsi.circe.cohortdefinition``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from flip_sdk.contract.records import ConceptId, Finite, Record

MAX_BYTES = 2_000_000
"""The longest expression that is read at all."""

Label = Annotated[str, StringConstraints(max_length=500)]
Prose = Annotated[str, StringConstraints(max_length=20_000)]
Days = Annotated[int, Field(ge=-40_000, le=40_000)]
Amount = Annotated[int, Field(ge=0, le=10_000)]
CodesetNumber = Annotated[int, Field(ge=0, le=2**31 - 1)]
Comparison = Literal["lt", "lte", "eq", "!eq", "gt", "gte", "bt", "!bt"]


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class CirceRecord(Record):
    """A record that leaves out what is not set, as ATLAS does, and takes ``null`` for not set, as ATLAS does too."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_set(cls, given: object) -> object:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class CirceConcept(CirceRecord):
    """A concept with the captions that ATLAS puts beside its id. Only the id has a meaning here."""

    CONCEPT_ID: ConceptId
    CONCEPT_NAME: Label | None = None
    CONCEPT_CODE: Label | None = None
    DOMAIN_ID: Label | None = None
    VOCABULARY_ID: Label | None = None
    CONCEPT_CLASS_ID: Label | None = None
    STANDARD_CONCEPT: Label | None = None
    STANDARD_CONCEPT_CAPTION: Label | None = None
    INVALID_REASON: Label | None = None
    INVALID_REASON_CAPTION: Label | None = None
    VALID_START_DATE: Label | int | None = None
    VALID_END_DATE: Label | int | None = None


Concepts = Annotated[tuple[CirceConcept, ...], Field(max_length=1000)]


class ConceptSetItem(CirceRecord):
    """One concept of a set, with or without its descendants and the source concepts that map to it."""

    concept: CirceConcept
    isExcluded: bool = False
    includeDescendants: bool = False
    includeMapped: bool = False


class ConceptSetExpression(CirceRecord):
    """The concepts of a set: all those included, less all those excluded."""

    items: Annotated[tuple[ConceptSetItem, ...], Field(max_length=10_000)] = ()


class ConceptSet(CirceRecord):
    """A named set of concepts that criteria refer to by its number."""

    id: CodesetNumber
    name: Label = ""
    expression: ConceptSetExpression


class NumericRange(CirceRecord):
    """A comparison with a number; ``bt`` is from ``Value`` to ``Extent``, both included."""

    Value: Finite
    Op: Comparison
    Extent: Finite | None = None


class WholeRange(CirceRecord):
    """A comparison with a whole number (ages, days, counts)."""

    Value: Days
    Op: Comparison
    Extent: Days | None = None


class DateRange(CirceRecord):
    """A comparison with a date."""

    Value: date
    Op: Comparison
    Extent: date | None = None


class Period(CirceRecord):
    """From a date to a date; either may be missing."""

    StartDate: date | None = None
    EndDate: date | None = None


class WindowEnd(CirceRecord):
    """``Coeff`` × ``Days`` from the index date; without ``Days``, all days before (-1) or after (1) it."""

    Days: Annotated[int, Field(ge=0, le=40_000)] | None = None
    Coeff: Literal[-1, 1]
    TimeUnit: Literal["day"] | None = None


class Window(CirceRecord):
    """When an event may be, relative to the index event."""

    Start: WindowEnd
    End: WindowEnd
    UseIndexEnd: bool | None = None
    UseEventEnd: bool | None = None


class Times(CirceRecord):
    """How often: exactly (0), at most (1) or at least (2) ``Count`` times; ``IsDistinct`` counts different values."""

    Type: Literal[0, 1, 2]
    Count: Amount
    IsDistinct: bool = False
    CountColumn: Literal["DOMAIN_CONCEPT", "START_DATE"] | None = None


class DomainCriteria(CirceRecord):
    """What every criterion may have: further criteria around its own events."""

    CorrelatedCriteria: CriteriaGroup | None = None


class EventCriteria(DomainCriteria):
    """What most criteria have in common."""

    CodesetId: CodesetNumber | None = None
    OccurrenceStartDate: DateRange | None = None
    Age: WholeRange | None = None
    Gender: Concepts | None = None


class RepeatedEvent(EventCriteria):
    """An event that a person may have several of, perhaps within a visit."""

    First: bool | None = None
    VisitType: Concepts | None = None


class ConditionCriteria(RepeatedEvent):
    """``ConditionOccurrence``."""

    OccurrenceEndDate: DateRange | None = None
    ConditionType: Concepts | None = None
    ConditionTypeExclude: bool = False
    ConditionStatus: Concepts | None = None
    ConditionSourceConcept: CodesetNumber | None = None


class DrugCriteria(RepeatedEvent):
    """``DrugExposure``."""

    OccurrenceEndDate: DateRange | None = None
    DrugType: Concepts | None = None
    DrugTypeExclude: bool = False
    DrugSourceConcept: CodesetNumber | None = None
    RouteConcept: Concepts | None = None
    Refills: WholeRange | None = None
    Quantity: NumericRange | None = None
    DaysSupply: WholeRange | None = None


class MeasurementCriteria(RepeatedEvent):
    """``Measurement``."""

    MeasurementType: Concepts | None = None
    MeasurementTypeExclude: bool = False
    MeasurementSourceConcept: CodesetNumber | None = None
    Operator: Concepts | None = None
    ValueAsNumber: NumericRange | None = None
    ValueAsConcept: Concepts | None = None
    Unit: Concepts | None = None
    RangeLow: NumericRange | None = None
    RangeHigh: NumericRange | None = None
    RangeLowRatio: NumericRange | None = None
    RangeHighRatio: NumericRange | None = None


class ObservationCriteria(RepeatedEvent):
    """``Observation``."""

    ObservationType: Concepts | None = None
    ObservationTypeExclude: bool = False
    ObservationSourceConcept: CodesetNumber | None = None
    ValueAsNumber: NumericRange | None = None
    ValueAsConcept: Concepts | None = None
    Qualifier: Concepts | None = None
    Unit: Concepts | None = None


class ProcedureCriteria(RepeatedEvent):
    """``ProcedureOccurrence``."""

    ProcedureType: Concepts | None = None
    ProcedureTypeExclude: bool = False
    ProcedureSourceConcept: CodesetNumber | None = None
    Modifier: Concepts | None = None
    Quantity: WholeRange | None = None


class VisitCriteria(EventCriteria):
    """``VisitOccurrence``. Its ``VisitType`` is the provenance of the record, not the kind of visit."""

    First: bool | None = None
    OccurrenceEndDate: DateRange | None = None
    VisitType: Concepts | None = None
    VisitTypeExclude: bool = False
    VisitSourceConcept: CodesetNumber | None = None
    VisitLength: WholeRange | None = None


class DeathCriteria(EventCriteria):
    """``Death``; its concept set is about the cause."""

    DeathType: Concepts | None = None
    DeathTypeExclude: bool = False
    DeathSourceConcept: CodesetNumber | None = None


class ObservationPeriodCriteria(DomainCriteria):
    """``ObservationPeriod``; ``UserDefinedPeriod`` asks for periods with these dates, and starts and ends there."""

    First: bool | None = None
    PeriodStartDate: DateRange | None = None
    PeriodEndDate: DateRange | None = None
    UserDefinedPeriod: Period | None = None
    PeriodType: Concepts | None = None
    PeriodLength: WholeRange | None = None
    AgeAtStart: WholeRange | None = None
    AgeAtEnd: WholeRange | None = None


class EraCriteria(DomainCriteria):
    """``ConditionEra``, and what ``DrugEra`` has in common with it."""

    CodesetId: CodesetNumber | None = None
    First: bool | None = None
    EraStartDate: DateRange | None = None
    EraEndDate: DateRange | None = None
    OccurrenceCount: WholeRange | None = None
    EraLength: WholeRange | None = None
    AgeAtStart: WholeRange | None = None
    AgeAtEnd: WholeRange | None = None
    Gender: Concepts | None = None


class DrugEraCriteria(EraCriteria):
    """``DrugEra``."""

    GapDays: WholeRange | None = None


class ImageCriteria(DomainCriteria):
    """``ImageOccurrence``, our own: MI-CDM's ``image_occurrence`` by modality, body site and date."""

    First: bool | None = None
    Modality: Concepts | None = None
    AnatomicSite: Concepts | None = None
    OccurrenceStartDate: DateRange | None = None
    Age: WholeRange | None = None
    Gender: Concepts | None = None


class Criterion(CirceRecord):
    """One criterion: exactly one of these is set, and its name says which events are meant."""

    ConditionOccurrence: ConditionCriteria | None = None
    DrugExposure: DrugCriteria | None = None
    Measurement: MeasurementCriteria | None = None
    Observation: ObservationCriteria | None = None
    ProcedureOccurrence: ProcedureCriteria | None = None
    VisitOccurrence: VisitCriteria | None = None
    Death: DeathCriteria | None = None
    ObservationPeriod: ObservationPeriodCriteria | None = None
    ConditionEra: EraCriteria | None = None
    DrugEra: DrugEraCriteria | None = None
    ImageOccurrence: ImageCriteria | None = None

    def named(self) -> Iterator[tuple[str, DomainCriteria]]:
        """The criteria that are set, each with its name; a valid record has one."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                yield name, value


class CorrelatedCriterion(CirceRecord):
    """So many events of a criterion in a window around the index event."""

    Criteria: Criterion
    StartWindow: Window
    EndWindow: Window | None = None
    RestrictVisit: bool = False
    IgnoreObservationPeriod: bool = False
    Occurrence: Times


class DemographicCriteria(CirceRecord):
    """About the person, at the index event."""

    Age: WholeRange | None = None
    Gender: Concepts | None = None
    Race: Concepts | None = None
    Ethnicity: Concepts | None = None
    OccurrenceStartDate: DateRange | None = None
    OccurrenceEndDate: DateRange | None = None


class CriteriaGroup(CirceRecord):
    """Criteria of which all, any, at least or at most ``Count`` hold. An empty group always holds."""

    Type: Annotated[Literal["ALL", "ANY", "AT_LEAST", "AT_MOST"], BeforeValidator(_upper)]
    Count: Amount | None = None
    CriteriaList: Annotated[tuple[CorrelatedCriterion, ...], Field(max_length=100)] = ()
    DemographicCriteriaList: Annotated[tuple[DemographicCriteria, ...], Field(max_length=100)] = ()
    Groups: Annotated[tuple[CriteriaGroup, ...], Field(max_length=100)] = ()


class Observed(CirceRecord):
    """So many days of observation before and after the event."""

    PriorDays: Annotated[int, Field(ge=0, le=40_000)] = 0
    PostDays: Annotated[int, Field(ge=0, le=40_000)] = 0


class ResultLimit(CirceRecord):
    """Which events of a person go on: all, the earliest or the latest."""

    Type: Annotated[Literal["ALL", "FIRST", "LAST"], BeforeValidator(_upper)] = "FIRST"


class EntryEvents(CirceRecord):
    """The events at which a person may enter the cohort."""

    CriteriaList: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=100)]
    ObservationWindow: Observed
    PrimaryCriteriaLimit: ResultLimit


class InclusionRule(CirceRecord):
    """A named rule that every entry event has to meet."""

    name: Label = ""
    description: Prose | None = None
    expression: CriteriaGroup


class Offset(CirceRecord):
    """The cohort ends so many days after the event's start or end, and no later than its observation period."""

    DateField: Literal["StartDate", "EndDate"] = "StartDate"
    Offset: Days = 0


class Ending(CirceRecord):
    """When a person leaves the cohort; without one, at the end of the observation period."""

    DateOffset: Offset


class Collapse(CirceRecord):
    """Periods of a person that are at most ``EraPad`` days apart become one."""

    CollapseType: Literal["ERA"] = "ERA"
    EraPad: Annotated[int, Field(ge=0, le=40_000)] = 0


class CohortExpression(CirceRecord):
    """A whole cohort definition, as ATLAS exports it."""

    Title: Label | None = None
    cdmVersionRange: Label | None = None
    ConceptSets: Annotated[tuple[ConceptSet, ...], Field(max_length=200)] = ()
    PrimaryCriteria: EntryEvents
    AdditionalCriteria: CriteriaGroup | None = None
    QualifiedLimit: ResultLimit = ResultLimit()
    ExpressionLimit: ResultLimit = ResultLimit()
    InclusionRules: Annotated[tuple[InclusionRule, ...], Field(max_length=60)] = ()
    EndStrategy: Ending | None = None
    CensoringCriteria: Annotated[tuple[Criterion, ...], Field(max_length=100)] = ()
    CollapseSettings: Collapse = Collapse()
    CensorWindow: Period | None = None
