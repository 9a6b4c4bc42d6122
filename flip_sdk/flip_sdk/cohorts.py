"""Who a job is about, in words: rules that read like a sentence and become the contract's cohort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from flip_sdk.contract import cohorts as contract
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept

    ConceptLike = str | int | Concept

Criterion = contract.AgeBetween | contract.SexIs | contract.HasCondition | contract.MeasurementBetween


@dataclass(frozen=True)
class Rule:
    """One rule about a person. ``~rule`` turns it round.

    Attributes:
        words: the rule as a person says it.
        record: makes the contract's criterion; names are looked up in the project's catalogue.
    """

    words: str
    record: Callable[[Callable[[], Catalogue]], Criterion]
    negate: bool = False

    def __invert__(self) -> Rule:
        return replace(self, negate=not self.negate)

    def __repr__(self) -> str:
        return f"not ({self.words})" if self.negate else self.words

    def resolve(self, catalogue: Callable[[], Catalogue]) -> Criterion:
        """The contract's criterion."""
        made = self.record(catalogue)
        return made.model_copy(update={"negate": made.negate != self.negate})


def age_between(low: int = 0, high: int = 150) -> Rule:
    """Persons aged ``low`` to ``high`` whole years, both included."""
    return Rule(f"aged {low} to {high}", lambda _: build(contract.AgeBetween, low=low, high=high))


def sex_is(*sexes: ConceptLike) -> Rule:
    """Persons whose recorded sex is one of these names (or OMOP concept ids)."""
    return Rule(
        f"sex is {_names(sexes)}",
        lambda catalogue: build(contract.SexIs, concept_ids=_ids(sexes, catalogue, "Gender")),
    )


def has_condition(*conditions: ConceptLike) -> Rule:
    """Persons with at least one record of one of these conditions."""
    return Rule(
        f"has {_names(conditions)}",
        lambda catalogue: build(contract.HasCondition, concept_ids=_ids(conditions, catalogue, "Condition")),
    )


def measurement_between(measurement: ConceptLike, low: float, high: float) -> Rule:
    """Persons whose latest value of this measurement lies between ``low`` and ``high``, both included."""

    def record(catalogue: Callable[[], Catalogue]) -> Criterion:
        (concept_id,) = _ids((measurement,), catalogue, "Measurement")
        return build(contract.MeasurementBetween, concept_id=concept_id, low=low, high=high)

    return Rule(f"{_names((measurement,))} from {low:g} to {high:g}", record)


class Cohort:
    """Persons for whom every rule holds; without rules, every person a Trust holds.

    >>> Cohort(age_between(40, 70), has_condition("malignant")).without(sex_is("male"))
    Cohort: persons aged 40 to 70, has malignant, not (sex is male)
    """

    def __init__(self, *rules: Rule | Criterion) -> None:
        self.rules = tuple(rule if isinstance(rule, Rule) else _as_rule(rule) for rule in rules)

    def where(self, *rules: Rule | Criterion) -> Self:
        """A smaller cohort: these rules hold as well."""
        return type(self)(*self.rules, *rules)

    def without(self, *rules: Rule | Criterion) -> Self:
        """A smaller cohort: none of these rules holds."""
        return type(self)(*self.rules, *(~rule for rule in type(self)(*rules).rules))

    def __repr__(self) -> str:
        return "Cohort: persons " + ", ".join(map(repr, self.rules)) if self.rules else "Cohort: every person"

    def resolve(self, catalogue: Callable[[], Catalogue]) -> contract.Cohort:
        """The contract's cohort. The catalogue is asked for only when a rule names a concept."""
        return build(contract.Cohort, criteria=tuple(rule.resolve(catalogue) for rule in self.rules))


def _as_rule(criterion: Criterion) -> Rule:
    fields: dict[str, Any] = criterion.model_dump(exclude={"kind"}, exclude_defaults=True)
    words = f"{criterion.kind} " + ", ".join(f"{name} {value}" for name, value in fields.items())
    return Rule(words, lambda _: criterion)


def _names(concepts: tuple[ConceptLike, ...]) -> str:
    return " or ".join(str(getattr(concept, "name", concept)) for concept in concepts)


def _ids(concepts: tuple[ConceptLike, ...], catalogue: Callable[[], Catalogue], domain: str) -> tuple[int, ...]:
    found: list[int] = []
    for concept in concepts:
        if isinstance(concept, str):
            found.append(catalogue().concept(concept, domain).concept_id)
        else:
            found.append(concept if isinstance(concept, int) else concept.concept_id)
    return tuple(found)
