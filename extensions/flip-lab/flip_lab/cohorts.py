"""A cohort as it is clicked together: checked, made into the SDK's, and written down as the code that makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from flip_sdk.catalogue import Catalogue, Concept
from flip_sdk.cohorts import Cohort, Rule
from flip_sdk.contract.records import ConceptId, Epsilon, Finite, Record
from flip_sdk.errors import PublicError
from flip_sdk.events import Event, Near
from pydantic import Field

import flip_sdk

EventKind = Literal["condition", "measurement", "drug", "procedure", "observation", "image"]
Days = Annotated[int, Field(ge=1, le=36_500)]
DOMAINS = {"condition": "Condition", "measurement": "Measurement", "drug": "Drug", "procedure": "Procedure"} | {
    "observation": "Observation"
}
_EVENTS: dict[str, Callable[..., Event]] = {
    "condition": flip_sdk.condition,
    "measurement": flip_sdk.measurement,
    "drug": flip_sdk.drug,
    "procedure": flip_sdk.procedure,
    "observation": flip_sdk.observation,
    "image": flip_sdk.image,
}


class Happened(Record):
    """Something that happened to a person.

    Attributes:
        concepts: any of these; none with images means images of any kind.
        low: of a measurement's value, with ``high``; both or neither.
    """

    kind: EventKind
    concepts: Annotated[tuple[ConceptId, ...], Field(max_length=50)] = ()
    low: Finite | None = None
    high: Finite | None = None


class AskedRule(Record):
    """One rule that everybody in the cohort keeps.

    Attributes:
        kind: of an event, or ``age`` (``low`` to ``high``) or ``sex`` (``concepts``).
        without: turned round: nobody in the cohort keeps it.
        when: at any time, or by how many days before or after the day of entry; needs an entry.
    """

    kind: EventKind | Literal["age", "sex"]
    concepts: Annotated[tuple[ConceptId, ...], Field(max_length=50)] = ()
    low: Finite | None = None
    high: Finite | None = None
    without: bool = False
    when: Literal["any", "before", "after"] = "any"
    days: Days | None = None


class AskedCohort(Record):
    """A cohort.

    Attributes:
        entry: any of these lets a person in, from its day on; without, everybody is in.
        which: each person's first such day, or the last, or all of them.
    """

    entry: Annotated[tuple[Happened, ...], Field(max_length=10)] = ()
    which: Literal["first", "last", "all"] = "first"
    rules: Annotated[tuple[AskedRule, ...], Field(max_length=20)] = ()
    epsilon: Epsilon = 0.5


class Written:
    """An asked cohort with the catalogue that names its concepts.

    Args:
        asked: the cohort.
        catalogue: the project's.
    """

    def __init__(self, asked: AskedCohort, catalogue: Catalogue) -> None:
        self._asked, self._known = asked, {concept.concept_id: concept for concept in catalogue}
        self._named = _named_once(catalogue)

    def cohort(self) -> Cohort:
        """The SDK's cohort.

        Raises:
            PublicError: a rule that is not whole, or one about a time in a cohort without an entry.
        """
        rules = [self._made(rule, place) for place, rule in enumerate(self._asked.rules, start=1)]
        if not self._asked.entry:
            return Cohort(*rules)
        events = [self._event(one, f"Entry {place}") for place, one in enumerate(self._asked.entry, start=1)]
        return Cohort.entering(*events, which=self._asked.which).where(*rules)

    def code(self) -> str:
        """Python that makes the same cohort and counts it."""
        rules = [self._rule_code(rule) for rule in self._asked.rules]
        if self._asked.entry:
            entries = [self._event_code(one) for one in self._asked.entry]
            entries += [f'which="{self._asked.which}"'] if self._asked.which != "first" else []
            made = _call("flip.Cohort.entering", entries) + (_call(".where", rules) if rules else "")
        else:
            made = _call("flip.Cohort", rules)
        return "\n".join(
            [
                "import flip_sdk as flip",
                "",
                "project = flip.connect().project()",
                f"cohort = {made}",
                f"project.count(cohort, epsilon={self._asked.epsilon:g})",
            ]
        )

    def _made(self, rule: AskedRule, place: int) -> Rule | Near:
        where = f"Rule {place}"
        made = self._plain(rule, where) if rule.when == "any" else self._near(rule, where)
        return ~made if rule.without else made

    def _plain(self, rule: AskedRule, where: str) -> Rule:
        concepts = self._concepts(rule.concepts)
        match rule.kind:
            case "age":
                low, high = _range(rule.low, rule.high, where)
                return flip_sdk.age_between(int(low), int(high))
            case "sex":
                return flip_sdk.sex_is(*_some(concepts, where))
            case "condition":
                return flip_sdk.has_condition(*_some(concepts, where))
            case "measurement":
                low, high = _range(rule.low, rule.high, where)
                return flip_sdk.measurement_between(_some(concepts, where)[0], low, high)
            case kind:
                raise PublicError(f"{where}: a {kind} is asked for at a time.", "Say before or after the day of entry.")

    def _near(self, rule: AskedRule, where: str) -> Near:
        if not self._asked.entry:
            raise PublicError(f"{where} is about the day of entry, and this cohort has none.", "Add an entry first.")
        if rule.kind in ("age", "sex"):
            raise PublicError(f"{where}: {rule.kind} has no day.", "Choose “at any time”.")
        event = self._event(Happened(**rule.model_dump(include=set(Happened.model_fields))), where)
        return event.before(rule.days) if rule.when == "before" else event.after(rule.days)

    def _event(self, one: Happened, where: str) -> Event:
        concepts = self._concepts(one.concepts)
        if one.kind == "image":
            return flip_sdk.image(*one.concepts)
        event = _EVENTS[one.kind](*_some(concepts, where))
        return event if one.low is None and one.high is None else event.value_between(*_range(one.low, one.high, where))

    def _concepts(self, numbers: Sequence[int]) -> list[Concept | int]:
        return [self._known.get(number, number) for number in numbers]

    def _rule_code(self, rule: AskedRule) -> str:
        turned = "~" if rule.without else ""
        if rule.when != "any":
            days = "" if rule.days is None else str(rule.days)
            event = self._event_code(Happened(**rule.model_dump(include=set(Happened.model_fields))))
            return f"{turned}{event}.{rule.when}({days})"
        names = ", ".join(self._name(number) for number in rule.concepts)
        low, high = (f"{value:g}" if value is not None else "0" for value in (rule.low, rule.high))
        words = {
            "age": f"flip.age_between({low}, {high})",
            "sex": f"flip.sex_is({names})",
            "condition": f"flip.has_condition({names})",
            "measurement": f"flip.measurement_between({names}, {low}, {high})",
        }
        return turned + words[rule.kind]

    def _event_code(self, one: Happened) -> str:
        names = ", ".join(str(n) if one.kind == "image" else self._name(n) for n in one.concepts)
        limits = "" if one.low is None or one.high is None else f".value_between({one.low:g}, {one.high:g})"
        return f"flip.{one.kind}({names}){limits}"

    def _name(self, number: int) -> str:
        """A concept's name, where only one of its kind has it; else its number."""
        concept = self._known.get(number)
        return repr(concept.name) if concept is not None and number in self._named else str(number)


def concepts_of(catalogue: Catalogue) -> list[dict[str, Any]]:
    """What there is to choose from."""
    return [{**vars(concept), "trusts": list(concept.trusts)} for concept in catalogue]


def _named_once(catalogue: Catalogue) -> set[int]:
    found: dict[tuple[str, str], list[int]] = {}
    for concept in catalogue:
        found.setdefault((concept.domain, concept.name.casefold()), []).append(concept.concept_id)
    return {numbers[0] for numbers in found.values() if len(numbers) == 1}


def _call(name: str, arguments: Sequence[str]) -> str:
    if len(arguments) < 2:
        return f"{name}({''.join(arguments)})"
    return f"{name}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"


def _some(concepts: list[Concept | int], where: str) -> list[Concept | int]:
    if not concepts:
        raise PublicError(f"{where} names nothing yet.", "Choose at least one from the catalogue.")
    return concepts


def _range(low: float | None, high: float | None, where: str) -> tuple[float, float]:
    if low is None or high is None:
        raise PublicError(f"{where} needs a smallest and a largest value.", "Fill in both.")
    if low > high:
        raise PublicError(f"{where}: the smallest value is over the largest.", "Turn them round.")
    return low, high
