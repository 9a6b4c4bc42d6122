"""The second demo's hospitals: records that are taken as they are, and images as a scanner makes them."""

from __future__ import annotations

import subprocess
from itertools import chain

import numpy as np
import polars as pl
import pytest
from flip_sdk.simulate.phantoms import chest, scan
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.profile import load
from flip_trust.ingest import links, omop
from pydicom import dcmread

from demo.imaging import leaks
from demo.imaging.bundled import bundled_files, copy_bundled
from demo.imaging.hospitals import HOSPITALS, hospital
from demo.imaging.modality import instances
from demo.imaging.persons import persons_of
from demo.imaging.records import MASS, tables, write_extract

KEY = bytes(range(32))


def series(place, person=1):
    """One person's first series, as files' bytes are made from it."""
    someone = persons_of(place)[person]
    body = chest(np.random.default_rng(1), lesion=True)
    return someone, instances(place, someone, someone.visits[0], scan(body, place.scanner, np.random.default_rng(2)))


@pytest.fixture(params=HOSPITALS, ids=lambda place: place.name)
def place(request):
    return request.param


@pytest.fixture
def image(place, tmp_path):
    someone, made = series(place)
    path = tmp_path / "image.dcm"
    made[3].save_as(path, enforce_file_format=True)
    return someone, path


def test_people_are_always_the_same_and_each_only_once():
    everybody = list(chain.from_iterable(persons_of(place) for place in HOSPITALS))

    assert everybody == list(chain.from_iterable(persons_of(place) for place in HOSPITALS))
    for distinct in ("person_id", "number", "nhs_number", "seed"):
        assert len({getattr(person, distinct) for person in everybody}) == len(everybody)
    assert all(links.is_number(person.nhs_number) for person in everybody)
    assert len({visit.accession for person in everybody for visit in person.visits}) == sum(
        len(person.visits) for person in everybody
    )


def test_case_mix_is_as_the_hospital_says(place):
    people = persons_of(place)

    assert len(people) == place.persons
    assert sum(person.ill for person in people) == place.ill
    assert 1.2 < np.mean([len(person.visits) for person in people]) < 1.5


def test_records_are_taken_without_a_refusal(place, tmp_path):
    write_extract(place, tmp_path / "extract")
    report = omop.load(tmp_path, tmp_path / "extract")
    persons = pl.read_parquet(tmp_path / "omop" / "person.parquet")
    conditions = pl.read_parquet(tmp_path / "omop" / "condition_occurrence.parquet")

    assert not report.refused
    assert not report.passed_over
    assert len(persons) == place.persons
    assert conditions.filter(pl.col("condition_concept_id") == MASS)["person_id"].n_unique() == place.ill
    assert (tmp_path / "omop" / "concept.parquet").exists()


def test_an_image_finds_its_person_by_the_hospitals_number(tmp_path):
    place = hospital("carrick")
    write_extract(place, tmp_path / "extract")
    omop.load(tmp_path, tmp_path / "extract")
    someone, made = series(place)
    known = links.known_numbers(tmp_path)

    assert links.person_of(Keyed.load(tmp_path), str(made[0].PatientID), known) == someone.person_id


def test_concepts_are_local(place):
    found = tables(persons_of(place))
    used = {
        value
        for frame in found.values()
        for name in frame.columns
        if name.endswith("concept_id")
        for value in frame[name].drop_nulls().unique()
    }

    assert min(used - {0}) > 2_000_000_000
    assert used - {0} <= set(found["concept"]["concept_id"])


def test_validators_find_no_error_in_an_image(image):
    told = subprocess.run(["dciodvfy", str(image[1])], capture_output=True, text=True, check=False).stderr

    assert [line for line in told.splitlines() if line.startswith("Error")] == []


def test_geometry_and_units_are_told_right(place):
    _, made = series(place)
    places = [float(one.ImagePositionPatient[2]) for one in made]
    dataset = made[3]
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)

    assert np.diff(places) == pytest.approx(place.scanner.thickness)
    assert [float(step) for step in dataset.PixelSpacing] == pytest.approx([place.scanner.step] * 2, rel=1e-3)
    assert values[:5, :5].mean() == pytest.approx(-1000, abs=40)
    assert len({one.SOPInstanceUID for one in made}) == len(made)
    assert len({one.SeriesInstanceUID for one in made}) == 1


def test_an_image_is_full_of_identifiers_until_it_is_deidentified(image, place, tmp_path):
    someone, path = image
    words = leaks.identifiers(place)[someone.person_id]
    engine = Engine(load("research-default"), Keyed(KEY))
    made, cleaned = engine.clean(path.read_bytes()), tmp_path / "cleaned.dcm"
    cleaned.write_bytes(made.frame + made.data_set)

    missing = words - set(leaks.left_in(path, words))
    later = {str(word) for visit in someone.visits[1:] for word in (f"{visit.day:%Y%m%d}", *vars(visit).values())}

    assert missing <= later
    assert list(leaks.left_in(cleaned, words)) == []
    assert np.array_equal(dcmread(cleaned).pixel_array, dcmread(path).pixel_array)


def test_a_leak_is_found_in_any_case_and_a_keyed_uid_is_none(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"...\x00okonkwo\x002.25.1234520250304777...")

    assert list(leaks.left_in(path, {"Okonkwo", "20250304", "Yardley"})) == ["Okonkwo"]
    assert leaks.search(hospital("carrick"), []).files == 0


def test_pydicoms_files_are_shared_out(tmp_path):
    counts = [copy_bundled(tmp_path / str(part), part, 3) for part in range(3)]
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]

    assert sum(counts) == len(bundled_files()) == len(names)
    assert "CT_small.dcm" in names
