"""Which concepts a job names, and which of them no Trust of the project lists in its catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flip_sdk.contract.check import Violation
from flip_sdk.contract.cohorts import HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.notices import CatalogueConcept

Spec = CountSpec | TrainSpec | EvaluateSpec


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
        yield from ((f"features[{i}]", "Measurement", feature.concept_id) for i, feature in enumerate(spec.features))
        yield from (("label", "Condition", concept_id) for concept_id in spec.label.condition_concept_ids)
