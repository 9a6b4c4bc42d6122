"""What a report says of a model's inputs."""

from __future__ import annotations

import pytest
from flip_sdk.contract.api import JobResult
from flip_sdk.contract.features import ClassLabel, Feature, Label, LabelClass
from flip_sdk.contract.images import TileImages
from flip_sdk.contract.jobs import ModelRef, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.dashboards import Picture, Results

import flip_sdk as flip
from flip_sdk import dashboards

MODEL = ModelRef(graph=digest(b"g"), weights=digest(b"w"))
MASS = Label(condition_concept_ids=(9,), name="mass in a lung")
CT = flip.images("CT", body_part="CHEST", plane="axial").stack(3).window(-1000, 400).spacing(5, 5).size(32, 32)


def results(**asked) -> Results:
    spec = TrainSpec(project_id="p", model=MODEL, **({"label": MASS} | asked))
    done = {"trusts": ("a",), "refusals": (), "epsilon": 3.0, "delta": 1e-5, "model": MODEL}
    return Results([JobResult(job_id="t1", kind="train", spec=spec, **done)])


def test_images_are_told_in_words_and_shown_on_made_up_people():
    shown = results(images=CT.record())
    told, drawn = repr(dashboards.inputs(shown)), dashboards.examples(shown)

    for words in ("axial CT of the chest", "3 neighbouring slices", "a_min=-1000", "pixdim", "mass in a lung"):
        assert words in told
    assert isinstance(drawn, Picture)
    assert b"<image" in drawn.svg
    assert drawn.alt


def test_the_table_of_jobs_tells_the_images_and_what_is_done_to_them():
    numbers = tuple(Feature(concept_id=i, low=0, high=1, name=f"f{i}") for i in range(2))
    for asked, words in (
        ({"images": CT.record()}, ("axial CT of the chest", "3 neighbouring slices", "a_min=-1000", "32 × 32")),
        ({"images": TileImages(mpp=1.0), "features": numbers}, ("2 numbers; Tiles", "1 µm each")),
    ):
        row = results(**asked).provenance().row(0, named=True)
        assert all(word in row["shown"] for word in words), row["shown"]


VOLUME = flip.images("CT").window(-1000, 400).spacing(20, 10, 10).volume(4, 16, 16)


@pytest.mark.parametrize("form", [CT.slices(2), CT.stack(5), VOLUME], ids=["slices", "stack", "volume"])
def test_every_form_of_series_is_shown(form):
    assert isinstance(dashboards.examples(results(images=form.record())), Picture)


def test_tables_tiles_and_classes_are_told_without_pictures():
    among = tuple(LabelClass(condition_concept_ids=(i,), name=n) for i, n in ((9, "mass in a lung"), (8, "scar")))
    for told, words in (
        ({"features": tuple(Feature(concept_id=i, low=0, high=1, name=f"f{i}") for i in range(7))}, "and 2 more"),
        ({"images": TileImages(mpp=1.0)}, "Tiles"),
        (
            {"images": CT.record(), "label": ClassLabel(among=among, otherwise="neither")},
            "neither, mass in a lung, scar",
        ),
    ):
        assert words in repr(dashboards.inputs(results(**told)))
    assert repr(dashboards.examples(results(images=TileImages(mpp=1.0)))) == ""
    assert repr(dashboards.examples(Results([]))) == ""
    assert repr(dashboards.inputs(Results([])))
