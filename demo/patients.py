"""Real patients for the demo's Trusts: 569 people of the Wisconsin breast cancer data, as OMOP CDM 5.4 tables.

The measurements and diagnoses are real (University of Wisconsin Hospitals, 1989-1995, published without identities and
shipped with scikit-learn). What that publication leaves out and OMOP needs is made up, with a fixed seed and
independently of the diagnosis: the years of birth, the dates, how long anybody was observed and who died, and which of
the four Trusts a person goes to.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer

from demo.measurements import (
    BENIGN,
    CONDITION_TYPE,
    FEMALE,
    MALIGNANT,
    MEASUREMENT_TYPE,
    MEASUREMENTS,
    NO_CONCEPT,
    OBSERVATION_TYPE,
)

SEED = 1995
_FIRST_DAY, _LAST_DAY = datetime.date(2025, 1, 6), datetime.date(2026, 10, 31)
_VOCABULARY = "FLIP demo"


@dataclass(frozen=True)
class Hospital:
    """A Trust of the demo: how many people it has and how many of them with a malignant mass."""

    name: str
    title: str
    persons: int
    malignant: int


HOSPITALS = (
    Hospital("aldgate", "Aldgate University Hospital", 220, 110),
    Hospital("brookfield", "Brookfield General", 150, 45),
    Hospital("carrick", "Carrick Screening Service", 110, 22),
    Hospital("dunmore", "Dunmore District Hospital", 89, 35),
)
"""Unlike in size and case mix, as hospitals are: a cancer centre, a general one, a screening service, a small one."""


@dataclass(frozen=True)
class Patients:
    """One Trust's people: ids, the 30 raw measurements, and 1 for malignant."""

    person_ids: np.ndarray
    features: np.ndarray
    malignant: np.ndarray


def patients_of(name: str) -> Patients:
    """The people of one Trust, always the same ones.

    Raises:
        KeyError: there is no such Trust in the demo.
    """
    return _all_patients()[name]


def load(name: str, home: Path) -> None:
    """Write one Trust's OMOP tables and its catalogue's public bounds under ``home/omop``."""
    folder = home / "omop"
    folder.mkdir(parents=True, exist_ok=True)
    patients = patients_of(name)
    for table, frame in tables(patients).items():
        frame.write_parquet(folder / f"{table}.parquet")
    (folder / "catalogue.toml").write_text(_catalogue(), encoding="utf-8")


def tables(patients: Patients) -> dict[str, pl.DataFrame]:
    """OMOP CDM 5.4 tables: person, measurement, condition_occurrence, observation_period, death, concept."""
    random = np.random.default_rng([SEED, int(patients.person_ids[0])])
    days = random.integers(0, 500, len(patients.person_ids))
    dates = [_FIRST_DAY + datetime.timedelta(days=int(day)) for day in days]
    return {
        "person": _person(patients, random),
        "measurement": _measurement(patients, dates),
        "condition_occurrence": _condition_occurrence(patients, dates),
        **_follow_up(patients.person_ids, dates, random),
        "concept": _concept(),
    }


def _all_patients() -> dict[str, Patients]:
    data = load_breast_cancer()
    malignant = (data.target == list(data.target_names).index("malignant")).astype(np.int64)
    random = np.random.default_rng(SEED)
    sick, well = (random.permutation(np.flatnonzero(malignant == value)) for value in (1, 0))
    found = {}
    for number, hospital in enumerate(HOSPITALS, start=1):
        rows, sick = np.split(sick, [hospital.malignant])
        others, well = np.split(well, [hospital.persons - hospital.malignant])
        mixed = random.permutation(np.concatenate([rows, others]))
        ids = number * 1_000_000 + random.choice(900_000, len(mixed), replace=False)
        found[hospital.name] = Patients(ids.astype(np.int64), data.data[mixed], malignant[mixed])
    return found


def _person(patients: Patients, random: np.random.Generator) -> pl.DataFrame:
    count = len(patients.person_ids)
    years = np.clip(np.rint(random.normal(1966, 12, count)), 1935, 2004)
    return pl.DataFrame(
        {
            "person_id": patients.person_ids,
            "gender_concept_id": np.full(count, FEMALE),
            "year_of_birth": years.astype(np.int64),
            "race_concept_id": np.full(count, NO_CONCEPT),
            "ethnicity_concept_id": np.full(count, NO_CONCEPT),
        }
    )


def _measurement(patients: Patients, dates: list[datetime.date]) -> pl.DataFrame:
    persons, kinds = patients.features.shape
    return pl.DataFrame(
        {
            "measurement_id": np.arange(1, persons * kinds + 1),
            "person_id": np.repeat(patients.person_ids, kinds),
            "measurement_concept_id": np.tile([m.concept_id for m in MEASUREMENTS], persons),
            "measurement_date": [date for date in dates for _ in MEASUREMENTS],
            "measurement_type_concept_id": np.full(persons * kinds, MEASUREMENT_TYPE),
            "value_as_number": patients.features.reshape(-1),
            "unit_source_value": [m.unit or None for m in MEASUREMENTS] * persons,
        }
    )


def _condition_occurrence(patients: Patients, dates: list[datetime.date]) -> pl.DataFrame:
    count = len(patients.person_ids)
    return pl.DataFrame(
        {
            "condition_occurrence_id": np.arange(1, count + 1),
            "person_id": patients.person_ids,
            "condition_concept_id": np.where(patients.malignant == 1, MALIGNANT, BENIGN),
            "condition_start_date": dates,
            "condition_type_concept_id": np.full(count, CONDITION_TYPE),
        }
    )


def _follow_up(ids: np.ndarray, dates: list[datetime.date], random: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Made up: everybody is observed from their diagnosis until they move away, die, or the records end."""
    moved, died = (random.exponential(mean, len(ids)) for mean in (1500, 2500))
    days = np.minimum(np.floor(np.minimum(moved, died)), [(_LAST_DAY - date).days for date in dates])
    ends = [date + datetime.timedelta(days=int(after)) for date, after in zip(dates, days, strict=True)]
    dead = np.flatnonzero(np.floor(died) <= days)
    kind = np.full(len(ids), OBSERVATION_TYPE)
    observed = pl.DataFrame(
        {
            "observation_period_id": ids,
            "person_id": ids,
            "observation_period_start_date": dates,
            "observation_period_end_date": ends,
            "period_type_concept_id": kind,
        }
    )
    death = {"person_id": ids[dead], "death_date": [ends[i] for i in dead], "death_type_concept_id": kind[dead]}
    return {"observation_period": observed, "death": pl.DataFrame(death)}


def _concept() -> pl.DataFrame:
    named = [(m.concept_id, m.name, "Measurement") for m in MEASUREMENTS]
    named += [
        (MALIGNANT, "malignant", "Condition"),
        (BENIGN, "benign", "Condition"),
        (FEMALE, "female", "Gender"),
        (MEASUREMENT_TYPE, "computed from a digitised image", "Type Concept"),
        (CONDITION_TYPE, "diagnosis after biopsy", "Type Concept"),
        (OBSERVATION_TYPE, "made up for the demonstration", "Type Concept"),
    ]
    return pl.DataFrame(
        {
            "concept_id": [concept_id for concept_id, _, _ in named],
            "concept_name": [name for _, name, _ in named],
            "domain_id": [domain for _, _, domain in named],
            "vocabulary_id": [_VOCABULARY] * len(named),
            "concept_class_id": [domain for _, _, domain in named],
            "standard_concept": [None] * len(named),
            "concept_code": [str(concept_id) for concept_id, _, _ in named],
            "valid_start_date": [datetime.date(1970, 1, 1)] * len(named),
            "valid_end_date": [datetime.date(2099, 12, 31)] * len(named),
            "invalid_reason": [None] * len(named),
        },
        schema_overrides={"standard_concept": pl.String, "invalid_reason": pl.String},
    )


def _catalogue() -> str:
    lines = ["# Public bounds of measurements: what one person's value is clamped to. Never read off the patients."]
    for m in MEASUREMENTS:
        lines += ["", "[[measurement]]", f"concept_id = {m.concept_id}", f"unit = {json.dumps(m.unit)}"]
        lines += [f"low = {float(m.low)}", f"high = {float(m.high)}"]
    return "\n".join(lines) + "\n"
