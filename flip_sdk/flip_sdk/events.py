"""What happened to a person and when, in words that become ATLAS's cohort expression (CIRCE JSON).

flip.Cohort.entering(flip.condition(201826).first().aged(40, 70), observed_before=365)
.where(flip.drug(1503297).after(90))
.without(flip.condition(4182210).before())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from flip_sdk.contract import check_circe
from flip_sdk.errors import NotFoundError

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept
    from flip_sdk.contract.circe import CohortExpression
    from flip_sdk.inputs import Input

    ConceptLike: TypeAlias = str | int | Concept
    Days = tuple[int | None, int | None] | None

NAMED: Mapping[str, tuple[str, str]] = {
    "ConditionOccurrence": ("condition", "Condition"),
    "DrugExposure": ("drug", "Drug"),
    "Measurement": ("measurement", "Measurement"),
    "Observation": ("observation", "Observation"),
    "ProcedureOccurrence": ("procedure", "Procedure"),
    "VisitOccurrence": ("visit", "Visit"),
    "Death": ("death", ""),
    "ImageOccurrence": ("image", ""),
}
"""Criterion → its word, and the catalogue's domain where names can be looked up."""


@dataclass(frozen=True)
class Event:
    """Events of one kind. As an entry they say when a person joins the cohort; with a time, who stays in it."""

    kind: str
    concepts: tuple[ConceptLike, ...]
    descendants: bool = True
    attributes: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""

    def first(self) -> Self:
        """Only a person's first such event ever."""
        return self._with("(first ever)", First=True)

    def aged(self, low: int = 0, high: int = 150) -> Self:
        """When the person was this many years old, both included."""
        return self._with(f"aged {low} to {high}", Age={"Value": low, "Op": "bt", "Extent": high})

    def between(self, since: str | date, until: str | date) -> Self:
        """Beginning from one date to another, both included."""
        edges = {"Value": str(since), "Op": "bt", "Extent": str(until)}
        return self._with(f"from {since} to {until}", OccurrenceStartDate=edges)

    def value_between(self, low: float, high: float) -> Self:
        """Measurements and observations with a value in this range, both included."""
        return self._with(f"{low:g} to {high:g}", ValueAsNumber={"Value": low, "Op": "bt", "Extent": high})

    def before(self, days: int | None = None) -> Near:
        """Before the day of entry; at most so many days before it."""
        return Near(self, ((days, -1), (1, -1)), "before" if days is None else f"in the {days} days before")

    def after(self, days: int | None = None) -> Near:
        """On the day of entry or after it; at most so many days after it."""
        return Near(self, ((0, -1), (days, 1)), "after" if days is None else f"within {days} days after")

    def within(self, before: int, after: int) -> Near:
        """From so many days before the day of entry to so many after it, both included."""
        return Near(self, ((before, -1), (after, 1)), f"from {before} days before to {after} after")

    def __repr__(self) -> str:
        names = " or ".join(str(getattr(concept, "name", concept)) for concept in self.concepts)
        return " ".join(filter(None, (NAMED[self.kind][0], names, self.words)))

    def _with(self, words: str, **attributes: Any) -> Self:
        return replace(self, attributes={**self.attributes, **attributes}, words=f"{self.words} {words}".strip())


@dataclass(frozen=True)
class Near:
    """Events near the day of entry, and how many of them there have to be. ``~near`` asks for none.

    Attributes:
        event: what.
        window: (days, -1 before or 1 after) of the window's start and end; None days are all days.
        words: the window as a person says it.
        times: how many, as CIRCE says it: 0 exactly, 1 at most, 2 at least; and the number.
    """

    event: Event
    window: tuple[tuple[int | None, int], tuple[int | None, int]]
    words: str
    times: tuple[int, int] = (2, 1)

    def at_least(self, times: int) -> Self:
        """So many times or more."""
        return replace(self, times=(2, times))

    def at_most(self, times: int) -> Self:
        """So many times or fewer."""
        return replace(self, times=(1, times))

    def exactly(self, times: int) -> Self:
        """Just so many times."""
        return replace(self, times=(0, times))

    def __invert__(self) -> Self:
        kind, times = self.times
        turned = {(2, 1): (0, 0), (0, 0): (2, 1)}.get(self.times)
        if turned is None:
            turned = (1, times - 1) if kind == 2 else (2, times + 1)
        if kind == 0 and times:
            raise ValueError("exactly so many times has no simple opposite; say at_least or at_most")
        return replace(self, times=turned)

    def __repr__(self) -> str:
        kind, times = self.times
        often = f"{('exactly', 'at most', 'at least')[kind]} {times} times "
        often = {(2, 1): "", (0, 0): "no "}.get(self.times, often)
        return f"{often}{self.event!r} {self.words}"


@dataclass(frozen=True)
class Entry:
    """How a person enters a cohort.

    Attributes:
        events: any of these.
        which: each person's first entry, or all of them, or the last.
        before: days of observation before the entry.
        after: days of observation after it.
    """

    events: tuple[Event, ...]
    which: Literal["first", "last", "all"] = "first"
    before: int = 0
    after: int = 0

    def __repr__(self) -> str:
        return f"persons from their {self.which} {' or '.join(map(repr, self.events))}"

    def expression(self, near: tuple[Near, ...], catalogue: Callable[[], Catalogue]) -> CohortExpression:
        """The cohort expression; names are looked up in the catalogue.

        Raises:
            NotFoundError: a name that the catalogue does not have, or of a kind of event that it does not list.
            SpecError: it breaks a rule of cohort expressions.
        """
        sets = _Sets(catalogue)
        made: dict[str, Any] = {
            "PrimaryCriteria": {
                "CriteriaList": [sets.criterion(event) for event in self.events],
                "ObservationWindow": {"PriorDays": self.before, "PostDays": self.after},
                "PrimaryCriteriaLimit": {"Type": self.which.capitalize()},
            },
            "QualifiedLimit": {"Type": "All"},
            "ExpressionLimit": {"Type": "All"},
            "InclusionRules": [sets.rule(asked) for asked in near],
        }
        return check_circe.read({"ConceptSets": sets.made, **made})


class _Sets:
    """The concept sets of an expression, made as its criteria are."""

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self.catalogue = catalogue
        self.made: list[dict[str, Any]] = []

    def criterion(self, event: Event) -> dict[str, Any]:
        if event.kind == "ImageOccurrence" or not event.concepts:
            return {event.kind: dict(event.attributes)}
        items = [
            {"concept": self._concept(event.kind, concept), "includeDescendants": event.descendants}
            for concept in event.concepts
        ]
        self.made.append({"id": len(self.made), "name": repr(event)[:500], "expression": {"items": items}})
        return {event.kind: {"CodesetId": len(self.made) - 1, **event.attributes}}

    def rule(self, near: Near) -> dict[str, Any]:
        start, end = ({"Coeff": sign} if days is None else {"Days": days, "Coeff": sign} for days, sign in near.window)
        kind, count = near.times
        correlated = {
            "Criteria": self.criterion(near.event),
            "StartWindow": {"Start": start, "End": end},
            "Occurrence": {"Type": kind, "Count": count},
        }
        return {"name": repr(near)[:500], "expression": {"Type": "ALL", "CriteriaList": [correlated]}}

    def _concept(self, kind: str, concept: ConceptLike) -> dict[str, Any]:
        word, domain = NAMED[kind]
        if isinstance(concept, int):
            return {"CONCEPT_ID": concept}
        if isinstance(concept, str):
            if not domain:
                raise NotFoundError(f"{word}s are not in the catalogue by name.", "Give the concept's number.")
            concept = self.catalogue().concept(concept, domain)
        return {"CONCEPT_ID": concept.concept_id, "CONCEPT_NAME": concept.name}


def condition(*concepts: ConceptLike, descendants: bool = True) -> Event:
    """Records of one of these conditions, or of one below them in the vocabulary."""
    return Event("ConditionOccurrence", concepts, descendants)


def drug(*concepts: ConceptLike, descendants: bool = True) -> Event:
    """Exposures to one of these drugs, or to one below them."""
    return Event("DrugExposure", concepts, descendants)


@dataclass(frozen=True, repr=False)
class Measured(Event):
    """Measurements: events of a cohort, or with one of these words a number that a model is told (a feature).

    ``days`` are from and to, around the index date, both included; None has no end, and without them everything that
    is recorded counts. Values are clamped to the public bounds ``low`` and ``high``: yours, or the catalogue's.
    """

    low: float | None = None
    high: float | None = None

    def latest(self, days: Days = None) -> Input:
        """The last value."""
        return self._number("latest", days)

    def earliest(self, days: Days = None) -> Input:
        """The first value."""
        return self._number("first", days)

    def mean(self, days: Days = None) -> Input:
        """The mean of the values."""
        return self._number("mean", days)

    def minimum(self, days: Days = None) -> Input:
        """The smallest value."""
        return self._number("minimum", days)

    def maximum(self, days: Days = None) -> Input:
        """The largest value."""
        return self._number("maximum", days)

    def count(self, days: Days = None, most: int = 30) -> Input:
        """How many values there are; more than ``most`` count as ``most``."""
        return replace(self, low=0, high=most)._number("count", days)

    def _number(self, statistic: str, days: Days) -> Input:
        from flip_sdk.inputs import measured

        return measured(self, statistic, days, self.low, self.high)


def measurement(
    *concepts: ConceptLike, descendants: bool = True, low: float | None = None, high: float | None = None
) -> Measured:
    """Measurements of one of these concepts, or of one below them; as a feature, of one concept itself.

    Args:
        *concepts: by name or number.
        descendants: whether those below them count, in a cohort.
        low: lower public bound of a feature; the catalogue's when left out.
        high: upper public bound.
    """
    return Measured("Measurement", concepts, descendants, low=low, high=high)


def observation(*concepts: ConceptLike, descendants: bool = True) -> Event:
    """Observations of one of these concepts, or of one below them."""
    return Event("Observation", concepts, descendants)


def procedure(*concepts: ConceptLike, descendants: bool = True) -> Event:
    """Procedures of one of these concepts, or of one below them."""
    return Event("ProcedureOccurrence", concepts, descendants)


def visit(*concepts: ConceptLike, descendants: bool = True) -> Event:
    """Visits of one of these kinds, or of one below them."""
    return Event("VisitOccurrence", concepts, descendants)


def death() -> Event:
    """The person's death, of any cause."""
    return Event("Death", ())


def image(*modalities: int, site: int | None = None) -> Event:
    """Images of one of these modalities (concept ids), and of this body site."""
    asked: dict[str, Any] = {"Modality": [{"CONCEPT_ID": concept} for concept in modalities]} if modalities else {}
    if site is not None:
        asked["AnatomicSite"] = [{"CONCEPT_ID": site}]
    return Event("ImageOccurrence", tuple(modalities), attributes=asked, words="" if site is None else f"of {site}")
