from __future__ import annotations

import json
import stat

import pytest
from flip_trust.deidentification.keyed import Keyed
from flip_trust.ingest import links, vocabulary
from flip_trust.ingest.fhir.checks import STATUSES
from flip_trust.ingest.fhir.load import load

from tests.trust.ingest import samples
from tests.trust.ingest.samples import bundle, concept, tables


@pytest.fixture
def loaded(with_vocabulary, tmp_path):
    report = load(with_vocabulary, bundle(tmp_path / "b.json", *samples.RESOURCES))
    return with_vocabulary, report, tables(with_vocabulary)


def only(frame):
    assert len(frame) == 1
    return frame.row(0, named=True)


def test_a_patient_becomes_a_person_with_the_number_that_images_have(loaded):
    home, _, found = loaded
    person = only(found["person"])
    keyed = Keyed.load(home)

    assert person["person_id"] == links.person_of(keyed, samples.HOSPITAL_NUMBER)
    assert links.known_numbers(home)[links.key_of(keyed, samples.NHS_NUMBER)] == person["person_id"]
    assert (person["gender_concept_id"], person["year_of_birth"], person["month_of_birth"]) == (8532, 1970, 4)
    assert samples.HOSPITAL_NUMBER not in str(person)
    assert str(only(found["death"])["death_date"]) == "2025-01-02"


def test_an_encounter_becomes_a_visit_that_the_others_refer_to(loaded):
    _, _, found = loaded
    visit = only(found["visit_occurrence"])

    assert visit["visit_concept_id"] == 9201
    assert (str(visit["visit_start_date"]), str(visit["visit_end_date"])) == ("2024-01-01", "2024-01-03")
    for name in ("condition_occurrence", "measurement", "drug_exposure", "procedure_occurrence", "image_occurrence"):
        row = only(found[name])
        assert (row["visit_occurrence_id"], row["person_id"]) == (visit["visit_occurrence_id"], visit["person_id"])


def test_codes_are_mapped_by_the_trusts_vocabulary(loaded):
    _, report, found = loaded
    condition, measured = only(found["condition_occurrence"]), only(found["measurement"])

    assert condition["condition_concept_id"] == samples.DIABETES
    assert condition["condition_source_concept_id"] == samples.DIABETES_LOCAL
    assert condition["condition_source_value"] == "E11"
    assert (measured["measurement_concept_id"], measured["unit_concept_id"]) == (samples.GLUCOSE, samples.MMOL)
    assert (measured["value_as_number"], str(measured["measurement_datetime"])) == (7.25, "2024-01-01 11:30:00")
    assert only(found["drug_exposure"])["drug_concept_id"] == samples.METFORMIN
    assert only(found["procedure_occurrence"])["procedure_concept_id"] == samples.APPENDECTOMY
    assert only(found["image_occurrence"])["modality_concept_id"] == samples.CT
    assert report.refused == {}
    assert set(found["concept"]["concept_id"]) >= {samples.DIABETES, samples.DISORDER, samples.GLUCOSE}
    assert samples.SMOKER not in set(found["concept"]["concept_id"])


def test_a_code_that_is_not_mapped_is_concept_0_and_counted(loaded):
    _, report, found = loaded
    row = only(found["observation"])

    assert (row["observation_concept_id"], row["observation_source_value"]) == (0, "unheard-of")
    assert row["value_as_concept_id"] == samples.POSITIVE
    assert report.unmapped == {("LOINC", "unheard-of"): 1}
    assert "Nothing to see" not in str({name: frame.rows() for name, frame in found.items()})


def test_loading_again_changes_no_byte(loaded, tmp_path):
    home, first, _ = loaded
    before = {path: path.read_bytes() for path in (home / "omop").glob("*.parquet")}
    second = load(home, tmp_path / "b.json")

    assert {path: path.read_bytes() for path in (home / "omop").glob("*.parquet")} == before
    assert second.as_json() == first.as_json()


def test_a_bulk_export_gives_the_same_tables(loaded, tmp_path):
    home, _, found = loaded
    export = tmp_path / "export"
    export.mkdir()
    for one in reversed(samples.RESOURCES):
        (export / f"{one['resourceType']}.ndjson").write_text(json.dumps(one) + "\n")
    load(home, export)

    assert all(frame.equals(found[name]) for name, frame in tables(home).items())


def test_what_the_sender_withdraws_is_removed(loaded, tmp_path):
    home, _, _ = loaded
    wrong = [samples.OBSERVATION, samples.ENCOUNTER, samples.IMAGING, samples.DIAGNOSTIC_REPORT]
    refuted = samples.CONDITION | {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    report = load(home, bundle(tmp_path / "w.json", refuted, *(one | {"status": "entered-in-error"} for one in wrong)))
    emptied = ("measurement", "visit_occurrence", "image_occurrence", "observation", "condition_occurrence")

    assert report.withdrawn == 5
    assert {name: len(tables(home)[name]) for name in emptied} == dict.fromkeys(emptied, 0)


def test_each_status_means_what_the_table_says(home, tmp_path):
    """Of every type and every status: loaded, left as it was, or removed again."""
    standing = {one["resourceType"]: one for one in samples.RESOURCES}
    for kind, fates in STATUSES.items():
        for status, fate in fates.items():
            load(home, bundle(tmp_path / "b.json", samples.PATIENT, standing[kind]))
            before = {name: len(frame) for name, frame in tables(home).items() if name not in DERIVED}
            report = load(home, bundle(tmp_path / "s.json", standing[kind] | {"status": status}))
            after = {name: len(frame) for name, frame in tables(home).items() if name not in DERIVED}
            assert report.refused == {}
            assert (sum(after.values()) - sum(before.values())) == (-1 if fate == "withdrawn" else 0), (kind, status)
            assert report.passed_over[f"{kind} with status {status}"] == (fate == "passed over")


DERIVED = {"observation_period", "concept"}


def test_a_code_that_is_mapped_later_moves_to_the_table_of_its_domain(home, tmp_path):
    smoker = samples.about("Condition", "s", code=concept(samples.SCT, "o1"), recordedDate="2024-01-01T00:00:00Z")
    file = bundle(tmp_path / "b.json", samples.PATIENT, smoker)
    load(home, file)
    assert only(tables(home)["condition_occurrence"])["condition_concept_id"] == 0

    vocabulary.load(home, samples.athena(tmp_path / "athena"))
    load(home, file)
    assert len(tables(home)["condition_occurrence"]) == 0
    assert only(tables(home)["observation"])["observation_concept_id"] == samples.SMOKER


BAD = {
    "gender": samples.PATIENT | {"id": "q", "identifier": [], "gender": "mail"},
    "birth date": samples.PATIENT | {"id": "q", "identifier": [], "birthDate": "1970-13-01"},
    "no birth date": {k: v for k, v in samples.PATIENT.items() if k != "birthDate"} | {"id": "q"},
    "encounter status": samples.ENCOUNTER | {"status": "done"},
    "encounter period": {k: v for k, v in samples.ENCOUNTER.items() if k != "period"},
    "encounter class": {k: v for k, v in samples.ENCOUNTER.items() if k != "class"},
    "condition verification": samples.CONDITION | {"verificationStatus": {"coding": [{"code": "sure"}]}},
    "condition without a day": samples.CONDITION | {"onsetDateTime": "2024"},
    "condition without a code": {k: v for k, v in samples.CONDITION.items() if k != "code"},
    "observation status": samples.OBSERVATION | {"status": "finished"},
    "observation without a status": {k: v for k, v in samples.OBSERVATION.items() if k != "status"},
    "observation with two values": samples.OBSERVATION | {"valueString": "seven"},
    "observation with text for a number": samples.OBSERVATION | {"valueQuantity": {"value": "seven"}},
    "observation without an end": samples.OBSERVATION | {"valueQuantity": {"value": 10**400}},
    "medication": {k: v for k, v in samples.MEDICATION.items() if k != "medicationCodeableConcept"},
    "medication that is not there": {k: v for k, v in samples.MEDICATION.items() if k != "medicationCodeableConcept"}
    | {"medicationReference": {"reference": "Medication/none"}},
    "procedure that may not have been": samples.PROCEDURE
    | {"modifierExtension": [{"url": "https://x", "valueBoolean": True}]},
    "procedure with an unknown element": samples.PROCEDURE | {"performer_name": "x"},
    "imaging without a study": samples.IMAGING | {"identifier": []},
    "imaging without a day": {k: v for k, v in samples.IMAGING.items() if k != "started"},
    "report of somebody unknown": samples.DIAGNOSTIC_REPORT | {"subject": {"reference": "Patient/nobody"}},
    "report about a group": samples.DIAGNOSTIC_REPORT | {"subject": {"reference": "Group/p"}},
    "report without an id": {k: v for k, v in samples.DIAGNOSTIC_REPORT.items() if k != "id"},
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_resource_is_refused_with_its_reason_and_kept_and_the_rest_goes_in(home, tmp_path, name):
    good = samples.resource("Patient", "other", birthDate="1980-01-01")
    file = bundle(tmp_path / "b.json", samples.PATIENT, BAD[name], good)
    report = load(home, file)

    assert len(tables(home)["person"]) == 2
    assert report.refused.total() == 1
    kept = [json.loads(line) for line in report.kept_in[0].read_text().splitlines()]
    assert [json.loads(one["content"]) for one in kept] == [BAD[name]]
    assert (kept[0]["where"], kept[0]["reason"]) == ("file, entry 1", next(iter(report.refused)))
    assert stat.S_IMODE(report.kept_in[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(report.kept_in[0].parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"resourceType": 7}', "[" * 100_000, '{"resourceType": "Patient", "id": "\\ud800"}']
)
def test_what_is_no_resource_is_refused_and_kept(home, tmp_path, line):
    file = tmp_path / "export.ndjson"
    file.write_text(f"{line}\n{json.dumps(samples.PATIENT)}\n")
    report = load(home, file)

    assert len(tables(home)["person"]) == 1
    assert json.loads(report.kept_in[0].read_text())["content"].strip() == line


def test_two_persons_numbers_in_one_patient_are_refused(home, tmp_path):
    first = samples.resource("Patient", "a", birthDate="1970", identifier=[samples.PATIENT["identifier"][0]])
    second = samples.resource("Patient", "b", birthDate="1980", identifier=[samples.PATIENT["identifier"][1]])
    report = load(home, bundle(tmp_path / "b.json", first, second, samples.PATIENT))

    assert len(tables(home)["person"]) == 2
    assert report.refused.total() == 1


def test_components_are_measurements_of_their_own(home, tmp_path):
    parts = [
        {"code": concept(samples.LOINC, code), "valueQuantity": {"value": value}}
        for code, value in (("s", 120), ("d", 80))
    ]
    pressure = {k: v for k, v in samples.OBSERVATION.items() if k != "valueQuantity"} | {"component": parts}
    load(home, bundle(tmp_path / "b.json", samples.PATIENT, pressure))

    assert sorted(tables(home)["measurement"]["value_as_number"]) == [80, 120]


def test_references_inside_a_bundle_by_uuid(home, tmp_path):
    patient = {k: v for k, v in samples.PATIENT.items() if k != "id"}
    condition = samples.CONDITION | {"subject": {"reference": "urn:uuid:0-1"}}
    entries = [{"resource": condition}, {"fullUrl": "urn:uuid:0-1", "resource": patient}]
    file = tmp_path / "b.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    report = load(home, file)

    assert report.refused == {}
    assert len(tables(home)["condition_occurrence"]) == 1


def test_a_resource_of_any_depth_stops_nothing(home, tmp_path):
    deep = (
        '{"resourceType": "Observation", "id": "deep", "extension": '
        + '[{"extension": ' * 450
        + "[]"
        + "}]" * 450
        + "}"
    )
    file = tmp_path / "b.json"
    entries = ", ".join(f'{{"resource": {one}}}' for one in (deep, json.dumps(samples.PATIENT)))
    file.write_text(f'{{"resourceType": "Bundle", "entry": [{entries}]}}')
    report = load(home, file)

    assert len(tables(home)["person"]) == 1
    assert report.refused.total() == 1
