"""Whether a Trust keeps what an expression asks about: tables, columns and vocabulary. No patient is read."""

from __future__ import annotations

from collections.abc import Iterator

from flip_sdk.contract.check_circe import walk
from flip_sdk.contract.circe import (
    CohortExpression,
    ConceptSetItem,
    CorrelatedCriterion,
    Criterion,
    DemographicCriteria,
    DomainCriteria,
)
from flip_sdk.contract.tasks import RefusalCode

from flip_trust.cohort.resident import DOMAINS, Domain, Resident
from flip_trust.cohort.resident.tables import Table
from flip_trust.cohort.resident.vocabulary import ANCESTOR, RELATIONSHIP
from flip_trust.errors import RefusedError, SetupError

_PERSON = {"Gender": "gender_concept_id", "Race": "race_concept_id", "Ethnicity": "ethnicity_concept_id"}
_RATIOS = {"RangeLowRatio": "range_low", "RangeHighRatio": "range_high"}
_PERIOD = ("person_id", "observation_period_start_date", "observation_period_end_date")


def require(expression: CohortExpression, resident: Resident) -> None:
    """Whether the expression can be answered here.

    Raises:
        RefusedError: UNKNOWN_CONCEPT, a table, a column or a vocabulary is missing.
    """
    for table, columns in needs(expression):
        folder = resident.vocabulary_folder if table in (ANCESTOR, RELATIONSHIP) else resident.omop
        try:
            held = Table.at(folder / f"{table}.parquet").columns()
        except SetupError:
            raise RefusedError(RefusalCode.UNKNOWN_CONCEPT) from None
        if not set(columns) <= held:
            raise RefusedError(RefusalCode.UNKNOWN_CONCEPT)


def needs(expression: CohortExpression) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tables with the columns that an expression asks for."""
    yield "person", ("person_id", "year_of_birth")
    yield "observation_period", _PERIOD
    for _, _, record in walk(expression):
        match record:
            case ConceptSetItem():
                if record.includeDescendants:
                    yield ANCESTOR, ("ancestor_concept_id", "descendant_concept_id")
                if record.includeMapped:
                    yield RELATIONSHIP, ("concept_id_1", "concept_id_2", "relationship_id")
            case Criterion():
                yield from _of_criterion(record)
            case DemographicCriteria():
                yield from (("person", (column,)) for name, column in _PERSON.items() if getattr(record, name))
            case CorrelatedCriterion() if record.RestrictVisit:
                ((name, _),) = record.Criteria.named()
                if DOMAINS[name].visits:
                    yield DOMAINS[name].table, ("visit_occurrence_id",)


def _of_criterion(criterion: Criterion) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, asked in criterion.named():
        domain = DOMAINS[name]
        yield domain.table, tuple(filter(None, ("person_id", domain.concept, domain.start, domain.end)))
        for attribute in type(asked).model_fields:
            if getattr(asked, attribute) not in (None, ()):
                yield from _of_attribute(domain, asked, attribute)


def _of_attribute(domain: Domain, asked: DomainCriteria, attribute: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    source, column = domain.source
    if attribute == "Gender":
        yield "person", (_PERSON["Gender"],)
    elif attribute == source:
        yield domain.table, (column,)
    elif attribute in domain.concepts or attribute in domain.numbers:
        yield domain.table, ({**domain.concepts, **domain.numbers}[attribute],)
    elif attribute in _RATIOS:
        yield domain.table, ("value_as_number", _RATIOS[attribute])
    elif attribute == "VisitType" and getattr(asked, attribute):
        yield domain.table, ("visit_occurrence_id",)
        yield "visit_occurrence", ("visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date")
