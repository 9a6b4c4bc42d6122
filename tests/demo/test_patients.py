"""The demo's Trusts hold the published patients, each once, as OMOP CDM 5.4."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.features import Feature
from sklearn.datasets import load_breast_cancer

from demo.measurements import BENIGN, MALIGNANT, MEASUREMENTS
from demo.patients import HOSPITALS, load, patients_of, tables

REQUIRED = {
    "person": {"person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id"},
    "measurement": {
        "measurement_id",
        "person_id",
        "measurement_concept_id",
        "measurement_date",
        "measurement_type_concept_id",
    },
    "condition_occurrence": {
        "condition_occurrence_id",
        "person_id",
        "condition_concept_id",
        "condition_start_date",
        "condition_type_concept_id",
    },
    "observation_period": {
        "observation_period_id",
        "person_id",
        "observation_period_start_date",
        "observation_period_end_date",
        "period_type_concept_id",
    },
    "death": {"person_id", "death_date", "death_type_concept_id"},
    "concept": {
        "concept_id",
        "concept_name",
        "domain_id",
        "vocabulary_id",
        "concept_class_id",
        "concept_code",
        "valid_start_date",
        "valid_end_date",
    },
}
"""Columns that CDM 5.4 marks as required."""


def test_every_published_patient_is_in_exactly_one_trust() -> None:
    published = load_breast_cancer()
    everyone = np.concatenate([patients_of(h.name).features for h in HOSPITALS])

    assert sorted(map(tuple, everyone)) == sorted(map(tuple, published.data))
    assert sum(int(patients_of(h.name).malignant.sum()) for h in HOSPITALS) == 212


def test_diagnoses_stay_with_their_patients() -> None:
    published = load_breast_cancer()
    diagnosis = {tuple(row): int(target == 0) for row, target in zip(published.data, published.target, strict=True)}

    for hospital in HOSPITALS:
        patients = patients_of(hospital.name)
        assert [diagnosis[tuple(row)] for row in patients.features] == patients.malignant.tolist()


@pytest.mark.parametrize("hospital", HOSPITALS, ids=lambda h: h.name)
def test_trusts_are_unlike_in_size_and_case_mix(hospital) -> None:
    patients = patients_of(hospital.name)

    assert len(patients.person_ids) == hospital.persons
    assert patients.malignant.sum() == hospital.malignant


def test_person_ids_differ_between_trusts() -> None:
    ids = np.concatenate([patients_of(h.name).person_ids for h in HOSPITALS])

    assert len(set(ids.tolist())) == 569


def test_tables_have_what_the_cdm_requires() -> None:
    for name, frame in tables(patients_of("dunmore")).items():
        assert set(frame.columns) >= REQUIRED[name]
        assert frame.select(pl.col(REQUIRED[name])).null_count().sum_horizontal().item() == 0


def test_concepts_are_named_and_local() -> None:
    found = tables(patients_of("carrick"))
    named = set(found["concept"]["concept_id"])
    used = set(found["measurement"]["measurement_concept_id"]) | set(
        found["condition_occurrence"]["condition_concept_id"]
    )

    assert used <= named
    assert min(named) > 2_000_000_000
    assert {MALIGNANT, BENIGN} <= used


@pytest.mark.parametrize("hospital", HOSPITALS, ids=lambda hospital: hospital.name)
def test_everybody_is_observed_from_their_diagnosis_until_they_die(hospital) -> None:
    found = tables(patients_of(hospital.name))
    observed = found["observation_period"].join(found["condition_occurrence"], on="person_id")
    died = found["observation_period"].join(found["death"], on="person_id")

    assert len(observed) == hospital.persons
    assert (observed["condition_start_date"] == observed["observation_period_start_date"]).all()
    assert (observed["observation_period_end_date"] >= observed["observation_period_start_date"]).all()
    assert (died["death_date"] == died["observation_period_end_date"]).all()
    assert 0 < len(died) < hospital.persons / 3


def test_the_same_home_is_written_every_time(tmp_path) -> None:
    for folder in ("a", "b"):
        load("brookfield", tmp_path / folder)

    for table in REQUIRED:
        a, b = (pl.read_parquet(tmp_path / folder / "omop" / f"{table}.parquet") for folder in ("a", "b"))
        assert a.equals(b)


def test_measurements_follow_scikit_learns_order() -> None:
    assert [m.name for m in MEASUREMENTS] == list(load_breast_cancer().feature_names)
    assert [m.concept_id for m in MEASUREMENTS] == list(range(2_000_000_001, 2_000_000_031))


def test_public_bounds_make_valid_features_and_clamp_few() -> None:
    for number, m in enumerate(MEASUREMENTS):
        Feature(concept_id=m.concept_id, low=m.low, high=m.high)
        values = load_breast_cancer().data[:, number]
        assert ((values < m.low) | (values > m.high)).mean() < 0.01
