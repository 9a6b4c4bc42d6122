"""Who a job is about, in words: rules that read like a sentence and become the contract's cohort."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from flip_sdk import explaining, rquest
from flip_sdk.contract import check_circe
from flip_sdk.contract import cohorts as contract
from flip_sdk.contract.circe import CohortExpression
from flip_sdk.errors import PublicError
from flip_sdk.events import Entry, Event, Near
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept

    ConceptLike: TypeAlias = str | int | Concept

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

    A cohort with an entry (:meth:`entering`) can say what happened when, and one may be taken over from ATLAS
    (:meth:`from_atlas`) or from the Cohort Discovery tool (:meth:`from_rquest`). Rules hold beside those.
    """

    def __init__(
        self,
        *rules: Rule | Criterion | Near,
        entry: Entry | None = None,
        expression: CohortExpression | None = None,
    ) -> None:
        self.near = tuple(rule for rule in rules if isinstance(rule, Near))
        self.rules = tuple(
            rule if isinstance(rule, Rule) else _as_rule(rule) for rule in rules if not isinstance(rule, Near)
        )
        self.entry = entry
        self.expression = expression
        if self.near and entry is None:
            raise PublicError(
                f"“{self.near[0]!r}” is about the day of entry, and this cohort has none.",
                "Begin with flip.Cohort.entering(…).",
            )

    @classmethod
    def entering(
        cls,
        *events: Event,
        which: Literal["first", "last", "all"] = "first",
        observed_before: int = 0,
        observed_after: int = 0,
    ) -> Self:
        """Persons from an event on; ``where`` and ``without`` then take events near that day as well as rules.

        Args:
            events: any of these is an entry.
            which: each person's first such event with enough observation, the last, or all of them.
            observed_before: days of observation that a person needs before the entry.
            observed_after: and after it.
        """
        return cls(entry=Entry(events, which, observed_before, observed_after))

    @classmethod
    def from_atlas(cls, source: str | PathLike[str] | Mapping[str, Any]) -> Self:
        """A cohort as ATLAS exports it (CIRCE JSON), from a file or as a dictionary.

        Raises:
            SpecError: what is not supported, each by its name and path.
            PublicError: the file cannot be read.
        """
        return cls(expression=check_circe.read(_content(source)))

    @classmethod
    def from_rquest(cls, source: str | PathLike[str] | Mapping[str, Any], today: date | None = None) -> Self:
        """A cohort out of an availability query of HDR UK's Cohort Discovery (RQuest JSON, as Bunny answers it).

        Args:
            source: a file, or the query as a dictionary.
            today: what "months ago" is reckoned from; without it, today.

        Raises:
            SpecError: what cannot be translated, each by its path.
            PublicError: the file cannot be read.
        """
        found = rquest.translate(_content(source), today or date.today())  # noqa: DTZ011 - the researcher's own day
        return cls(*found.criteria, expression=found.expression)

    def where(self, *rules: Rule | Criterion | Near) -> Self:
        """A smaller cohort: these rules hold as well."""
        return type(self)(*self.near, *self.rules, *rules, entry=self.entry, expression=self.expression)

    def without(self, *rules: Rule | Criterion | Near) -> Self:
        """A smaller cohort: none of these rules holds."""
        turned = [~(rule if isinstance(rule, Rule | Near) else _as_rule(rule)) for rule in rules]
        return self.where(*turned)

    def __repr__(self) -> str:
        parts = [repr(rule) for rule in (*self.near, *self.rules)]
        if self.entry is not None:
            return "Cohort: " + ", ".join([repr(self.entry), *parts])
        if self.expression is not None:
            title = ", ".join([f"persons in “{self.expression.Title or 'an ATLAS expression'}”", *parts])
            return "\n  ".join([f"Cohort: {title}", *explaining.explain(contract.Cohort(expression=self.expression))])
        return "Cohort: persons " + ", ".join(parts) if parts else "Cohort: every person"

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        rules = [repr(rule) for rule in (*self.near, *self.rules)]
        told = [repr(self.entry)] if self.entry is not None else []
        if self.expression is not None:
            told = explaining.explain(contract.Cohort(expression=self.expression))
        parts = looks.listed([*told, *rules]) or looks.said("Every person that a Trust holds.")
        return looks.card("Cohort", parts, looks.tip("project.count(cohort)", "about how many persons are in it"))

    def explain(self, catalogue: Catalogue | None = None) -> str:
        """The cohort in plain English, a sentence a line: what a Trust's data steward reads of it too.

        Args:
            catalogue: ``project.catalogue()``, where names of concepts are used or numbers are to be named.

        Raises:
            NotFoundError: a name is used and there is no catalogue, or it does not know it.
        """
        from flip_sdk.catalogue import Catalogue

        known = catalogue or Catalogue(())
        resolved = self.resolve(lambda: known)
        return "\n".join(explaining.explain(resolved, {concept.concept_id: concept.name for concept in known}))

    def resolve(self, catalogue: Callable[[], Catalogue]) -> contract.Cohort:
        """The contract's cohort. The catalogue is asked for only when a rule names a concept."""
        expression = self.expression if self.entry is None else self.entry.expression(self.near, catalogue)
        criteria = tuple(rule.resolve(catalogue) for rule in self.rules)
        return build(contract.Cohort, criteria=criteria, expression=expression)


def _content(source: str | PathLike[str] | Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object, ATLAS's wrapping around an expression taken off."""
    if isinstance(source, Mapping):
        found: Any = dict(source)
    else:
        try:
            found = json.loads(Path(source).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise PublicError(f"{source} cannot be read as JSON.", "Export the cohort again.") from error
    if not isinstance(found, dict):
        raise PublicError("This is not a cohort in JSON.", "Export the cohort again.")
    inner = found.get("expression")
    return inner if isinstance(inner, dict) and "PrimaryCriteria" not in found else found


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
