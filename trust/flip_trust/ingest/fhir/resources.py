"""Each type of resource, read into what it says happened: after HL7's FHIR-to-OMOP guide 1.0.0."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links
from flip_trust.ingest.events import EHR, Code, Event, EventTable, Moment, UnusableError, code_of, event_key, moment_of

Resource = Mapping[str, Any]
VISIT_CONCEPTS = {"IMP": 9201, "ACUTE": 9201, "NONAC": 9201, "AMB": 9202, "EMER": 9203, "OBSENC": 262}
VISIT_CONCEPTS |= {"VR": 722455, "HH": 581476}
"""Encounter.class to OMOP's visit concepts (the guide's EncounterClass map)."""


@dataclass
class Context:
    """What a resource is read with.

    Attributes:
        keyed: for ids.
        persons: ``person_id`` by a FHIR patient's key.
        drugs: codings of the Medication resources that were read.
    """

    keyed: Keyed
    persons: Mapping[int, int]
    drugs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def person(self, resource: Resource) -> int:
        """Whose a resource is.

        Raises:
            UnusableError: it does not say, or that patient was never loaded.
        """
        reference = (resource.get("subject") or {}).get("reference") or ""
        kind, name = _named(reference)
        if kind != "Patient":
            raise UnusableError(f"{resource['resourceType']}.subject: it refers to no Patient")
        found = self.persons.get(patient_key(self.keyed, name))
        if found is None:
            raise UnusableError(
                f"{resource['resourceType']}.subject: that Patient was not loaded; load it and try again"
            )
        return found

    def visit(self, resource: Resource) -> int | None:
        """During which visit."""
        kind, name = _named((resource.get("encounter") or resource.get("context") or {}).get("reference") or "")
        return visit_id(self.keyed, name) if kind == "Encounter" else None


def patient_key(keyed: Keyed, name: str) -> int:
    """What stands for a Patient resource's id."""
    return keyed.number(links.FHIR, name)


def visit_id(keyed: Keyed, name: str) -> int:
    """``visit_occurrence_id`` of an Encounter resource's id."""
    return keyed.number("visit", f"fhir/{name}")


def key(resource: Resource, keyed: Keyed, part: str = "") -> int:
    """The number of the event that a resource, or a part of it, tells of."""
    return event_key(keyed, f"fhir/{resource['resourceType']}/{resource['id']}/{part}")


def keys(resource: Resource, keyed: Keyed) -> Iterator[int]:
    """Every key that a resource's events may have, for when it is withdrawn."""
    yield key(resource, keyed)
    for number, _ in enumerate(resource.get("component") or []):
        yield key(resource, keyed, f"component {number}")
    for number, _ in enumerate(resource.get("conclusionCode") or []):
        yield key(resource, keyed, f"conclusion {number}")


def encounter(resource: Resource, context: Context) -> dict[str, Any]:
    """A row of visit_occurrence."""
    period = resource.get("period") or {}
    start = _moment(period.get("start"), "Encounter.period.start")
    end = moment_of(period.get("end") or "")
    kind = (resource.get("class") or {}).get("code") or ""
    return {
        "visit_occurrence_id": visit_id(context.keyed, resource["id"]),
        "person_id": context.person(resource),
        "visit_concept_id": VISIT_CONCEPTS.get(kind, 0),
        "visit_start_date": start.day,
        "visit_start_datetime": start.time,
        "visit_end_date": end.day if end else None,
        "visit_end_datetime": end.time if end else None,
        "visit_type_concept_id": EHR,
        "visit_source_value": kind or None,
    }


def condition(resource: Resource, context: Context) -> Iterator[Event]:
    """A diagnosis, on the day it began, else on the day it was recorded."""
    start = _first_of(resource, "onsetDateTime", "onsetPeriod", "recordedDate")
    values = {"condition_status_source_value": _status_text(resource)}
    yield replace(_event(resource, context, "condition_occurrence", resource.get("code"), start), values=values)


def procedure(resource: Resource, context: Context) -> Iterator[Event]:
    """Something that was done."""
    start = _first_of(resource, "performedDateTime", "performedPeriod")
    end = moment_of((resource.get("performedPeriod") or {}).get("end") or "")
    yield replace(_event(resource, context, "procedure_occurrence", resource.get("code"), start), end=end)


def medication_statement(resource: Resource, context: Context) -> Iterator[Event]:
    """A drug that is or was taken."""
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        reference = (resource.get("medicationReference") or {}).get("reference") or ""
        contained = {f"#{inner.get('id')}": inner.get("code") for inner in resource.get("contained") or []}
        concept = contained.get(reference) or context.drugs.get(_named(reference)[1])
    if concept is None:
        raise UnusableError("MedicationStatement.medication: the Medication that it refers to was not loaded")
    start = _first_of(resource, "effectiveDateTime", "effectivePeriod", "dateAsserted")
    end = moment_of((resource.get("effectivePeriod") or {}).get("end") or "")
    yield replace(_event(resource, context, "drug_exposure", concept, start), end=end)


def observation(resource: Resource, context: Context) -> Iterator[Event]:
    """A value, and each component's; a panel without a value of its own is its components alone."""
    start = _first_of(resource, "effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued")
    components = resource.get("component") or []
    if _has_value(resource) or not components:
        yield _measured(resource, resource, context, start, "")
    for number, component in enumerate(components):
        yield _measured(resource, component, context, start, f"component {number}")


def diagnostic_report(resource: Resource, context: Context) -> Iterator[Event]:
    """That a report was made, and each coded conclusion. Its words are not taken: there are no notes here.

    Its results are Observations of their own.
    """
    start = _first_of(resource, "effectiveDateTime", "effectivePeriod", "issued")
    conclusions = resource.get("conclusionCode") or []
    for number, conclusion in enumerate(conclusions):
        event = _event(resource, context, "observation", resource.get("code"), start, f"conclusion {number}")
        yield replace(event, value_codes=_codes(conclusion))
    if not conclusions:
        yield _event(resource, context, "observation", resource.get("code"), start)


def imaging_study(resource: Resource, context: Context) -> Iterator[tuple[dict[str, Any], Code | None]]:
    """A row of image_occurrence for each series (or for the study, where it lists none) and its modality's code.

    UIDs are the keyed ones, as the de-identified images have them.
    """
    uids = [i.get("value") or "" for i in resource.get("identifier") or [] if i.get("system") == "urn:dicom:uid"]
    study = next((uid.removeprefix("urn:oid:") for uid in uids if uid), "")
    if not study:
        raise UnusableError("ImagingStudy.identifier: no Study Instance UID (system urn:dicom:uid)")
    started = _moment(resource.get("started"), "ImagingStudy.started")
    person, visit = context.person(resource), context.visit(resource)
    modalities = resource.get("modality") or []
    whole = {"modality": modalities[0] if modalities else None}
    for series in resource.get("series") or [whole]:
        coding = series.get("modality") or {}
        uid = series.get("uid") or ""
        row = {
            "image_occurrence_id": image_id(context.keyed, study, uid),
            "person_id": person,
            "visit_occurrence_id": visit,
            "image_occurrence_date": (moment_of(series.get("started") or "") or started).day,
            "image_study_uid": context.keyed.uid(study),
            "image_series_uid": context.keyed.uid(uid) if uid else None,
        }
        code = coding.get("code")
        yield row, code_of(coding.get("system") or "", code) if code else None


def image_id(keyed: Keyed, study: str, series: str) -> int:
    """``image_occurrence_id`` of a series, or of a study whose series are not told."""
    return keyed.number("image", series or study)


EVENTS: Mapping[str, Callable[[Resource, Context], Iterator[Event]]] = {
    "Condition": condition,
    "Procedure": procedure,
    "MedicationStatement": medication_statement,
    "Observation": observation,
    "DiagnosticReport": diagnostic_report,
}


def _event(
    resource: Resource, context: Context, table: EventTable, concept: Any, start: Moment, part: str = ""
) -> Event:
    codes, text = _codes(concept), _text(concept)
    if not codes and not text:
        raise UnusableError(f"{resource['resourceType']}: it has neither a code nor a text for what it is")
    number = key(resource, context.keyed, part)
    return Event(number, table, context.person(resource), codes, text, start, visit_id=context.visit(resource))


def _measured(resource: Resource, part: Resource, context: Context, start: Moment, name: str) -> Event:
    quantity = part.get("valueQuantity") or {}
    number = quantity.get("value", part.get("valueInteger"))
    categories = {c.get("code") for group in resource.get("category") or [] for c in group.get("coding") or []}
    table: EventTable = (
        "measurement" if categories & {"laboratory", "vital-signs"} or number is not None else "observation"
    )
    ranges = (part.get("referenceRange") or [{}])[0]
    unit = code_of(quantity.get("system") or "", quantity["code"]) if quantity.get("code") else None
    value = part.get("valueCodeableConcept")
    values = {
        "value_as_number": _number(number),
        "unit_source_value": quantity.get("unit") or quantity.get("code"),
        "range_low": _number((ranges.get("low") or {}).get("value")),
        "range_high": _number((ranges.get("high") or {}).get("value")),
        "value_source_value": _text(value)[:50] or None,
    }
    event = _event(resource, context, table, part.get("code"), start, name)
    return replace(event, value_codes=_codes(value), unit=unit, values=values)


def _has_value(part: Resource) -> bool:
    return any(name.startswith("value") for name in part)


def _codes(concept: Any) -> tuple[Code, ...]:
    codings = (concept or {}).get("coding") or []
    return tuple(code_of(c.get("system") or "", c["code"]) for c in codings if c.get("code"))


def _text(concept: Any) -> str:
    named = [c.get("display") or "" for c in (concept or {}).get("coding") or []]
    return (concept or {}).get("text") or next(filter(None, named), "")


def _status_text(resource: Resource) -> str | None:
    codings = (resource.get("verificationStatus") or {}).get("coding") or [{}]
    code: str | None = codings[0].get("code")
    return code


def _named(reference: str) -> tuple[str, str]:
    """Type and id, of a relative reference or an absolute one."""
    parts = reference.partition("/_history/")[0].split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", "")


def _first_of(resource: Resource, *names: str) -> Moment:
    for name in names:
        given = resource.get(name)
        text = given.get("start") if isinstance(given, dict) else given
        if isinstance(text, str) and (moment := moment_of(text)):
            return moment
    raise UnusableError(f"{resource['resourceType']}: no date to the day in any of " + ", ".join(names))


def _moment(text: str | None, name: str) -> Moment:
    moment = moment_of(text or "")
    if moment is None:
        raise UnusableError(f"{name}: no date to the day")
    return moment


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if abs(value) > sys.float_info.max or value != value:  # noqa: PLR0124 (what is no number differs from itself)
        raise UnusableError("a quantity: not a number that can be kept")
    return float(value)
