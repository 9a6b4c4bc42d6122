"""Patient resources into persons: one person for all of somebody's numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links
from flip_trust.ingest.events import EHR, moment_of
from flip_trust.ingest.fhir.checks import UnusableError
from flip_trust.ingest.fhir.resources import Resource, patient_key

GENDER_CONCEPTS = {"male": 8507, "female": 8532, "other": 44814653, "unknown": 8551}
"""The guide's AdministrativeGender map."""
_NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
_TYPES = {"MR", "PI", "NH", "NHS", "NI", "SS", "HC"}
"""HL7 table 0203: identifiers that stand for one person at one place."""


def numbers_of(patient: Resource) -> list[str]:
    """The numbers that a patient is known by; the first one names the person where none is known yet.

    A hospital's own number comes first, as images have it; numbers that are marked old or are of another type are left
    out, except where there is nothing else.
    """
    found: list[tuple[int, str]] = []
    for identifier in patient.get("identifier") or []:
        value = identifier.get("value")
        types = {coding.get("code") for coding in (identifier.get("type") or {}).get("coding") or []}
        if not value or identifier.get("use") == "old":
            continue
        if "MR" in types:
            found.append((0, value))
        elif identifier.get("system") == _NHS_NUMBER or types & _TYPES:
            found.append((1, value))
        elif not types:
            found.append((2, value))
    typed = [pair for pair in found if pair[0] < 2]
    return [value for _, value in sorted(typed or found[:1], key=lambda pair: pair[0])]


def identify(keyed: Keyed, numbers: Iterable[str], known: dict[int, int], otherwise: int) -> int:
    """``person_id`` of someone known by these numbers; new numbers are added to ``known``.

    Raises:
        UnusableError: two of the numbers are two persons' here.
    """
    keys = [links.key_of(keyed, number) for number in numbers]
    persons = {known[key] for key in keys if key in known}
    if len(persons) > 1:
        raise UnusableError("Patient.identifier: its numbers are of different persons here; mend the identifiers")
    person = persons.pop() if persons else keys[0] if keys else otherwise
    known.update(dict.fromkeys(keys, person))
    return person


def person_row(patient: Resource, person_id: int, keyed: Keyed) -> dict[str, Any]:
    """A row of person.

    Raises:
        UnusableError: the year of birth is missing, which OMOP needs.
    """
    year, _, rest = (patient.get("birthDate") or "").partition("-")
    if not year.isdigit():
        raise UnusableError("Patient.birthDate: missing, and OMOP needs the year")
    month, _, day = rest.partition("-")
    gender = patient.get("gender")
    return {
        "person_id": person_id,
        "gender_concept_id": GENDER_CONCEPTS.get(gender or "", 0),
        "year_of_birth": int(year),
        "month_of_birth": int(month) if month else None,
        "day_of_birth": int(day) if day else None,
        "race_concept_id": 0,
        "ethnicity_concept_id": 0,
        "person_source_value": keyed.pseudonym("person-source", str(person_id)),
        "gender_source_value": gender,
    }


def death_row(patient: Resource, person_id: int) -> dict[str, Any] | None:
    """A row of death, where its day is known."""
    died = moment_of(patient.get("deceasedDateTime") or "")
    if died is None:
        return None
    return {"person_id": person_id, "death_date": died.day, "death_datetime": died.time, "death_type_concept_id": EHR}


def resource_link(patient: Resource, person_id: int, keyed: Keyed) -> tuple[str, int, int]:
    """What later resources find the person by."""
    return links.FHIR, patient_key(keyed, patient["id"]), person_id
