"""One hospital's records as an extract of OMOP CDM 5.4 tables, which ``flip-trust ingest omop`` takes.

The person table keeps the hospital's number, by which the images find their persons.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from demo.imaging.hospitals import Hospital
from demo.imaging.persons import SEED, Person, persons_of

MASS, CLEAR, LUNG_DISEASE = 2_000_010_101, 2_000_010_102, 2_000_010_103
FEMALE, MALE = 2_000_010_201, 2_000_010_202
CHEST_CT, RADIOLOGY_VISIT, CT_MODALITY, RECORD = 2_000_010_301, 2_000_010_302, 2_000_010_303, 2_000_010_304
PACK_YEARS, BODY_MASS_INDEX = 2_000_010_001, 2_000_010_002
_VOCABULARY = "FLIP demo"
_NAMED = (
    # concept, name, domain, vocabulary, code
    (MASS, "mass in a lung", "Condition", _VOCABULARY, "mass"),
    (CLEAR, "lungs without a mass", "Condition", _VOCABULARY, "clear"),
    (LUNG_DISEASE, "chronic obstructive lung disease", "Condition", _VOCABULARY, "copd"),
    (FEMALE, "female", "Gender", _VOCABULARY, "female"),
    (MALE, "male", "Gender", _VOCABULARY, "male"),
    (CHEST_CT, "computed tomography of the chest", "Procedure", _VOCABULARY, "ct-chest"),
    (RADIOLOGY_VISIT, "visit to radiology", "Visit", _VOCABULARY, "radiology"),
    (CT_MODALITY, "Computed Tomography", "Observation", "DICOM", "CT"),
    (RECORD, "hospital's own record", "Type Concept", _VOCABULARY, "record"),
    (PACK_YEARS, "pack-years smoked", "Measurement", _VOCABULARY, "pack-years"),
    (BODY_MASS_INDEX, "body mass index", "Measurement", _VOCABULARY, "bmi"),
)
_CATALOGUE = f"""# Public bounds of measurements: what one person's value is clamped to. Never read off the patients.

[[measurement]]
concept_id = {PACK_YEARS}
unit = "pack-year"
low = 0.0
high = 100.0

[[measurement]]
concept_id = {BODY_MASS_INDEX}
unit = "kg/m2"
low = 15.0
high = 50.0
"""


def write_extract(place: Hospital, folder: Path) -> None:
    """Write one hospital's tables as CSV, named after their tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables(persons_of(place)).items():
        frame.write_csv(folder / f"{name}.csv")


def write_catalogue(home: Path) -> None:
    """The data steward declares the measurements' public bounds."""
    (home / "omop").mkdir(parents=True, exist_ok=True)
    (home / "omop" / "catalogue.toml").write_text(_CATALOGUE, encoding="utf-8")


def tables(people: Sequence[Person]) -> dict[str, pl.DataFrame]:
    """OMOP CDM 5.4 tables of these people."""
    random = np.random.default_rng([SEED, people[0].person_id])
    visits = [(person, visit) for person in people for visit in person.visits]
    return {
        "person": pl.DataFrame([_person(person) for person in people]),
        "visit_occurrence": pl.DataFrame([
            _row("visit", i, person, visit.day, RADIOLOGY_VISIT) | {"visit_end_date": visit.day}
            for i, (person, visit) in enumerate(visits, start=1)
        ]),
        "procedure_occurrence": pl.DataFrame([
            {
                "procedure_occurrence_id": i,
                "person_id": person.person_id,
                "procedure_concept_id": CHEST_CT,
                "procedure_date": visit.day,
                "procedure_type_concept_id": RECORD,
                "visit_occurrence_id": i,
            }
            for i, (person, visit) in enumerate(visits, start=1)
        ]),
        "condition_occurrence": pl.DataFrame(
            [_row("condition", i, *rest) for i, rest in enumerate(_conditions(people, random), start=1)]
        ),
        "measurement": pl.DataFrame(
            [{"measurement_id": i, **row} for i, row in enumerate(_measurements(people, random), start=1)]
        ),
        "observation_period": pl.DataFrame([_observed(person) for person in people]),
        "concept": concepts(),
    }  # fmt: skip


def concepts() -> pl.DataFrame:
    """The vocabulary of the hospital: local concepts, and what it maps DICOM's CT to."""
    names = ("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_code")
    return pl.DataFrame(_NAMED, schema=names, orient="row").with_columns(
        concept_class_id=pl.col("domain_id"),
        standard_concept=pl.lit("S"),
        valid_start_date=datetime.date(1970, 1, 1),
        valid_end_date=datetime.date(2099, 12, 31),
    )


def _person(person: Person) -> dict[str, Any]:
    return {
        "person_id": person.person_id,
        "gender_concept_id": FEMALE if person.female else MALE,
        "year_of_birth": person.born.year,
        "month_of_birth": person.born.month,
        "day_of_birth": person.born.day,
        "race_concept_id": 0,
        "ethnicity_concept_id": 0,
        "person_source_value": person.number,
    }


def _row(table: str, number: int, person: Person, day: datetime.date, concept_id: int) -> dict[str, Any]:
    """What the CDM's tables of events have in common."""
    return {
        f"{table}_occurrence_id": number,
        "person_id": person.person_id,
        f"{table}_concept_id": concept_id,
        f"{table}_start_date": day,
        f"{table}_type_concept_id": RECORD,
    }


def _conditions(people: Sequence[Person], random: np.random.Generator) -> list[tuple[Person, datetime.date, int]]:
    found = [(person, person.visits[0].day, MASS if person.ill else CLEAR) for person in people]
    for person in people:
        if random.random() < (0.3 if person.ill else 0.15):
            earlier = datetime.timedelta(days=int(random.integers(30, 900)))
            found.append((person, person.visits[0].day - earlier, LUNG_DISEASE))
    return found


def _measurements(people: Sequence[Person], random: np.random.Generator) -> list[dict[str, Any]]:
    """Who has a mass has smoked more, on average: a little is to be learnt from the records alone."""
    found = []
    for person in people:
        smoked = float(np.clip(random.gamma(1.2, 18 if person.ill else 10), 0, 100))
        mass_index = float(np.clip(random.normal(27, 4), 16, 48))
        for concept_id, value in ((PACK_YEARS, smoked), (BODY_MASS_INDEX, mass_index)):
            found.append(
                {
                    "person_id": person.person_id,
                    "measurement_concept_id": concept_id,
                    "measurement_date": person.visits[0].day,
                    "measurement_type_concept_id": RECORD,
                    "value_as_number": round(value, 1),
                }
            )
    return found


def _observed(person: Person) -> dict[str, Any]:
    return {
        "observation_period_id": person.person_id,
        "person_id": person.person_id,
        "observation_period_start_date": person.visits[0].day - datetime.timedelta(days=1200),
        "observation_period_end_date": person.visits[-1].day + datetime.timedelta(days=365),
        "period_type_concept_id": RECORD,
    }
