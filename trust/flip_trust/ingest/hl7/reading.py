"""What a message says, as rows and events: ADT, ORU, ORM and OMI."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import people
from flip_trust.ingest.events import EHR, Code, Event, Moment, UnusableError, code_of, event_key, moment_of
from flip_trust.ingest.hl7.messages import WITHOUT_VISIT, Message
from flip_trust.ingest.hl7.who import Who

SEX_CONCEPTS = {"M": 8507, "F": 8532, "O": 44814653, "U": 8551}
"""PID-8 (table 0001) to OMOP's gender concepts."""
VISIT_CONCEPTS = {"I": 9201, "O": 9202, "E": 9203, "R": 9202}
"""PV1-2 (table 0004) to OMOP's visit concepts."""
OPERATOR_CONCEPTS = {"<": 4171756, "<=": 4171754, "=": 4172703, ">=": 4171755, ">": 4172704}
ORDER_STATUSES = {"CA": "cancelled", "OC": "cancelled", "CR": "cancelled", "DC": "cancelled", "HD": "held"}
"""ORC-1 (table 0119); everything else is an order that stands."""
_WITHDRAWN, _NOT_YET = {"D", "W", "X"}, {"I", "N", "O"}
_WORDS, _CODED = {"TX", "FT", "ED", "RP"}, {"CE", "CWE", "CNE", "CF", "IS", "ID"}


def numbers_of(message: Message) -> list[str]:
    """The patient's numbers (PID-3)."""
    return _numbers_in(message, message.first("PID"), 3)


def merges_of(message: Message) -> Iterator[tuple[list[str], list[str]]]:
    """Each merge that a message orders: the numbers of who stays (PID-3), and of who goes (MRG-1).

    Raises:
        UnusableError: one of them has no number that tells a patient from others.
    """
    person = ["PID"]
    for segment in message.segments:
        if segment[0] == "PID":
            person = segment
        elif segment[0] == "MRG":
            gone = _numbers_in(message, segment, 1)
            kept = [number for number in _numbers_in(message, person, 3) if number not in gone]
            if not kept or not gone:
                raise UnusableError("PID-3, MRG-1: no number of a type that tells the two patients from others")
            yield kept, gone


def _numbers_in(message: Message, segment: list[str], field: int) -> list[str]:
    given: list[tuple[str, set[str]]] = []
    for at in range(message.repetitions(segment, field)):
        kind = message.get(segment, field, 5, at)
        if number := message.get(segment, field, 1, at):
            given.append((number, {kind} if kind else set()))
    return people.ranked(given)


def person_row(message: Message, person_id: int, keyed: Keyed) -> dict[str, Any] | None:
    """A row of person; None where the year of birth is not told."""
    person = message.first("PID")
    born = moment_of(message.get(person, 7))
    if born is None:
        return None
    sex = message.get(person, 8)
    return {
        "person_id": person_id,
        "gender_concept_id": SEX_CONCEPTS.get(sex, 0),
        "year_of_birth": born.day.year,
        "month_of_birth": born.day.month,
        "day_of_birth": born.day.day,
        "race_concept_id": 0,
        "ethnicity_concept_id": 0,
        "person_source_value": keyed.pseudonym("person-source", str(person_id)),
        "gender_source_value": sex or None,
    }


def death_row(message: Message, person_id: int) -> dict[str, Any] | None:
    """A row of death, where its day is told."""
    died = moment_of(message.get(message.first("PID"), 29))
    if died is None:
        return None
    return {"person_id": person_id, "death_date": died.day, "death_datetime": died.time, "death_type_concept_id": EHR}


def visit_id(message: Message, who: Who, keyed: Keyed) -> int | None:
    """``visit_occurrence_id``, where the message tells the visit's number."""
    number = message.get(message.first("PV1"), 19)
    return who.number(lambda person: keyed.number("visit", f"hl7/{person}/{number}")) if number else None


def visit_row(message: Message, who: Who, keyed: Keyed) -> dict[str, Any] | None:
    """A row of visit_occurrence, with the day it was ``seen``; None where the message is about a person alone."""
    if message.kind[0] != "ADT" or message.kind[1] in WITHOUT_VISIT:
        return None
    number = visit_id(message, who, keyed)
    if number is None:
        return None
    visit, event = message.first("PV1"), message.first("EVN")
    started = moment_of(message.get(visit, 44)) or moment_of(message.get(event, 6)) or moment_of(message.get(event, 2))
    # a discharge that is cancelled has no time, whatever the message repeats
    ended = moment_of(message.get(visit, 45)) if message.kind[1] != "A13" else None
    if ended is None and message.kind[1] == "A03":
        ended = moment_of(message.get(event, 6)) or moment_of(message.get(event, 2))
    row: dict[str, Any] = {
        "visit_occurrence_id": number,
        "person_id": who.person_id,
        "visit_concept_id": VISIT_CONCEPTS.get(message.get(visit, 2), 0),
        "seen": (started or ended or Moment(date.min)).day,
        "visit_end_date": ended.day if ended else None,
        "visit_end_datetime": ended.time if ended else None,
        "visit_type_concept_id": EHR,
        "visit_source_value": message.get(visit, 2) or None,
    }
    # the time of a later event is not when the visit began, unless nothing better is ever told
    if started and (message.get(visit, 44) or message.kind[1] in {"A01", "A04"}):
        row |= {"visit_start_date": started.day, "visit_start_datetime": started.time}
    return row


def results(message: Message, who: Who, keyed: Keyed, passed_over: Counter[str]) -> Iterator[Event | int]:
    """An ORU's results: events, and the keys of those that the laboratory took back."""
    request, seen = ["OBR"], Counter[str]()
    for segment in message.segments:
        if segment[0] == "OBR":
            request = segment
        elif segment[0] == "OBX":
            status, kind = message.get(segment, 11), message.get(segment, 2)
            if status in _NOT_YET:
                passed_over["OBX: no result yet"] += 1
                continue
            if kind in _WORDS:
                passed_over["OBX: a result in free text, or a document"] += 1
                continue
            order = message.get(request, 3) or message.get(request, 2) or message.get(message.segments[0], 10)
            name = "/".join([order, message.get(segment, 3) or message.get(segment, 3, 2), message.get(segment, 4)])
            seen[name] += 1
            key = who.number(partial(_result_key, keyed, f"{name}/{seen[name]}"))
            yield key if status in _WITHDRAWN else _result(message, request, segment, who, keyed, key)


def image_order(message: Message, who: Who, keyed: Keyed) -> tuple[dict[str, Any], Code | None]:
    """A row of image_order, without its concept, and the code of what was ordered.

    Raises:
        UnusableError: it has no date.
    """
    order, request, imaging = message.first("ORC"), message.first("OBR"), message.first("IPC")
    number = message.get(order, 2) or message.get(request, 2) or message.get(order, 3) or message.get(request, 3)
    accession = message.get(imaging, 1) or message.get(request, 18)
    times = ((request, 36), (order, 9), (request, 6), (request, 7), (message.segments[0], 7))
    asked = next((m for place in times if (m := moment_of(message.get(*place)))), None)
    if asked is None:
        raise UnusableError("the order has no date")
    study = message.get(imaging, 3)
    row = {
        "image_order_id": who.number(lambda person: keyed.number("order", f"{person}/{number or accession}")),
        "person_id": who.person_id,
        "visit_occurrence_id": visit_id(message, who, keyed),
        "order_date": asked.day,
        "order_datetime": asked.time,
        "order_status": ORDER_STATUSES.get(message.get(order, 1), "ordered"),
        "procedure_source_value": (message.get(request, 4, 1) or message.get(request, 4, 2))[:50],
        "modality_source_value": message.get(imaging, 5) or message.get(request, 24) or None,
        "accession_number": accession or None,
        "image_study_uid": keyed.uid(study) if study else None,
    }
    return row, next(iter(_codes(message, request, 4)), None)


def _result_key(keyed: Keyed, name: str, person: int) -> int:
    return event_key(keyed, f"hl7/result/{person}/{name}")


def _result(message: Message, request: list[str], segment: list[str], who: Who, keyed: Keyed, key: int) -> Event:
    kind = message.get(segment, 2)
    unit = next(iter(_codes(message, segment, 6)), None)
    values = _value(message, segment, kind) | _range(message.get(segment, 7))
    if unit or message.get(segment, 6, 2):
        values["unit_source_value"] = (unit.code if unit else message.get(segment, 6, 2))[:50]
    codes = _codes(message, segment, 3)
    return Event(
        key,
        "measurement" if values.get("value_as_number") is not None else "observation",
        who.person_id,
        codes,
        message.get(segment, 3, 2) or message.get(segment, 3),
        _when(message, request, segment),
        visit_id=visit_id(message, who, keyed),
        value_codes=_codes(message, segment, 5) if kind in _CODED else (),
        unit=unit,
        values=values,
    )


def _value(message: Message, segment: list[str], kind: str) -> dict[str, Any]:
    text = message.get(segment, 5)
    if kind == "NM":
        return {"value_as_number": float(text)} if text else {}
    if (
        kind == "SN"
        and re.fullmatch(r"[+-]?\d{1,99}(\.\d+)?", message.get(segment, 5, 2))
        and not message.get(segment, 5, 3)
    ):
        operator = {"operator_concept_id": OPERATOR_CONCEPTS.get(text)} if text else {}
        return {"value_as_number": float(message.get(segment, 5, 2)), **operator}
    return {"value_source_value": (text or message.get(segment, 5, 2))[:50] or None}


def _range(text: str) -> dict[str, float]:
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)\s*", text)
    return {"range_low": float(found[1]), "range_high": float(found[2])} if found else {}


def _when(message: Message, request: list[str], segment: list[str]) -> Moment:
    for text in (message.get(segment, 14), message.get(request, 7), message.get(request, 22)):
        if moment := moment_of(text):
            return moment
    raise UnusableError("the result has no date")


def _codes(message: Message, segment: list[str], field: int) -> tuple[Code, ...]:
    """Both codings of a coded field: identifier and system, and the alternative ones."""
    pairs = [(message.get(segment, field, at + 2), message.get(segment, field, at)) for at in (1, 4)]
    return tuple(code_of(system, code) for system, code in pairs if code)
