"""Availability queries of HDR UK's Cohort Discovery (RQuest JSON, which Bunny answers) as cohort expressions.

Everyone with a period of observation is asked about, whenever things happened, as Bunny asks of everyone in its person
table. What such a query can say and a cohort here cannot is refused with its path, never left out. The format is that
of hutch-bunny's query models (Health Informatics, University of Nottingham).
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from flip_sdk.contract import check_circe
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError

_EVENTS: Final = {
    "Condition": "ConditionOccurrence",
    "Drug": "DrugExposure",
    "Medication": "DrugExposure",
    "Measurement": "Measurement",
    "Observation": "Observation",
    "Procedure": "ProcedureOccurrence",
    "Death": "Death",
}
_SEXES: Final = (8507, 8532)
"""OMOP's male and female: the person concepts whose column is known without a vocabulary."""
_RULE: Final = {"varname", "varcat", "type", "oper", "value", "time", "secondary_modifier"}
_ALL_DAYS: Final = {"Start": {"Coeff": -1}, "End": {"Coeff": 1}}


class _UntranslatableError(Exception):
    """What is wrong with a rule; only :func:`translate` sees it."""


def translate(query: Mapping[str, Any], today: date) -> Cohort:
    """The cohort that an availability query describes.

    Args:
        query: the whole query, or its ``cohort``.
        today: what "months ago" is reckoned from.

    Raises:
        SpecError: everything that cannot be translated, each with its path.
    """
    cohort = query.get("cohort", query)
    found: list[Violation] = []
    made = _Translation(today)
    kind = _kind(cohort, "groups_oper", "cohort", found)
    given = _list(cohort, "groups")
    made.all_hold = kind == "ALL" or len(given) == 1
    groups = [_group(group, f"cohort.groups[{i}]", made, found) for i, group in enumerate(given)]
    if not groups:
        found.append(_violation("cohort.groups", "There are no groups."))
    if found:
        raise SpecError(found)
    top = {"Type": kind, "Groups": groups}
    entry = {
        "CriteriaList": [{"ObservationPeriod": {"First": True}}],
        "ObservationWindow": {},
        "PrimaryCriteriaLimit": {"Type": "First"},
    }
    expression = {
        "ConceptSets": made.sets,
        "PrimaryCriteria": entry,
        "InclusionRules": [{"name": "Cohort Discovery", "expression": top}],
    }
    return Cohort(criteria=tuple(made.ages), expression=check_circe.read(expression))


class _Translation:
    """Rules become criteria, and their concepts concept sets."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.sets: list[dict[str, Any]] = []
        self.ages: list[AgeBetween] = []
        self.all_hold = True

    def event(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """A criterion about events: at least one, or none for ``!=``."""
        name = _EVENTS[rule["varcat"]]
        concept = _concept(rule)
        self.sets.append(_set(len(self.sets), concept))
        asked: dict[str, Any] = {"CodesetId": len(self.sets) - 1}
        if rule.get("type") == "NUM":
            if name not in {"Measurement", "Observation"}:
                raise _UntranslatableError("only measurements and observations have numbers")
            asked["ValueAsNumber"] = _range(rule.get("value") or "")
        asked |= self._time(rule.get("time") or "") | _provenance(rule, name)
        times = {"Type": 0, "Count": 0} if rule["oper"] == "!=" else {"Type": 2, "Count": 1}
        return {
            "Criteria": {name: asked},
            "StartWindow": _ALL_DAYS,
            "Occurrence": times,
            "IgnoreObservationPeriod": True,
        }

    def _time(self, time: str) -> dict[str, Any]:
        """``50|:AGE:Y`` is at 50 or older, ``|6:TIME:M`` in the last six months; the other way round for the other."""
        if not time:
            return {}
        try:
            value, category, unit = time.split(":")
            low, high = value.split("|")
            number, operator = (int(low), "gte") if low else (int(high), "lte")
        except ValueError:
            raise _UntranslatableError("time is not of the form 50|:AGE:Y") from None
        if low and high:
            raise _UntranslatableError("time has two edges")
        match category, unit:
            case "AGE", "Y":
                return {"Age": {"Value": number, "Op": operator}}
            case "TIME", "M":
                edge = _months_before(self.today, number).isoformat()
                return {"OccurrenceStartDate": {"Value": edge, "Op": "lte" if operator == "gte" else "gte"}}
        raise _UntranslatableError("time is neither AGE in Y nor TIME in M")


def _group(given: Any, where: str, made: _Translation, found: list[Violation]) -> dict[str, Any]:
    events, people = [], []
    rules = _list(given, "rules")
    kind = _kind(given, "rules_oper", where, found)
    alone = made.all_hold and (kind == "ALL" or len(rules) == 1)
    if not rules:
        found.append(_violation(f"{where}.rules", "There are no rules."))
    for i, rule in enumerate(rules):
        try:
            if not isinstance(rule, Mapping):
                raise _UntranslatableError("a rule is an object")
            _check_rule(rule)
            if rule.get("varname") == "AGE":
                made.ages.append(_age(rule, alone=alone))
            elif rule["varcat"] == "Person":
                people.append(_person(rule))
            else:
                events.append(made.event(rule))
        except _UntranslatableError as error:
            found.append(_violation(f"{where}.rules[{i}]", f"{error}."))
    return {
        "Type": kind,
        "CriteriaList": events,
        "DemographicCriteriaList": people,
    }


def _check_rule(rule: Mapping[str, Any]) -> None:
    if unknown := sorted(set(map(str, rule)) - _RULE):
        raise _UntranslatableError(f"{', '.join(unknown)[:80]} is not supported")
    if rule.get("varcat") not in {*_EVENTS, "Person"}:
        raise _UntranslatableError(f"varcat {str(rule.get('varcat'))[:40]} is not supported")
    if rule.get("type", "TEXT") not in {"TEXT", "NUM"}:
        raise _UntranslatableError(f"type {str(rule.get('type'))[:40]} is not supported")
    if rule.get("oper") not in {"=", "!="}:
        raise _UntranslatableError("oper is neither = nor !=")
    if not all(isinstance(rule.get(name, ""), str | None) for name in ("varname", "value", "time")):
        raise _UntranslatableError("varname, value and time are text")


def _age(rule: Mapping[str, Any], *, alone: bool) -> AgeBetween:
    """A person's age today, which stands beside the expression: its own ages are those at an event."""
    if not alone:
        raise _UntranslatableError("the age of today is supported only where every other rule has to hold as well")
    asked = _range(rule.get("value") or "")
    low, high = asked["Value"], asked.get("Extent", 150)
    if asked["Op"] == "lte":
        low, high = 0, low
    if not 0 <= low <= high <= 150 or low % 1 or high % 1:
        raise _UntranslatableError("the age is not a range of whole years such as 20|30")
    return AgeBetween(low=int(low), high=int(high), negate=rule["oper"] == "!=")


def _person(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Sex, by OMOP's two concepts."""
    concept = _concept(rule)
    if concept not in _SEXES:
        raise _UntranslatableError(f"{concept} is not a sex, and no other concepts of a person are supported")
    wanted = [other for other in _SEXES if (other == concept) == (rule["oper"] == "=")]
    return {"Gender": [{"CONCEPT_ID": other} for other in wanted]}


def _provenance(rule: Mapping[str, Any], name: str) -> dict[str, Any]:
    listed = rule.get("secondary_modifier") or []
    if not isinstance(listed, list):
        raise _UntranslatableError("secondary_modifier is not a list of concepts")
    given = [value for value in listed if value != ""]
    if not given:
        return {}
    if name != "ConditionOccurrence":
        raise _UntranslatableError("secondary_modifier is supported for conditions only")
    try:
        return {"ConditionType": [{"CONCEPT_ID": int(value)} for value in given]}
    except (TypeError, ValueError):
        raise _UntranslatableError("secondary_modifier is not a list of concepts") from None


def _concept(rule: Mapping[str, Any]) -> int:
    """A rule's concept: its value, or for numbers the part of ``OMOP=21490742`` after the sign."""
    number = rule.get("type") == "NUM"
    text = str(rule.get("varname", "")).partition("=")[2] if number else str(rule.get("value", ""))
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise _UntranslatableError("there is no concept's number")
    return int(text)


def _range(text: str) -> dict[str, Any]:
    """``1.0|3.0``, or ``1.0..3.0``; one edge may be missing (``null`` in the second form)."""
    low, divider, high = text.partition("..") if ".." in text else text.partition("|")
    try:
        edges = [None if edge in {"", "null"} else float(edge) for edge in (low, high)]
    except ValueError:
        edges = [None, None]
    if not divider or edges == [None, None] or not all(edge is None or math.isfinite(edge) for edge in edges):
        raise _UntranslatableError("value is not a range such as 1.0|3.0")
    if None not in edges:
        return {"Value": edges[0], "Op": "bt", "Extent": edges[1]}
    return {"Value": edges[0], "Op": "gte"} if edges[1] is None else {"Value": edges[1], "Op": "lte"}


def _months_before(day: date, months: int) -> date:
    if not 0 <= months <= 1200:
        raise _UntranslatableError("time is further away than a hundred years")
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _kind(given: Any, name: str, where: str, found: list[Violation]) -> str:
    asked = given.get(name) if isinstance(given, Mapping) else None
    if asked not in {"AND", "OR"}:
        found.append(_violation(f"{where}.{name}", f"{name} is neither AND nor OR."))
    return "ANY" if asked == "OR" else "ALL"


def _list(given: Any, name: str) -> list[Any]:
    found = given.get(name) if isinstance(given, Mapping) else None
    return found if isinstance(found, list) else []


def _set(number: int, concept: int) -> dict[str, Any]:
    """Without descendants: such a query means the very concept."""
    return {
        "id": number,
        "name": f"concept {concept}",
        "expression": {"items": [{"concept": {"CONCEPT_ID": concept}}]},
    }


def _violation(where: str, message: str) -> Violation:
    return Violation(rule="not_translatable", where=where[:200], message=message, mend="Change the query.")
