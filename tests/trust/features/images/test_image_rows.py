"""Images of persons as rows: whose, how many, in which order, and what the file holds."""

from __future__ import annotations

import stat
from datetime import date

import numpy as np
import polars as pl
import pytest
from flip_sdk.contract.features import Window
from flip_sdk.contract.images import Orientation, SeriesImages, Slices, Spacing, Stack, Volume
from flip_trust.features.images import filling, image_rows
from flip_trust.scaleout import HERE

from tests.trust.features.images.hospital import Ball, Scan, series
from tests.trust.imaging.senders import Study

SMALL = Scan(size=8, slices=4, spacing=(12.0, 12.0), gap=12.0)
ASKED = SeriesImages(modality="CT", size=(8, 8), low=-1000, high=200)
SUMMER = date(2024, 6, 1)


def persons(*ids: int, day: date | None = SUMMER) -> pl.DataFrame:
    return pl.DataFrame(
        {"person_id": ids, "index_day": [day] * len(ids)}, {"person_id": pl.Int64, "index_day": pl.Date}
    )


def rows(hospital, asked, who, most=4):
    target = hospital.home / "images.f16"
    found = image_rows(asked, who, hospital.home, most, target, HERE)
    return found, np.fromfile(target, "<f2").reshape(len(found), *asked.shape)


def test_rows_come_in_the_given_order_and_persons_without_an_image_are_left_out(hospital):
    hospital.send(3, date(2024, 1, 1), series(scan=SMALL))
    hospital.send(5, date(2024, 2, 1), series(Ball((0, 0, 1000)), SMALL))
    hospital.clean()

    found, images = rows(hospital, ASKED, persons(5, 4, 3))

    assert found.schema == {"person_id": pl.Int64, "day": pl.Date}
    assert found.rows() == [(5, date(2024, 2, 1)), (3, date(2024, 1, 1))]
    assert images.shape == (2, 1, 8, 8)
    assert (images[0] == -1).all()
    assert (images[1].min(), images[1].max()) == (-1, 1)
    assert stat.S_IMODE((hospital.home / "images.f16").stat().st_mode) == 0o600


def test_nobody_has_one(hospital):
    found, images = rows(hospital, ASKED, persons(1, 2))
    assert found.is_empty()
    assert images.shape == (0, 1, 8, 8)


@pytest.mark.parametrize(("which", "day"), [("latest", 9), ("first", 1), ("nearest", 5), ("largest", 3)])
def test_of_several_series_the_one_that_is_asked_for(hospital, which, day):
    for month, slices in ((1, 3), (3, 5), (5, 4), (9, 3)):
        hospital.send(1, date(2024, month, 1), series(scan=Scan(size=8, slices=slices)))
    hospital.clean()

    found, _ = rows(hospital, ASKED.model_copy(update={"which": which}), persons(1))
    assert found["day"].to_list() == [date(2024, day, 1)]


def test_all_series_are_rows_by_date_and_so_many_at_most(hospital):
    days = [date(2024, month, 1) for month in (5, 1, 3)]
    for day in days:
        hospital.send(1, day, series(scan=SMALL))
    hospital.send(2, days[0], series(scan=SMALL))
    hospital.clean()
    asked = ASKED.model_copy(update={"which": "all"})

    assert rows(hospital, asked, persons(2, 1))[0]["day"].to_list() == [days[0], *sorted(days)]
    assert len(rows(hospital, asked, persons(2, 1), most=2)[0]) == 3


def test_which_images_of_a_person_are_taken_is_left_to_chance():
    candidates = pl.DataFrame({"person_id": np.repeat(np.arange(300), 3), "item": np.tile(np.arange(3), 300)})
    told = candidates.with_columns(images=None, planned=2, reason=None, key=filling._keys(900))
    drawn = filling.drawn(ASKED.model_copy(update={"which": "all"}), told, 2)

    assert len(drawn) == 600
    counts = drawn.group_by("item", "number").len()["len"]
    assert (len(counts), counts.min() > 50, counts.max() < 150) == (6, True, True)


def test_a_window_counts_from_each_persons_index_date(hospital):
    for month in (1, 5, 8):
        hospital.send(1, date(2024, month, 1), series(scan=SMALL))
    hospital.clean()
    asked = ASKED.model_copy(update={"window": Window(start=-60, end=0)})

    assert rows(hospital, asked, persons(1))[0]["day"].to_list() == [date(2024, 5, 1)]
    assert rows(hospital, asked, persons(1, day=None))[0].is_empty()


def test_only_de_identified_series_of_the_asked_kind_are_used(hospital):
    hospital.send(1, SUMMER, series(scan=SMALL))
    hospital.send(2, SUMMER, series(scan=SMALL, BodyPartExamined="HEAD"))
    hospital.send(3, SUMMER, series(scan=Scan((1, 0, 0, 0, 0, -1), size=8, slices=4)))
    hospital.send(4, SUMMER, series(scan=SMALL, Modality="MR"))
    hospital.send(5, SUMMER, series(scan=SMALL)[1:])
    everybody = persons(1, 2, 3, 4, 5)
    assert rows(hospital, ASKED, everybody)[0].is_empty()
    hospital.clean()

    def who(**asked):
        return set(rows(hospital, ASKED.model_copy(update=asked), everybody)[0]["person_id"])

    assert who() >= {1, 2, 3}
    assert who(body_part="CHEST", plane="axial", least_instances=4) == {1}
    assert who(body_part="HEAD") == {2}
    assert who(plane="coronal") == {3}
    assert who(modality="MR") == {4}


def test_a_series_of_which_something_was_refused_is_not_uniform(hospital):
    instances = series(scan=SMALL)
    instances[2].BurnedInAnnotation = "YES"
    hospital.send(1, SUMMER, instances)
    hospital.clean()

    assert rows(hospital, ASKED, persons(1))[0].is_empty()
    assert len(rows(hospital, ASKED.model_copy(update={"uniform": False}), persons(1))[0]) == 1


def test_a_series_that_cannot_be_decoded_gives_way_to_the_next_and_is_not_tried_again(hospital, monkeypatch):
    hospital.send(1, date(2024, 1, 1), series(scan=SMALL))
    hospital.send(1, date(2024, 2, 1), series(scan=SMALL, BitsAllocated=13))
    hospital.send(2, date(2024, 3, 1), series(scan=SMALL, BitsAllocated=13))
    hospital.clean()

    assert rows(hospital, ASKED, persons(1, 2))[0].rows() == [(1, date(2024, 1, 1))]
    monkeypatch.setattr("flip_trust.features.images.extraction._batch", None)
    assert rows(hospital, ASKED, persons(1, 2))[0].rows() == [(1, date(2024, 1, 1))]


def test_slices_that_come_late_make_a_new_image(hospital):
    study = Study()
    instances = series(Ball(radius=100), SMALL, study=study)
    asked = SeriesImages(modality="CT", size=(4, 8, 8), form=Volume(), low=-1000, high=200, uniform=False)
    hospital.send(1, SUMMER, instances[:3])
    hospital.clean()
    before = rows(hospital, asked, persons(1))[1]
    hospital.send(1, SUMMER, instances[3:])
    hospital.clean()
    after = rows(hospital, asked, persons(1))[1]

    assert ((before > 0).sum(), (after > 0).sum()) == (3 * 64, 4 * 64)


def test_slices_of_a_series_are_records_and_stacks_have_them_as_channels(hospital):
    hospital.send(1, SUMMER, series(scan=Scan(slices=9, size=8)))
    hospital.clean()
    spread = ASKED.model_copy(update={"form": Slices(take="spread", count=3), "which": "all"})
    stack = ASKED.model_copy(update={"form": Stack(slices=5, apart=10.0)})

    assert rows(hospital, spread, persons(1))[1].shape == (3, 1, 8, 8)
    assert rows(hospital, stack, persons(1))[1].shape == (1, 5, 8, 8)


@pytest.mark.parametrize(
    "orientation", [(1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, -1, 0)]
)
def test_a_volume_keeps_its_size_and_its_sides_however_it_was_scanned(hospital, orientation):
    """A ball to the left, the back and the head stays there, as large as it is."""
    ball = Ball((10.0, 15.0, 20.0), 18.0)
    hospital.send(1, SUMMER, series(ball, Scan(orientation, (3.0, 4.0), 5.0, 24, 16)))
    hospital.clean()
    asked = SeriesImages(
        modality="CT", size=(40, 40, 40), form=Volume(), low=-1000, high=200,
        transforms=(Orientation(axcodes="SPL"), Spacing(pixdim=(2.5, 2.5, 2.5))),
    )  # fmt: skip
    [[image]] = rows(hospital, asked, persons(1))[1]

    share = (image.astype(float) + 1) / 2
    millimetres = [
        (share.sum((*{0, 1, 2} - {axis},)) @ (np.arange(40) - 19.5)) * 2.5 / share.sum() for axis in range(3)
    ]
    assert share.sum() * 2.5**3 == pytest.approx(4 / 3 * np.pi * 18**3, rel=0.05)
    assert millimetres == pytest.approx([20.0, 15.0, 10.0], abs=2.5)
