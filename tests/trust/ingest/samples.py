"""Records of every kind that is taken, about made-up people. Every concept id is a made-up one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

NHS_NUMBER, HOSPITAL_NUMBER = "9434765919", "RX1-0042"
DIABETES, DIABETES_LOCAL, DISORDER, GLUCOSE, MMOL, METFORMIN, APPENDECTOMY, POSITIVE, CT, SMOKER = (
    2_000_000_010 + number for number in range(10)
)
SCT, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
_CONCEPTS = [
    (DIABETES, "Diabetes", "Condition", "SNOMED", "S", "d1"),
    (DISORDER, "Disorder", "Condition", "SNOMED", "S", "d0"),
    (DIABETES_LOCAL, "Diabetes, as ICD has it", "Condition", "ICD10", "", "E11"),
    (GLUCOSE, "Glucose", "Measurement", "LOINC", "S", "g1"),
    (MMOL, "mmol/L", "Unit", "UCUM", "S", "mmol/L"),
    (METFORMIN, "Metformin", "Drug", "RxNorm", "S", "m1"),
    (APPENDECTOMY, "Appendectomy", "Procedure", "SNOMED", "S", "p1"),
    (POSITIVE, "Positive", "Meas Value", "SNOMED", "S", "v1"),
    (CT, "CT", "Observation", "DICOM", "S", "CT"),
    (SMOKER, "Smoker", "Observation", "SNOMED", "S", "o1"),
]


def athena(folder: Path) -> Path:
    """What a download from Athena looks like."""
    folder.mkdir()
    concepts = ["concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code"]
    concepts[0] += "\tvalid_start_date\tvalid_end_date\tinvalid_reason"
    for number, name, domain, source, standard, code in _CONCEPTS:
        row = (number, name, domain, source, "Any", standard, code, "19700101", "20991231", "")
        concepts.append("\t".join(map(str, row)))
    (folder / "CONCEPT.csv").write_text("\n".join(concepts) + "\n")
    heads = "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason"
    row = f"{DIABETES_LOCAL}\t{DIABETES}\tMaps to\t19700101\t20991231\t"
    (folder / "CONCEPT_RELATIONSHIP.csv").write_text(f"{heads}\n{row}\n")
    heads = "ancestor_concept_id\tdescendant_concept_id\tmin_levels_of_separation\tmax_levels_of_separation"
    (folder / "CONCEPT_ANCESTOR.csv").write_text(f"{heads}\n{DISORDER}\t{DIABETES}\t1\t1\n")
    heads = "vocabulary_id\tvocabulary_name\tvocabulary_reference\tvocabulary_version\tvocabulary_concept_id"
    (folder / "VOCABULARY.csv").write_text(f'{heads}\nSNOMED\tA "made-up" one\t\tv1\t{DISORDER}\n')
    return folder


def concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]} | ({"text": text} if text else {})


def resource(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": name, **fields}


def about(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    encounter = {} if kind == "Encounter" else {"encounter": {"reference": "Encounter/e"}}
    encounter = {"context": {"reference": "Encounter/e"}} if kind == "MedicationStatement" else encounter
    return resource(kind, name, subject={"reference": "Patient/p"}, **encounter) | fields


PATIENT = resource(
    "Patient",
    "p",
    gender="female",
    birthDate="1970-04-05",
    deceasedDateTime="2025-01-02T03:04:05+00:00",
    identifier=[
        {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER},
        {"type": {"coding": [{"code": "MR"}]}, "value": HOSPITAL_NUMBER},
    ],
)
ENCOUNTER = about(
    "Encounter",
    "e",
    status="finished",
    **{"class": {"code": "IMP"}},
    period={"start": "2024-01-01T10:00:00Z", "end": "2024-01-03"},
)
CONDITION = about("Condition", "c", code=concept("http://hl7.org/fhir/sid/icd-10", "E11"), onsetDateTime="2024-01-01")
OBSERVATION = about(
    "Observation",
    "o",
    status="final",
    code=concept(LOINC, "g1"),
    effectiveDateTime="2024-01-01T11:30:00+01:00",
    valueQuantity={"value": 7.25, "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
)
MEDICATION = about(
    "MedicationStatement",
    "m",
    status="active",
    medicationCodeableConcept=concept("http://www.nlm.nih.gov/research/umls/rxnorm", "m1"),
    effectivePeriod={"start": "2024-01-02"},
)
PROCEDURE = about("Procedure", "x", status="completed", code=concept(SCT, "p1"), performedDateTime="2024-01-02")
IMAGING = about(
    "ImagingStudy",
    "i",
    status="available",
    started="2024-01-02T09:00:00Z",
    identifier=[{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
    series=[{"uid": "1.2.3.1", "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}}],
)
DIAGNOSTIC_REPORT = about(
    "DiagnosticReport",
    "r",
    status="final",
    code=concept(LOINC, "unheard-of", "Chest CT"),
    effectiveDateTime="2024-01-02",
    conclusion="Nothing to see",
    conclusionCode=[concept(SCT, "v1")],
)
RESOURCES = (PATIENT, ENCOUNTER, CONDITION, OBSERVATION, MEDICATION, PROCEDURE, IMAGING, DIAGNOSTIC_REPORT)


def bundle(path: Path, *resources: dict[str, Any]) -> Path:
    path.write_text(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]})
    )
    return path


def tables(home: Path) -> dict[str, pl.DataFrame]:
    """Every table of a home, by its name."""
    return {path.stem: pl.read_parquet(path) for path in sorted((home / "omop").glob("*.parquet"))}
