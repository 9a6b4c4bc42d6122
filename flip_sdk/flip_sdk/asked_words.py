"""A job in words: what it asks of a Trust's persons, from its own record. Data stewards and reviewers read the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, StatisticsSpec, TrainSpec
from flip_sdk.explaining import explain

MOST_NAMED = 12
_PARTS = {
    "all": "everybody in the cohort",
    "train": "the part that models learn from",
    "test": "the part that is set aside for testing",
    "fit": "the larger share of the part that models learn from",
    "validation": "the smaller share of the part that models learn from",
}


def in_words(spec: AnySpec, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """What a job asks, as headings and texts."""
    yield "Persons", " ".join(explain(spec.cohort, names))
    if isinstance(spec, StatisticsSpec):
        yield "Question", _question(spec, names)
        yield "Of them", of_whom(spec.part)
    if isinstance(spec, TrainSpec | EvaluateSpec):
        yield "Of them", of_whom(spec.part)
        yield "The model is told", _told(spec, names)
        yield "The model tells", _label(spec, names)
    if isinstance(spec, TrainSpec):
        yield "Rounds", f"{spec.rounds}, by {spec.privacy.mechanism.kind.replace('_', ' ')}"
        kind = spec.privacy.trust_model.kind
        yield "Noise", "each Trust's own, in full" if kind == "local" else "shared by the Trusts"


def of_whom(part: str) -> str:
    """A part of a cohort, in words."""
    return _PARTS[part]


def _told(spec: TrainSpec | EvaluateSpec, names: Mapping[int, str]) -> str:
    found = [feature_words(feature, names) for feature in spec.features]
    shown = [*found[:MOST_NAMED], *([f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else [])]
    images = [f"images ({spec.images.kind.replace('_', ' ')})"] if spec.images is not None else []
    return ", ".join([*shown, *images])


def feature_words(feature: object, names: Mapping[int, str]) -> str:
    """What a feature is about, by the names of its concepts; never by a name that the researcher gave."""
    number = getattr(feature, "concept_id", None)
    kind = str(getattr(feature, "kind", "measurement")).replace("_", " ")
    return names.get(number, f"concept {number}") if number is not None else kind


def _label(spec: TrainSpec | EvaluateSpec, names: Mapping[int, str]) -> str:
    numbers = getattr(spec.label, "condition_concept_ids", ())
    if numbers:
        return "whether there is a record of " + " or ".join(names.get(one, f"concept {one}") for one in numbers)
    return str(getattr(spec.label, "kind", "a label")).replace("_", " ")


def _question(spec: StatisticsSpec, names: Mapping[int, str]) -> str:
    numbers = set(concepts_in(spec.question.model_dump(mode="json")))
    about = ", ".join(sorted({names[number] for number in numbers if number in names}))
    kind = spec.question.kind.replace("_", " ")
    return f"{kind}{f' of {about}' if about else ''}"


def concepts_in(content: object) -> Iterator[int]:
    """Every concept's number in a record's JSON."""
    match content:
        case dict():
            for name, value in content.items():
                if name.lower() == "concept_id" and isinstance(value, int):
                    yield value
                elif name.endswith("concept_ids") and isinstance(value, list):
                    yield from (one for one in value if isinstance(one, int))
                else:
                    yield from concepts_in(value)
        case list():
            for value in content:
                yield from concepts_in(value)
