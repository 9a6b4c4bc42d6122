"""A cohort's criteria as Polars expressions, and the concepts that a job names."""

from __future__ import annotations

import polars as pl
from flip_sdk.contract.cohorts import AgeBetween, Cohort, Criterion, HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.concepts import asked_about, concepts_of
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, StatisticsSpec, TrainSpec
from flip_sdk.contract.notices import Domain
from flip_sdk.contract.statistics import follow_up_of
from flip_sdk.contract.tasks import RefusalCode

from flip_trust.cohort import rules
from flip_trust.cohort.circe import evaluate
from flip_trust.cohort.circe.needs import require
from flip_trust.cohort.follow_up import require_tables
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.resident import resident
from flip_trust.errors import RefusedError
from flip_trust.features.needs import require_inputs


def persons_in(cohort: Cohort, omop: Omop, year: int) -> pl.LazyFrame:
    """``person_id`` of everyone for whom every criterion and the expression hold, in order.

    Args:
        cohort: the criteria.
        omop: the tables.
        year: the year in which ages are reckoned.

    Raises:
        SetupError: a table or a vocabulary that an expression needs is missing.
    """
    found = rules.persons(cohort.criteria, omop, year) if cohort.criteria else None
    if found is not None:
        frame = pl.LazyFrame({"person_id": found})
    else:
        frame = omop.persons()
        for criterion in cohort.criteria:
            # what is not recorded does not hold, and its negation does
            known = _holds(criterion, omop, year).fill_null(value=False)
            frame = frame.filter(~known if criterion.negate else known)
    if cohort.expression is not None:
        members = evaluate(cohort.expression, resident(omop.folder)).persons
        frame = frame.filter(pl.col("person_id").is_in(pl.Series(members).implode()))
    return frame.select("person_id").sort("person_id")


def check_concepts(spec: AnySpec, omop: Omop) -> None:
    """Whether the concept table has every concept of a job, in the domain it is used in, and the dates that it needs.

    No patient is read.

    Raises:
        RefusedError: UNKNOWN_CONCEPT.
    """
    if isinstance(spec, TrainSpec | EvaluateSpec):
        require_inputs(spec, omop)
    wanted = _concepts(spec)
    found = omop.domains({concept_id for concept_id, _ in wanted})
    if any(found.get(concept_id) != domain for concept_id, domain in wanted):
        raise RefusedError(RefusalCode.UNKNOWN_CONCEPT)
    if spec.cohort.expression is not None:
        require(spec.cohort.expression, resident(omop.folder))
    follow_up = follow_up_of(spec.question) if isinstance(spec, StatisticsSpec) else None
    if follow_up is not None:
        require_tables(follow_up, omop)


def _concepts(spec: AnySpec) -> set[tuple[int, Domain]]:
    found: set[tuple[int, Domain]] = set()
    for criterion in spec.cohort.criteria:
        match criterion:
            case SexIs():
                found |= {(concept_id, "Gender") for concept_id in criterion.concept_ids}
            case HasCondition():
                found |= {(concept_id, "Condition") for concept_id in criterion.concept_ids}
            case MeasurementBetween():
                found.add((criterion.concept_id, "Measurement"))
            case AgeBetween():
                pass
    if isinstance(spec, StatisticsSpec):
        found |= {(concept_id, domain) for domain, concept_id in asked_about(spec.question)}
    if isinstance(spec, TrainSpec | EvaluateSpec):
        for feature in spec.features:
            found |= {(concept_id, domain) for domain, concept_id in concepts_of(feature)}
        found |= {(concept_id, "Condition") for concept_id in spec.label.condition_concept_ids}
    return found


def _holds(criterion: Criterion, omop: Omop, year: int) -> pl.Expr:
    match criterion:
        case AgeBetween():
            return (pl.lit(year) - pl.col("year_of_birth")).is_between(criterion.low, criterion.high)
        case SexIs():
            return pl.col("gender_concept_id").is_in(list(criterion.concept_ids))
        case HasCondition():
            return _among(omop.with_condition(criterion.concept_ids))
        case MeasurementBetween():
            value = pl.col("value").is_between(criterion.low, criterion.high)
            return _among(omop.latest([criterion.concept_id]).filter(value).select("person_id"))


def _among(persons: pl.LazyFrame) -> pl.Expr:
    return pl.col("person_id").is_in(persons.collect().get_column("person_id").implode())
