"""The index: persons linked, series with their geometry, quarantine, and runs that can be repeated and cut short."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from flip_trust.deidentification.keyed import Keyed
from flip_trust.imaging.files import keep
from flip_trust.imaging.folder import files_of, take
from flip_trust.imaging.index import Index
from flip_trust.ingest import links, store
from flip_trust.ingest.cdm import definition
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.trust.imaging.senders import Study


@pytest.fixture
def home(tmp_path):
    return tmp_path


def put(spool, *datasets):
    for dataset in datasets:
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        keep(spool, [stream.getvalue()])


def table(home, name):
    return pl.read_parquet(home / "omop" / f"{name}.parquet")


def test_a_series_becomes_a_row_with_its_geometry(home, spool, study):
    put(spool, *(study.instance() for _ in range(4)))
    tally = Index(home).run()

    [occurrence] = table(home, "image_occurrence").to_dicts()
    [series] = table(home, "image_series").to_dicts()
    keyed = Keyed.load(home)
    assert (tally.indexed, tally.quarantined) == (4, 0)
    assert occurrence["person_id"] == links.key_of(keyed, study.patient_id)
    assert occurrence["image_occurrence_date"] == date(2024, 2, 29)
    assert occurrence["image_study_uid"] == keyed.uid(study.uid)
    assert occurrence["image_series_uid"] == keyed.uid(study.series)
    assert occurrence["modality_source_value"] == "CT"
    assert {name: series[name] for name in ("instances", "frames", "rows", "plane", "gap", "thickness", "uniform")} == {
        "instances": 4, "frames": 4, "rows": 16, "plane": "axial", "gap": 2.5, "thickness": 2.5, "uniform": 1,
    }  # fmt: skip
    assert (series["first_position"], series["last_position"], series["body_part"]) == (0.0, 7.5, "CHEST")


def test_a_missing_slice_is_seen(home, spool, study):
    slices = [study.instance() for _ in range(5)]
    put(spool, *slices[:2], *slices[3:])
    Index(home).run()

    [series] = table(home, "image_series").to_dicts()
    assert (series["uniform"], series["gap"], series["largest_gap"]) == (0, 2.5, 5.0)


def test_late_instances_join_their_series_and_again_changes_nothing(home, spool, study):
    index = Index(home)
    put(spool, study.instance(), study.instance())
    index.run()
    put(spool, study.instance())
    index.run()
    before = table(home, "image_series"), table(home, "image_occurrence")
    assert index.rebuild() == 3
    index.run()

    assert before[0]["instances"].to_list() == [3]
    assert before[0].equals(table(home, "image_series"))
    assert before[1].equals(table(home, "image_occurrence"))
    assert index.instances().collect().height == 3
    assert index.waiting() == []


def test_a_run_that_is_cut_short_is_made_good(home, spool, study, monkeypatch):
    put(spool, *(study.instance() for _ in range(3)))
    index = Index(home)
    with monkeypatch.context() as patched:
        patched.setattr("flip_trust.imaging.series.write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            index.run()

    assert len(index.waiting()) == 3
    index.run()
    assert table(home, "image_series")["instances"].to_list() == [3]


def test_the_link_of_a_loaded_person_is_used_and_a_visit_told_before_is_kept(home, spool, study):
    keyed = Keyed.load(home)
    links.add(home, [(links.NUMBER, links.key_of(keyed, study.patient_id), 42)])
    told = {
        "image_occurrence_id": keyed.number("image", study.series), "person_id": 42, "visit_occurrence_id": 7,
        "image_occurrence_date": date(2024, 2, 29), "image_study_uid": keyed.uid(study.uid),
    }  # fmt: skip
    with store.writing(home / "omop"):
        store.merge(home / "omop", definition("image_occurrence"), store.typed([told], definition("image_occurrence")))
    put(spool, study.instance())
    Index(home).run()

    [row] = table(home, "image_occurrence").to_dicts()
    assert (row["person_id"], row["visit_occurrence_id"], row["modality_source_value"]) == (42, 7, "CT")


def test_the_vocabulary_gives_the_modality_its_concept(home, spool, study):
    concept = {"concept_id": 2_000_000_001, "concept_name": "CT", "domain_id": "Procedure", "vocabulary_id": "DICOM"}
    concept |= {"concept_class_id": "x", "standard_concept": "S", "concept_code": "CT", "invalid_reason": None}
    store.write(home / "vocabulary" / "concept.parquet", pl.DataFrame([concept]))
    put(spool, study.instance())
    Index(home).run()

    assert table(home, "image_occurrence")["modality_concept_id"].to_list() == [2_000_000_001]


def test_no_identifier_is_in_the_tables(home, spool, study):
    put(spool, study.instance())
    Index(home).run()

    written = b"".join(path.read_bytes() for path in home.rglob("*.parquet"))
    for secret in (study.patient_id, "Doe", study.uid, study.series, study.accession, "Referrer"):
        assert secret.encode() not in written


@pytest.mark.parametrize("lacking", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_what_cannot_be_linked_is_quarantined_with_its_reason(home, spool, study, lacking):
    put(spool, study.instance(), study.instance(**{lacking: ""}))
    tally = Index(home).run()

    [told] = (home / "quarantine" / "imaging").glob("*.json")
    assert json.loads(told.read_text())["reason"] == f"no {lacking}"
    assert told.with_suffix("").exists()
    assert (tally.indexed, tally.quarantined) == (1, 1)
    assert len(list(spool.names())) == 1


def test_an_instance_sent_under_another_uid_is_quarantined(home, spool, study):
    stream = io.BytesIO()
    study.instance().save_as(stream, enforce_file_format=True)
    incoming = spool.begin()
    incoming.write(stream.getvalue())
    incoming.commit("1.2.3")

    assert Index(home).run().quarantined == 1


def test_a_conflict_is_counted_and_nothing_else_is_taken_from_it(home, spool, study):
    first = study.instance()
    put(spool, first, study.instance(sop_instance=first.SOPInstanceUID, Rows=8, PixelData=b"\0" * 256))
    tally = Index(home).run()

    [series] = table(home, "image_series").to_dicts()
    assert (tally.conflicts, series["conflicts"], series["instances"], series["rows"]) == (1, 1, 1, 16)


def test_enhanced_images_have_the_places_of_their_frames(home, spool, study):
    enhanced = study.instance(NumberOfFrames=3)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(enhanced, name)
    shared, plane, measures = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.6], 3
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([plane]), Sequence([measures])
    enhanced.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for number in range(3):
        place, frame = Dataset(), Dataset()
        place.ImagePositionPatient = [-3 * number, 0, 0]
        frame.PlanePositionSequence = Sequence([place])
        frames.append(frame)
    enhanced.PerFrameFunctionalGroupsSequence = Sequence(frames)
    put(spool, enhanced)
    Index(home).run()

    [series] = table(home, "image_series").to_dicts()
    assert (series["plane"], series["frames"], series["gap"], series["spacing_column"]) == ("sagittal", 3, 3.0, 0.6)


def test_a_folder_of_anything_is_taken_as_far_as_it_goes(tmp_path, home, spool):
    folder = tmp_path / "in"
    Study().write(folder / "a" / "b", 3)
    (folder / "notes.txt").write_text("no image")
    (folder / "empty").write_bytes(b"")
    (folder / "half.dcm").write_bytes((folder / "a" / "b" / "0000.dcm").read_bytes()[:200])
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "MR.dcm").write_bytes(open(get_testdata_file("MR_small.dcm"), "rb").read())  # noqa: SIM115
    taken, again = (take(home / "imaging", 0, list(files_of(folder))) for _ in range(2))

    assert taken.counts == {"new": 4}
    assert again.counts == {"same": 4}
    assert sorted(Path(name).name for name, _ in taken.refused) == ["empty", "gone", "half.dcm", "notes.txt"]
    assert Index(home).run().indexed == 4
