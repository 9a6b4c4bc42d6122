"""What a record says happened to a person, before its codes are mapped: FHIR and HL7 are both read into it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Literal

from flip_trust.deidentification.keyed import Keyed

EventTable = Literal[
    "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement", "observation", "device_exposure"
]
EHR = 32817
"""The type of a row that comes from an electronic health record (OMOP's concept, named by HL7's guide)."""
MOST_TARGETS = 16
"""Standard concepts that one code may map to; an event's rows are numbered in the low four bits of its id."""
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_TIME = re.compile(r"[T ]?(\d{2}):?(\d{2})(?::?(\d{2}))?")


class UnusableError(Exception):
    """A record cannot be mapped; the reason holds no value of it."""


@dataclass(frozen=True)
class Code:
    """One coding: the vocabulary's name (the system itself where none is known) and the code."""

    vocabulary_id: str
    code: str


@dataclass(frozen=True)
class Moment:
    """A day, and the time of the day where it is known, as the clock on the wall showed it."""

    day: date
    time: datetime | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a person.

    Attributes:
        key: see :func:`event_key`.
        table: where it goes when its code is not mapped; else the code's domain decides.
        person_id: whose it is.
        codes: codings of one meaning, the most exact first.
        text: what the source calls it.
        start: when.
        end: until when.
        visit_id: during which visit.
        value_codes: codings of its value.
        unit: coding of its value's unit.
        values: columns of its row that need no mapping, such as ``value_as_number``.
    """

    key: int
    table: EventTable
    person_id: int
    codes: tuple[Code, ...]
    text: str
    start: Moment
    end: Moment | None = None
    visit_id: int | None = None
    value_codes: tuple[Code, ...] = ()
    unit: Code | None = None
    values: dict[str, Any] = field(default_factory=dict)


def event_key(keyed: Keyed, source: str) -> int:
    """An event's number: the same each time its source is read, with room for its rows' numbers."""
    return keyed.number("event", source) & ~(MOST_TARGETS - 1)


@cache
def _systems() -> dict[str, str]:
    text = resources.files(__package__).joinpath("systems.csv").read_text("utf-8")
    return {row["system"]: row["vocabulary_id"] for row in csv.DictReader(text.splitlines())}


def code_of(system: str, code: str) -> Code:
    """A coding by the name of its system: a FHIR URI, or a name of HL7's table 0396."""
    return Code(_systems().get(system.rstrip("/"), system or "(no system)"), code.strip())


def moment_of(text: str) -> Moment | None:
    """The day, and the time, that a FHIR ``dateTime`` or an HL7 ``DTM`` tells; None where it is no whole day.

    The zone is not applied: OMOP's times are the clock's where it happened.
    """
    found = _DAY.match(text)
    if found is None:
        return None
    try:
        day = date(*(int(part) for part in found.groups()))
        time = _TIME.match(text, found.end())
        if time is None:
            return Moment(day)
        hour, minute, second = (int(part or 0) for part in time.groups())
        return Moment(day, datetime(day.year, day.month, day.day, hour, minute, min(second, 59)))  # noqa: DTZ001
    except ValueError:
        return None
