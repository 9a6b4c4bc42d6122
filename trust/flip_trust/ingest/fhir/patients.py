"""Patient resources into persons: one person for all of somebody's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links, people, store
from flip_trust.ingest.events import EHR, UnusableError, moment_of
from flip_trust.ingest.fhir.resources import Resource, patient_key
from flip_trust.ingest.report import MappingReport

GENDER_CONCEPTS = {"male": 8507, "female": 8532, "other": 44814653, "unknown": 8551}
"""The guide's AdministrativeGender map."""
_NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"


def numbers_of(patient: Resource) -> list[str]:
    """The numbers that a patient is known by, without those that are marked old; see :func:`people.ranked`."""
    found = []
    for identifier in patient.get("identifier") or []:
        types = {coding.get("code") or "" for coding in (identifier.get("type") or {}).get("coding") or []}
        types |= {"NH"} if identifier.get("system") == _NHS_NUMBER else set()
        if identifier.get("value") and identifier.get("use") != "old":
            found.append((identifier["value"], types))
    return people.ranked(found)


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


class Loading:
    """Persons, as their Patients are read.

    Args:
        home: the Trust's home.
        keyed: for ids.
    """

    def __init__(self, home: Path, keyed: Keyed) -> None:
        self._home, self._keyed = home, keyed
        self._known, self._away = links.known_numbers(home), set(links.merged(home / "omop"))
        self._here = people.in_table(home)
        self._rows: list[dict[str, Any]] = []
        self._deaths: list[dict[str, Any]] = []
        self._links: list[tuple[str, int, int]] = []

    def add(self, patient: Resource) -> None:
        """Take a Patient.

        Raises:
            UnusableError: it has no year of birth, or its numbers are of different persons.
        """
        numbers, keyed = numbers_of(patient), self._keyed
        person = people.identify(keyed, numbers, self._known, patient_key(keyed, patient["id"]))
        row = person_row(patient, person, keyed)
        # what is said of somebody under a number that was merged away is older than what their own number tells
        if not numbers or links.key_of(keyed, numbers[0]) not in self._away or person not in self._here:
            self._rows.append(row)
        self._links += [(links.NUMBER, links.key_of(keyed, number), person) for number in numbers]
        self._links.append(resource_link(patient, person, keyed))
        if death := death_row(patient, person):
            self._deaths.append(death)

    def write(self, report: MappingReport) -> None:
        """Write them all."""
        links.add(self._home, self._links)
        with store.writing(self._home / "omop"):
            people.merge(self._home, "person", self._rows, report)
            people.merge(self._home, "death", self._deaths, report)
