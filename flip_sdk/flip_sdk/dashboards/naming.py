"""Whom a released result is about, in words made of its own request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flip_sdk.asked_words import of_whom
from flip_sdk.contract.api import JobResult
from flip_sdk.explaining import explain

Names = Mapping[int, str]
"""Names of concepts, by their numbers."""
USUAL: Names = {8507: "male", 8532: "female"}
"""OMOP's concepts of sex, which every hospital has."""
_NUMBERS = ("concept_ids", "condition_concept_ids")


def named(results: Iterable[JobResult], names: Names | None = None) -> Names:
    """Names of concepts: the given ones, else those by which the page's own jobs call them.

    Args:
        results: of the page.
        names: as the page's author gives them.
    """
    asked = (result.spec.model_dump(mode="json") for result in results if result.spec is not None)
    return {**USUAL, **{number: name for spec in asked for number, name in _called(spec)}, **(names or {})}


def group_of(result: JobResult, names: Names, *, part: bool = True) -> str:
    """The persons that a result is about: a sentence for each rule of its cohort, and which part of them.

    Args:
        result: a released result.
        names: of concepts that the rules name (:func:`named`); others are told by their numbers.
        part: whether to say which part.
    """
    if result.spec is None:
        return "Not told: this result was kept without its request."
    which = getattr(result.spec, "part", "all")
    of_them = f" Of them, {of_whom(which)}." if part and which != "all" else ""
    return " ".join(explain(result.spec.cohort, names)) + of_them


def rules_of(result: JobResult) -> int:
    """How many things a cohort asks for: none for everybody of a Trust's data set."""
    if result.spec is None:
        return 0
    cohort = result.spec.cohort
    return len(cohort.criteria) + (cohort.expression is not None)


def widest(evaluations: Iterable[JobResult]) -> JobResult | None:
    """Of several evaluations the one that is about most: its cohort has the fewest rules, and it is the latest."""
    found: JobResult | None = None
    for one in evaluations:
        if found is None or rules_of(one) <= rules_of(found):
            found = one
    return found


def _called(asked: object) -> Iterator[tuple[int, str]]:
    """What a request's parts call the one concept that they are about."""
    match asked:
        case dict():
            numbers: list[int] = next((asked[key] for key in _NUMBERS if asked.get(key)), [])
            if isinstance(asked.get("concept_id"), int) and asked.get("name"):
                yield asked["concept_id"], asked["name"]
            elif len(numbers) == 1 and asked.get("name"):
                yield numbers[0], asked["name"]
            yield from zip(numbers, asked.get("names") or (), strict=False)
            for value in asked.values():
                yield from _called(value)
        case list():
            for value in asked:
                yield from _called(value)
