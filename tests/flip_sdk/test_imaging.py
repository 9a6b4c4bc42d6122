"""Images and tiles in words: the record that they become, what is missing, and a preview by the Trust's own code."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.features import Window
from flip_sdk.contract.images import Resize, ScaleIntensityRange, SeriesImages, Spacing, Stack, TileImages, Volume
from flip_sdk.errors import RecordError, SpecError

import flip_sdk as flip

CHEST = flip.images("CT", body_part="CHEST", plane="axial").window(-1000, 400).spacing(1.5, 1.5).resize(64, 64)


def test_words_become_the_record_in_their_order():
    assert CHEST.record() == SeriesImages(
        modality="CT", body_part="CHEST", plane="axial", size=(64, 64),
        transforms=(
            ScaleIntensityRange(a_min=-1000, a_max=400), Spacing(pixdim=(1.5, 1.5)), Resize(spatial_size=(64, 64)),
        ),
    )  # fmt: skip


def test_each_word_makes_a_new_description():
    stack = CHEST.stack(5, apart=3.0).nearest(days=(-30, 0)).at_least(20).uneven()

    assert CHEST.record().form.kind == "2d"
    made = stack.record()
    assert (made.form, made.which, made.window) == (Stack(slices=5, apart=3.0), "nearest", Window(start=-30, end=0))
    assert (made.least_instances, made.uniform, made.shape) == (20, False, (5, 64, 64))
    assert CHEST.slices(4).all().record().form.take == "spread"
    assert CHEST.first().record().which == "first"
    assert CHEST.first().latest().record() == CHEST.record()


def test_every_transform_has_a_word():
    volume = (
        flip.images("MR").volume().orientation().spacing(2, 1, 1).crop_foreground(5).percentiles().smooth().median()
        .normalise().rescale().threshold(0.1).pad(8, 8, 8).crop(8, 8, 8).flip(0).rotate(1, (1, 2)).size(4, 8, 8)
    )  # fmt: skip
    assert [step.name for step in volume.record().transforms] == [
        "Orientation", "Spacing", "CropForeground", "ScaleIntensityRangePercentiles", "GaussianSmooth", "MedianSmooth",
        "NormalizeIntensity", "ScaleIntensity", "ThresholdIntensity", "SpatialPad", "CenterSpatialCrop", "Flip",
        "Rotate90",
    ]  # fmt: skip
    assert volume.record().form == Volume()


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(SpecError) as raised:
        flip.images("CT").spacing(1, 1).record()
    assert {violation.rule for violation in raised.value.violations} == {"images_without_size", "images_without_bounds"}

    with pytest.raises(SpecError) as raised:
        CHEST.volume().record()
    assert {violation.rule for violation in raised.value.violations} == {"image_dimensions", "transform_dimensions"}

    with pytest.raises(RecordError):
        CHEST.stack(4)
    with pytest.raises(RecordError):
        flip.images("chest scan").window(0, 1).size(8, 8).record()


def test_it_reads_in_plain_words():
    assert repr(CHEST.stack(5, apart=3.0).nearest(days=(-30, 0))) == (
        "Images: axial CT of the chest: the nearest series from day -30 to day +0 around the index date, 5 "
        "neighbouring slices 3 mm apart as channels; ScaleIntensityRange(a_min=-1000.0, a_max=400.0); "
        "Spacing(pixdim=(1.5, 1.5)); Resize(spatial_size=(64, 64)); 64 × 64 elements; between 0 and 1"
    )
    assert repr(flip.images("MR").volume(8, 9, 10).all()) == (
        "Images: MR: every series, as a volume; 8 × 9 × 10 elements"
    )
    assert repr(flip.tiles(mpp=0.5, count=4, colour=False)) == (
        "Tiles: the latest slide: up to 4 tiles of 224 × 224 elements in grey, 0.5 µm each, at least 50% tissue"
    )


def test_a_preview_is_what_a_trust_makes():
    array = np.full((9, 40, 40), -1000.0)
    array[3:6, 10:30, 10:30] = 400
    [[image]] = CHEST.preview(array, (5.0, 3.0, 3.0))

    assert image.dtype == np.float16
    assert image.shape == (64, 64)
    assert (image[32, 32], image[0, 0]) == (1, -1)
    assert CHEST.slices(3).preview(array).shape == (3, 1, 64, 64)
    assert CHEST.preview(array[0]).shape == (1, 1, 64, 64)
    assert flip.images("CT").volume(9, 16, 16).window(-1000, 400).preview(array).shape == (1, 1, 9, 16, 16)
    with pytest.raises(flip.PublicError):
        CHEST.preview([1.0, 2.0])


def test_tiles_have_a_record_and_a_preview():
    tiles = flip.tiles(mpp=1.0, tile=32, days=(None, 0))
    assert tiles.record() == TileImages(mpp=1.0, tile=32, window=Window(start=None, end=0))

    picture = np.full((128, 128, 3), 240, np.uint8)
    picture[:64, :64] = (180, 60, 150)
    made = tiles.preview(picture, mpp=0.5)
    assert made.shape == (1, 3, 32, 32)
    assert made[0, :, 5, 5] == pytest.approx(np.array((180, 60, 150)) / 127.5 - 1, abs=0.01)
    assert flip.tiles(tile=32).preview(np.full((64, 64, 3), 240, np.uint8), 1.0).shape == (0, 3, 32, 32)
