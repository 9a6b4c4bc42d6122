"""A cohort in plain English: a sentence for each thing that it asks for, and nothing left out.

What the words do not know (an attribute without a phrase of its own) is told by its name, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from flip_sdk.contract import circe
from flip_sdk.contract.cohorts import Cohort

Naming = Callable[[int], str]
MOST_NAMES = 5
"""Concepts of one kind that are named; of the others, how many there are."""
_OLDEST = 150
_EVENTS = {
    "ConditionOccurrence": "a condition",
    "DrugExposure": "a drug",
    "Measurement": "a measurement",
    "Observation": "an observation",
    "ProcedureOccurrence": "a procedure",
    "VisitOccurrence": "a visit",
    "Death": "death",
    "ObservationPeriod": "a period of observation",
    "ConditionEra": "a time with a condition",
    "DrugEra": "a time on a drug",
    "ImageOccurrence": "an image",
}
_PHRASES = {
    "Age": "aged {}",
    "AgeAtStart": "begun when aged {}",
    "AgeAtEnd": "ended when aged {}",
    "OccurrenceStartDate": "beginning {}",
    "OccurrenceEndDate": "ending {}",
    "EraStartDate": "beginning {}",
    "EraEndDate": "ending {}",
    "PeriodStartDate": "beginning {}",
    "PeriodEndDate": "ending {}",
    "Gender": "the person's sex being {}",
    "Race": "the person's race being {}",
    "Ethnicity": "the person's ethnicity being {}",
    "VisitType": "during a visit of the kind {}",
    "ValueAsNumber": "with a value {}",
    "ValueAsConcept": "with the value {}",
    "Unit": "in the unit {}",
    "Modality": "of the modality {}",
    "AnatomicSite": "of the body part {}",
    "Quantity": "with a quantity {}",
    "DaysSupply": "for days of supply {}",
    "VisitLength": "of a length in days {}",
    "EraLength": "of a length in days {}",
    "PeriodLength": "of a length in days {}",
}
_OPERATORS = {
    "lt": "under {0}", "lte": "up to {0}", "eq": "{0}", "!eq": "other than {0}", "gt": "over {0}",
    "gte": "from {0} on", "bt": "from {0} to {1}", "!bt": "outside of {0} to {1}",
}  # fmt: skip
_DATED = {
    "lt": "before {0}", "lte": "on {0} or before", "eq": "on {0}", "!eq": "on another day than {0}", "gt": "after {0}",
    "gte": "on {0} or after", "bt": "from {0} to {1}", "!bt": "outside of {0} to {1}",
}  # fmt: skip
_LIMITS = {"ALL": "at each of them", "FIRST": "at the first of them", "LAST": "at the last of them"}
_GROUPS = {"ALL": "all", "ANY": "at least one", "AT_LEAST": "at least {}", "AT_MOST": "at most {}"}
_TIMES = {0: "exactly {}", 1: "at most {}", 2: "at least {}"}


def explain(cohort: Cohort, named: Naming | Mapping[int, str] | None = None) -> list[str]:
    """A cohort in sentences.

    Args:
        cohort: the contract's.
        named: a concept's name by its number, where the cohort does not bring it; ``concept 123`` where it has none.
    """
    look_up = named.get if isinstance(named, Mapping) else named

    def name(concept_id: int) -> str:
        return (look_up(concept_id) if look_up else None) or f"concept {concept_id}"

    found = [f"{_rule(rule, name)}." for rule in cohort.criteria]
    if cohort.expression is not None:
        found = [*_Expression(cohort.expression, name).sentences(), *(f"Also: {one}" for one in found)]
    return found or ["Everybody."]


def _rule(rule: Any, name: Naming) -> str:
    match rule.kind:
        case "age":
            words = f"aged {_span(rule.low, rule.high)} now"
        case "sex":
            words = f"whose recorded sex is {_names(rule.concept_ids, name)}"
        case "condition":
            words = f"with a record of {_names(rule.concept_ids, name)}"
        case "measurement":
            words = f"whose latest {name(rule.concept_id)} lies from {rule.low:g} to {rule.high:g}"
        case _:
            fields = rule.model_dump(exclude={"kind", "negate"}, exclude_defaults=True)
            words = f"{_spaced(rule.kind)} ({', '.join(f'{key} {value}' for key, value in fields.items())})"
    return f"Not persons {words}" if getattr(rule, "negate", False) else f"Persons {words}"


def _span(low: int, high: int) -> str:
    if high >= _OLDEST:
        return f"{low} or over"
    return f"up to {high}" if low == 0 else f"{low} to {high}"


class _Expression:
    """An expression's sentences; concepts are called as its sets call them."""

    def __init__(self, expression: circe.CohortExpression, name: Naming) -> None:
        self._expression, self._name = expression, name
        self._sets = {one.id: one for one in expression.ConceptSets}

    def sentences(self) -> list[str]:
        return list(self._sentences())

    def _sentences(self) -> Iterator[str]:
        it = self._expression
        entry = it.PrimaryCriteria
        yield f"Persons who have {_or([self._event(one) for one in entry.CriteriaList])}{_observed(entry)}."
        yield f"They enter {_LIMITS[entry.PrimaryCriteriaLimit.Type]}."
        if it.AdditionalCriteria is not None:
            yield f"There, {self._group(it.AdditionalCriteria)}; then {_LIMITS[it.QualifiedLimit.Type]}."
        for rule in it.InclusionRules:
            title = f"{rule.name}: " if rule.name else ""
            yield f"Rule: {title}{self._group(rule.expression)}."
        if it.InclusionRules or it.ExpressionLimit.Type != "FIRST":
            yield f"Of what meets the rules, they enter {_LIMITS[it.ExpressionLimit.Type]}."
        if it.EndStrategy is not None:
            offset = it.EndStrategy.DateOffset
            edge = "begins" if offset.DateField == "StartDate" else "ends"
            yield f"They leave {_days(offset.Offset)} after the day on which that {edge}."
        if it.CensoringCriteria:
            yield f"They leave at {_or([self._event(one) for one in it.CensoringCriteria])}."
        if it.CensorWindow is not None and (it.CensorWindow.StartDate or it.CensorWindow.EndDate):
            yield f"Only time {_period(it.CensorWindow)} counts."
        if it.CollapseSettings.EraPad:
            yield f"Times that are {_days(it.CollapseSettings.EraPad)} apart or less are one."

    def _event(self, criterion: circe.Criterion) -> str:
        return _or([self._criteria(kind, what) for kind, what in criterion.named()])

    def _criteria(self, kind: str, what: circe.DomainCriteria) -> str:
        words = _EVENTS.get(kind, _spaced(kind))
        number = getattr(what, "CodesetId", None)
        if number is not None:
            words += f" ({self._set(number)})"
        if getattr(what, "First", None):
            words += " for the first time"
        more = [self._attribute(name, value, what) for name, value in _given(what)]
        text = ", ".join([words, *filter(None, more)])
        if what.CorrelatedCriteria is not None:
            text += f" (around which {self._group(what.CorrelatedCriteria)})"
        return text

    def _attribute(self, name: str, value: Any, what: Any) -> str:
        if name.endswith("Exclude"):
            return ""  # told with what it turns round
        words = _PHRASES.get(name, f"{_spaced(name)} {{}}").format(self._value(name, value))
        return f"not {words}" if getattr(what, f"{name}Exclude", False) else words

    def _value(self, name: str, value: Any) -> str:
        match value:
            case circe.NumericRange() | circe.WholeRange():
                return _OPERATORS[value.Op].format(_shown(value.Value), _shown(value.Extent))
            case circe.DateRange():
                return _DATED[value.Op].format(_shown(value.Value), _shown(value.Extent))
            case circe.Period():
                return _period(value)
            case tuple():
                return _or([one.CONCEPT_NAME or self._name(one.CONCEPT_ID) for one in value])
            case int() if name.endswith("SourceConcept"):
                return self._set(value)
            case _:
                return str(value)

    def _set(self, number: int) -> str:
        found = self._sets.get(number)
        if found is None:
            return f"concept set {number}"
        items = found.expression.items
        named = [(i, i.concept.CONCEPT_NAME or self._name(i.concept.CONCEPT_ID)) for i in items]
        taken = [f"{name}{_reach(item)}" for item, name in named if not item.isExcluded]
        left = [f"{name}{_reach(item)}" for item, name in named if item.isExcluded]
        return _some(taken) + (f", but not {_some(left)}" if left else "")

    def _group(self, group: circe.CriteriaGroup) -> str:
        parts = [self._correlated(one) for one in group.CriteriaList]
        parts += [self._about(one) for one in group.DemographicCriteriaList]
        parts += [f"({self._group(one)})" for one in group.Groups]
        if not parts:
            return "nothing more is asked"
        if len(parts) == 1 and group.Type in {"ALL", "ANY"}:
            return parts[0]
        return f"{_GROUPS[group.Type].format(group.Count)} of these hold: {'; '.join(parts)}"

    def _correlated(self, one: circe.CorrelatedCriterion) -> str:
        often = _TIMES[one.Occurrence.Type].format(one.Occurrence.Count)
        if one.Occurrence.IsDistinct:
            column = one.Occurrence.CountColumn or "DOMAIN_CONCEPT"
            often += " different by " + column.lower().replace("_", " ")
        times = f"{often} × {self._event(one.Criteria)}"
        parts = [times, _window(one.StartWindow, "beginning")]
        if one.EndWindow is not None:
            parts.append(_window(one.EndWindow, "ending", ends=True))
        if one.RestrictVisit:
            parts.append("in the same visit")
        if one.IgnoreObservationPeriod:
            parts.append("whether observed then or not")
        return ", ".join(parts)

    def _about(self, one: circe.DemographicCriteria) -> str:
        return "at the entry, " + ", ".join(self._attribute(name, value, one) for name, value in _given(one))


def _given(record: circe.CirceRecord) -> Iterator[tuple[str, Any]]:
    for name in type(record).model_fields:
        value = getattr(record, name)
        if value is not None and value is not False and name not in {"CodesetId", "First", "CorrelatedCriteria"}:
            yield name, value


def _observed(entry: circe.EntryEvents) -> str:
    window = entry.ObservationWindow
    sides = (window.PriorDays, "before"), (window.PostDays, "after")
    parts = [f"{_days(days)} {side}" for days, side in sides if days]
    return f", observed for {' and '.join(parts)}" if parts else ""


def _window(window: circe.Window, edge: str, *, ends: bool = False) -> str:
    compared = "ending" if (window.UseEventEnd if window.UseEventEnd is not None else ends) else edge
    index = "the end of the entry" if window.UseIndexEnd else "the entry"
    start, end = _edge(window.Start), _edge(window.End)
    if start is None and end is None:
        return f"{compared} at any time"
    if start is None:
        return f"{compared} up to {end} {index}"
    return f"{compared} from {start} {index}" + (f" to {end} it" if end is not None else " on")


def _edge(edge: circe.WindowEnd) -> str | None:
    if edge.Days is None:
        return None
    if edge.Days == 0:
        return "the day of"
    return f"{_days(edge.Days)} {'before' if edge.Coeff < 0 else 'after'}"


def _reach(item: circe.ConceptSetItem) -> str:
    said = (item.includeDescendants, "its kinds"), (item.includeMapped, "codes mapped to it")
    more = [words for given, words in said if given]
    return f" with {' and '.join(more)}" if more else ""


def _period(period: circe.Period) -> str:
    parts = [f"{word} {_shown(day)}" for word, day in (("from", period.StartDate), ("until", period.EndDate)) if day]
    return " ".join(parts) or "at any time"


def _days(count: int) -> str:
    return f"{count} day" if abs(count) == 1 else f"{count} days"


def _names(ids: Sequence[int], name: Naming) -> str:
    return _some([name(one) for one in ids])


def _some(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        shown.append(f"{len(names) - MOST_NAMES} more")
    return _or(shown) if shown else "nothing"


def _or(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}" if parts else "nothing"


def _shown(value: float | date | None) -> str:
    return f"{value:%d %b %Y}" if isinstance(value, date) else f"{value:g}" if value is not None else "?"


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
