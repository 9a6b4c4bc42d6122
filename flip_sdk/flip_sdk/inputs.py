"""What a model is told of a person and what it learns to tell, in words that become the contract's features and label.

    flip.measurement("creatinine", low=0, high=1500).mean(days=(-365, 0))
    flip.age(18, 95)
    flip.sex("female")
    flip.had("diabetes", days=(-3650, 0))
    flip.days_with(flip.visit("inpatient"), most=10, days=(-365, 0))
    flip.label("malignant", days=(1, 365))
    flip.classes(covid="COVID-19", other=["bacterial pneumonia", "influenza"])

Days are counted from the index date, both included; negative is before it, and None has no end. Concepts are meant as
they are, without those below them in the vocabulary. Names are looked up in the project's catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from flip_sdk.contract import features as contract
from flip_sdk.contract.concepts import DOMAIN_OF_EVENT
from flip_sdk.errors import NotFoundError, PublicError
from flip_sdk.events import NAMED, Event
from flip_sdk.privacy import build

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue, Concept
    from flip_sdk.cohorts import ConceptLike

    Days = tuple[int | None, int | None] | None
    Asked = Callable[[], Catalogue]
    Having: TypeAlias = str | int | Concept | Event

_DOMAINS = {domain: event for event, domain in DOMAIN_OF_EVENT.items()}


@dataclass(frozen=True)
class Input:
    """One number that a model is told.

    Attributes:
        words: as a person says it.
        record: makes the contract's feature; names are looked up in the project's catalogue.
    """

    words: str
    record: Callable[[Asked], contract.AnyFeature]

    def __repr__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Outcome:
    """What a model learns to tell.

    Attributes:
        words: as a person says it.
        record: makes the contract's label; names are looked up in the project's catalogue.
    """

    words: str
    record: Callable[[Asked], contract.AnyLabel]

    def __repr__(self) -> str:
        return self.words


def age(low: float = 0, high: float = 100) -> Input:
    """Age in years at the index date, between public bounds."""
    return Input(f"age from {low:g} to {high:g}", lambda _: build(contract.AgeFeature, low=low, high=high))


def sex(recorded: ConceptLike) -> Input:
    """1 for persons whose recorded sex is this one, else 0."""

    def record(catalogue: Asked) -> contract.AnyFeature:
        concept_id, name = _one(recorded, catalogue, "Gender")
        return build(contract.SexFeature, concept_id=concept_id, name=name)

    return Input(f"sex is {_said(recorded)}", record)


def had(*what: Having, days: Days = None) -> Input:
    """1 for persons with any record of one of these in those days, else 0.

    Args:
        *what: conditions, drugs, procedures, observations or visits by name as the catalogue lists them; or events,
            such as ``flip.drug(1503297)``. All of one kind.
        days: from and to, around the index date; whenever it was when left out.
    """
    return Input(
        f"had {_all_said(what)}{_when(days)}", lambda catalogue: _event(what, days, catalogue, statistic="any")
    )


def days_with(*what: Having, most: int = 30, days: Days = None) -> Input:
    """On how many different days one of these is recorded; more than ``most`` count as ``most``.

    Args:
        *what: as :func:`had` takes them.
        most: public bound of the number.
        days: from and to, around the index date; whenever it was when left out.
    """
    return Input(
        f"days with {_all_said(what)}{_when(days)}",
        lambda catalogue: _event(what, days, catalogue, statistic="days", most=most),
    )


def label(*conditions: ConceptLike, days: Days = None) -> Outcome:
    """1 for persons with any record of one of these conditions in those days, else 0.

    ``days=(1, 365)`` makes an outcome of it: what comes in the year after the index date.
    """

    def record(catalogue: Asked) -> contract.AnyLabel:
        ids, name = _conditions(conditions, catalogue)
        return build(contract.Label, condition_concept_ids=ids, name=name, window=window_of(days))

    return Outcome(f"{_all_said(conditions)}{_when(days)}", record)


def classes(
    *, days: Days = None, otherwise: str = "none of them", **named: ConceptLike | Sequence[ConceptLike]
) -> Outcome:
    """Which of several conditions a person has, as one label of several classes.

    ``flip.classes(covid="COVID-19", bacterial=["bacterial pneumonia"])`` has three: 0 for none of them, then the
    classes in their order; who has several conditions is in the first class that holds. The model answers one number a
    class.

    Args:
        days: from and to, around the index date; whenever it was when left out.
        otherwise: what 0 is called.
        **named: two or more classes, each a condition or several.
    """

    def record(catalogue: Asked) -> contract.AnyLabel:
        among = []
        for name, given in named.items():
            one = (given,) if isinstance(given, str | int) or not isinstance(given, Sequence) else tuple(given)
            among.append({"name": name, "condition_concept_ids": _conditions(one, catalogue)[0]})
        return build(contract.ClassLabel, among=among, otherwise=otherwise, window=window_of(days))

    return Outcome(f"one of {', '.join(named)}{_when(days)}", record)


def measured(event: Event, statistic: str, days: Days, low: float | None, high: float | None) -> Input:
    """A number out of the values of a measurement."""
    if len(event.concepts) != 1 or event.attributes:
        raise PublicError(
            f"“{event!r}” is not one measurement with nothing else said about it.",
            'A feature is of one concept: flip.measurement("creatinine", low=…, high=…).mean(days=(-365, 0)).',
        )
    (concept,) = event.concepts

    def record(catalogue: Asked) -> contract.AnyFeature:
        found = {"statistic": statistic, "window": window_of(days)}
        if isinstance(concept, int) and low is not None and high is not None:
            return build(
                contract.Feature, concept_id=concept, low=low, high=high, name=f"{statistic} of {concept}", **found
            )
        known = catalogue().concept(concept, "Measurement") if isinstance(concept, str | int) else concept
        plain = known.feature(low, high)
        name = plain.name if statistic == "latest" and days is None else f"{statistic} {plain.name}{_when(days)}"
        return build(
            contract.Feature, **plain.model_dump(exclude={"statistic", "window", "name"}) | found, name=name[:200]
        )

    return Input(f"{statistic} of {_said(concept)}{_when(days)}", record)


def window_of(days: Days) -> contract.Window | None:
    """Days as the contract's window."""
    return None if days is None else build(contract.Window, start=days[0], end=days[1])


def _event(what: Sequence[Having], days: Days, catalogue: Asked, **more: Any) -> contract.AnyFeature:
    found = [concept for one in what for concept in _having(one, catalogue)]
    domains = {domain for domain, _, _ in found}
    if len(domains) != 1:
        raise NotFoundError(
            f"{_all_said(what)} are of {len(domains)} kinds: {', '.join(sorted(domains)) or 'none is given'}.",
            "Give what is of one kind; make a feature of each of the others.",
        )
    return build(
        contract.EventFeature,
        domain=domains.pop(),
        concept_ids=tuple(concept_id for _, concept_id, _ in found),
        window=window_of(days),
        name=f"{_all_said([name for *_, name in found])}{_when(days)}"[:200],
        **more,
    )


def _having(given: Having, catalogue: Asked) -> list[tuple[contract.EventDomain, int, str]]:
    """Kind, number and name of each concept."""
    if isinstance(given, Event):
        _, domain = NAMED[given.kind]
        if domain not in _DOMAINS or given.attributes:
            raise PublicError(
                f"“{given!r}” cannot be a feature as it is.",
                "Give a condition, drug, procedure, observation or visit, with nothing else said about it.",
            )
        return [(_DOMAINS[domain], *_one(concept, catalogue, domain)) for concept in given.concepts]
    concept = catalogue().concept(given) if isinstance(given, str | int) else given
    if concept.domain not in _DOMAINS:
        raise NotFoundError(
            f"{concept.name!r} is a {concept.domain.lower()}, which nobody has or has not.",
            "Use flip.measurement(…) or flip.sex(…).",
        )
    return [(_DOMAINS[concept.domain], concept.concept_id, concept.name)]


def _conditions(given: Sequence[ConceptLike], catalogue: Asked) -> tuple[tuple[int, ...], str]:
    if not given:
        raise NotFoundError("No condition is given.", "Name one, as project.catalogue().conditions() lists them.")
    found = [_one(one, catalogue, "Condition") for one in given]
    return tuple(concept_id for concept_id, _ in found), _all_said([name for _, name in found])


def _one(concept: ConceptLike, catalogue: Asked, domain: str) -> tuple[int, str]:
    if isinstance(concept, int):
        return concept, str(concept)
    found = catalogue().concept(concept, domain) if isinstance(concept, str) else concept
    return found.concept_id, found.name


def _said(one: object) -> str:
    return str(getattr(one, "name", one))


def _all_said(given: Sequence[object]) -> str:
    return " or ".join(map(_said, given))[:150]


def _when(days: Days) -> str:
    if days is None:
        return ""
    start, end = days
    since = "whenever" if start is None else f"day {start}"
    return f" from {since} on" if end is None else f" from {since} to day {end}"
