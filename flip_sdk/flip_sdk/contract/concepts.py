"""Which concepts a job names, and which of them no Trust of the project lists in its catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from flip_sdk.contract.check import Violation
from flip_sdk.contract.cohorts import HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.features import AgeFeature, AnyFeature, EventDomain, EventFeature, Feature, SexFeature
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, StatisticsSpec, TrainSpec
from flip_sdk.contract.notices import CatalogueConcept, Domain
from flip_sdk.contract.statistics import (
    AnyQuestion,
    ConditionRecorded,
    LogisticRegression,
    SexIn,
    categories_of,
    follow_up_of,
    measurements_of,
)

Spec = AnySpec
DOMAIN_OF_EVENT: dict[EventDomain, Domain] = {
    "condition": "Condition",
    "drug": "Drug",
    "procedure": "Procedure",
    "observation": "Observation",
    "visit": "Visit",
}

_ASKED_AS = {
    "Condition": "conditions",
    "Measurement": "measurements",
    "Drug": "drugs",
    "Procedure": "procedures",
    "Observation": "observations",
    "Visit": "visits",
}
_ASKED_AS_EVENT = {
    "ConditionOccurrence": "conditions",
    "ConditionEra": "conditions",
    "DrugExposure": "drugs",
    "DrugEra": "drugs",
    "Measurement": "measurements",
    "Observation": "observations",
    "ProcedureOccurrence": "procedures",
    "VisitOccurrence": "visits",
    "ImageOccurrence": "images",
}


def unknown_concepts(spec: Spec, published: Iterable[CatalogueConcept]) -> list[Violation]:
    """A violation for every place in a job that names a concept nobody has published."""
    held = {(concept.domain, concept.concept_id) for concept in published}
    return [
        Violation(
            rule="unknown_concept",
            where=where,
            message=f"No Trust of this project lists the {domain.lower()} concept {concept_id}.",
            mend="See project.catalogue() for the concepts that there are.",
        )
        for where, domain, concept_id in _named(spec)
        if (domain, concept_id) not in held
    ]


def domains_of(spec: Spec) -> set[str]:
    """The kinds of data that a job reads, as an application names them (``applications.Domain``)."""
    found = {_ASKED_AS[domain] for _, domain, _ in _named(spec) if domain in _ASKED_AS}
    if isinstance(spec, TrainSpec | EvaluateSpec) and spec.images is not None:
        found.add("images")
    if spec.cohort.expression is not None:
        found |= set(_in_expression(spec.cohort.expression.model_dump(mode="json", exclude_none=True)))
    return found


def _in_expression(content: object) -> Iterator[str]:
    match content:
        case dict():
            for name, value in content.items():
                if name in _ASKED_AS_EVENT:
                    yield _ASKED_AS_EVENT[name]
                yield from _in_expression(value)
        case list():
            for value in content:
                yield from _in_expression(value)


def _named(spec: Spec) -> Iterator[tuple[str, str, int]]:
    """Where in the job, of which domain, which concept."""
    for i, criterion in enumerate(spec.cohort.criteria):
        where = f"cohort.criteria[{i}]"
        match criterion:
            case SexIs():
                yield from ((where, "Gender", concept_id) for concept_id in criterion.concept_ids)
            case HasCondition():
                yield from ((where, "Condition", concept_id) for concept_id in criterion.concept_ids)
            case MeasurementBetween():
                yield where, "Measurement", criterion.concept_id
            case _:
                pass
    if isinstance(spec, TrainSpec | EvaluateSpec):
        for i, feature in enumerate(spec.features):
            yield from ((f"features[{i}]", domain, concept_id) for domain, concept_id in concepts_of(feature))
        yield from (("label", "Condition", concept_id) for concept_id in spec.label.condition_concept_ids)
    if isinstance(spec, StatisticsSpec):
        yield from (("question", domain, concept_id) for domain, concept_id in asked_about(spec.question))


def concepts_of(feature: AnyFeature) -> Iterator[tuple[Domain, int]]:
    """The concepts that a feature names, each with its domain."""
    match feature:
        case Feature():
            yield "Measurement", feature.concept_id
        case SexFeature():
            yield "Gender", feature.concept_id
        case EventFeature():
            yield from ((DOMAIN_OF_EVENT[feature.domain], concept_id) for concept_id in feature.concept_ids)
        case AgeFeature():
            return


def asked_about(question: AnyQuestion) -> Iterator[tuple[Literal["Measurement", "Condition", "Gender"], int]]:
    """The concepts that a question names, each with its domain."""
    yield from (("Measurement", feature.concept_id) for feature in measurements_of(question))
    for category in categories_of(question):
        match category:
            case SexIn():
                yield from (("Gender", concept_id) for concept_id in category.concept_ids)
            case ConditionRecorded():
                yield from (("Condition", concept_id) for concept_id in category.concept_ids)
            case _:
                pass
    if isinstance(question, LogisticRegression):
        yield from (("Condition", concept_id) for concept_id in question.outcome.condition_concept_ids)
    follow_up = follow_up_of(question)
    if follow_up:
        yield from (("Condition", concept_id) for concept_id in (*follow_up.start, *follow_up.event))
