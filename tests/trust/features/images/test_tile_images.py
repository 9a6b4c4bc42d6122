"""Tiles of whole-slide images as rows: cut where there is tissue, at the scale that is asked for."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from flip_sdk.contract.images import TileImages
from flip_trust.features.images import cache, filling, image_rows
from flip_trust.scaleout import HERE

from tests.trust.features.images import glass
from tests.trust.features.images.test_image_rows import persons

DAY = date(2024, 4, 1)
PATCH = (128, 64, 256, 192)
ASKED = TileImages(mpp=1.0, tile=16, tiles=8, which="all")
STAINED = np.array(glass.STAIN) / 127.5 - 1


def tiles(hospital, asked, who, most=100):
    target = hospital.home / "images.f16"
    found = image_rows(asked, who, hospital.home, most, target, HERE)
    return found, np.fromfile(target, "<f2").reshape(len(found), *asked.shape)


def places(hospital, asked):
    with cache.opened(hospital.home, filling.pipeline_of(asked, hospital.home), asked.values) as kept:
        return kept.rows()["places"].explode().struct.unnest()


def test_tiles_come_from_the_tissue_of_a_dicom_slide(hospital):
    hospital.send(1, DAY, glass.whole_slide(glass.picture(512, PATCH)))
    hospital.clean()
    found, images = tiles(hospital, ASKED, persons(2, 1))

    assert found.rows() == [(1, DAY)] * 8
    assert images.shape == (8, 3, 16, 16)
    assert np.abs(images - STAINED[:, None, None]).max() < 0.01
    where = places(hospital, ASKED)
    assert set(where["level"]) == {1}
    assert where["mpp"].to_list() == pytest.approx([1.0] * 8)
    assert where["y"].is_between(64, 127).all()
    assert where["x"].is_between(32, 95).all()


@pytest.mark.parametrize(("mpp", "level"), [(0.5, 0), (0.75, 0), (2.0, 2), (4.0, 2)])
def test_the_level_next_to_the_scale_is_resampled(hospital, mpp, level):
    hospital.send(1, DAY, glass.whole_slide(glass.picture(512, (0, 0, 256, 256))))
    hospital.clean()
    asked = ASKED.model_copy(update={"mpp": mpp, "tiles": 1000, "least_tissue": 0.9})
    _, images = tiles(hospital, asked, persons(1), most=1000)

    assert len(images) == int(256 * 0.5 / (16 * mpp)) ** 2
    assert set(places(hospital, asked)["level"]) == {level}


def test_a_slide_without_tissue_or_too_coarse_is_as_if_it_were_not_there(hospital):
    hospital.send(1, DAY, glass.whole_slide(glass.picture(256, (0, 0, 0, 0))))
    hospital.send(2, DAY, glass.whole_slide(glass.picture(256, PATCH), mpp=4.0))
    hospital.clean()

    found, images = tiles(hospital, ASKED, persons(1, 2))
    assert (len(found), len(images)) == (0, 0)
    with cache.opened(hospital.home, filling.pipeline_of(ASKED, hospital.home), ASKED.values) as kept:
        assert set(kept.rows()["reason"]) == {"it has no tile with enough tissue", "it is coarser than is asked for"}


def test_of_all_tiles_so_many_are_drawn_for_a_person(hospital):
    hospital.send(1, DAY, glass.whole_slide(glass.picture(256, (0, 0, 256, 256))))
    hospital.clean()

    grey = ASKED.model_copy(update={"colour": False, "which": "latest"})
    assert tiles(hospital, grey, persons(1), most=3)[1].shape == (3, 1, 16, 16)
