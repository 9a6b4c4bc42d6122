"""Each record of the allow-list against MONAI called directly, and what becomes of difficult images."""

from __future__ import annotations

from typing import Any, get_args

import monai.transforms as monai
import numpy as np
import pytest
import torch
from flip_sdk.contract import images as contract
from flip_sdk.contract.images import SeriesImages, Volume
from flip_sdk.mechanisms.images.geometry import in_plane, upright
from flip_sdk.mechanisms.images.pipeline import ImageTooLargeError, Pipeline
from flip_sdk.mechanisms.images.transforms import made
from monai.data.meta_tensor import MetaTensor

RNG = np.random.default_rng(3)
SLICE, VOLUME = RNG.normal(100, 50, (1, 20, 24)).astype(np.float32), RNG.normal(0, 9, (1, 7, 9, 8)).astype(np.float32)
LABELS = (("L", "R"), ("P", "A"), ("I", "S"))
CASES: list[tuple[contract.AnyTransform, Any]] = [
    (contract.Orientation(axcodes="RAS"), monai.Orientation("RAS", labels=LABELS)),
    (contract.Spacing(pixdim=(2.0, 1.0, 0.5)), monai.Spacing((2.0, 1.0, 0.5))),
    (contract.Spacing(pixdim=(0.8, 1.7), mode="nearest"), monai.Spacing((0.8, 1.7), mode="nearest")),
    (contract.ScaleIntensityRange(a_min=0, a_max=200), monai.ScaleIntensityRange(0, 200, 0, 1, clip=True)),
    (contract.ScaleIntensityRangePercentiles(), monai.ScaleIntensityRangePercentiles(1, 99, 0, 1, clip=True)),
    (contract.ScaleIntensity(minv=-1), monai.ScaleIntensity(-1, 1)),
    (contract.NormalizeIntensity(), monai.NormalizeIntensity()),
    (contract.NormalizeIntensity(subtrahend=5, divisor=2), monai.NormalizeIntensity(5, 2)),
    (contract.ThresholdIntensity(threshold=90, cval=7), monai.ThresholdIntensity(90, cval=7)),
    (contract.GaussianSmooth(sigma=1.5), monai.GaussianSmooth(1.5)),
    (contract.MedianSmooth(radius=1), monai.MedianSmooth(1)),
    (contract.Resize(spatial_size=(5, 6)), monai.Resize((5, 6), mode="area")),
    (contract.Resize(spatial_size=(5, 6, 7), mode="bilinear"), monai.Resize((5, 6, 7), mode="trilinear")),
    (contract.CenterSpatialCrop(roi_size=(4, 5)), monai.CenterSpatialCrop((4, 5))),
    (contract.SpatialPad(spatial_size=(30, 31)), monai.SpatialPad((30, 31))),
    (contract.ResizeWithPadOrCrop(spatial_size=(30, 5)), monai.ResizeWithPadOrCrop((30, 5))),
    (
        contract.CropForeground(threshold=180, margin=2),
        monai.CropForeground(lambda x: x > 180, margin=2, allow_smaller=True),
    ),
    (contract.Flip(spatial_axis=1), monai.Flip(1)),
    (contract.Rotate90(k=3), monai.Rotate90(3)),
]


def image_for(record: contract.AnyTransform) -> tuple[np.ndarray, np.ndarray]:
    sizes = next(
        (getattr(record, name) for name in ("pixdim", "spatial_size", "roi_size") if hasattr(record, name)), ()
    )
    deep = len(sizes) == 3 or record.name == "Orientation"
    return (VOLUME, upright((5.0, 1.2, 0.8))) if deep else (SLICE, in_plane((1.2, 0.8)))


@pytest.mark.parametrize(("record", "theirs"), CASES, ids=lambda value: getattr(value, "name", None))
def test_it_does_what_monai_does(record, theirs):
    array, affine = image_for(record)

    def image():
        return MetaTensor(torch.from_numpy(array.copy()), affine=torch.from_numpy(affine))

    [ours] = made([record], array.ndim - 1)
    assert torch.equal(ours(image()).as_tensor(), theirs(image()).as_tensor())


def test_no_transform_is_without_a_case():
    assert {type(record) for record, _ in CASES} == set(get_args(contract.AnyTransform))


def series(*transforms: contract.AnyTransform, **fields: Any) -> Pipeline:
    return Pipeline(SeriesImages(**{"modality": "CT", "size": (8, 8), "transforms": transforms, **fields}))


def test_bounds_become_minus_one_and_one_and_what_is_no_number_is_background():
    image = np.array([[[-5.0, 0.0, 0.25], [1.0, 7.0, np.nan], [np.inf, -np.inf, 0.5]]], np.float32)
    shown = series(size=(3, 3)).run(image, in_plane((1, 1)))

    assert shown.dtype == np.float16
    assert shown.tolist() == [[[-1, -1, -0.5], [1, 1, -1], [1, -1, 0]]]


def test_what_is_added_around_an_image_is_as_low_as_can_be():
    shown = series(low=-1000.0, high=1000.0).run(np.full((1, 2, 2), 1000.0, np.float32), in_plane((1, 1)))
    assert shown[0, 3:5, 3:5].tolist() == [[1, 1], [1, 1]]
    assert (shown == -1).sum() == 60


def test_an_image_without_foreground_is_left_whole():
    shown = series(contract.CropForeground(threshold=1e6)).run(SLICE, in_plane((1, 1)))
    assert shown.shape == (1, 8, 8)


@pytest.mark.parametrize(
    "step",
    [contract.ScaleIntensity(), contract.ScaleIntensityRangePercentiles(), contract.NormalizeIntensity()],
    ids=lambda step: step.name,
)
def test_an_image_that_is_the_same_all_over_gives_numbers(step):
    shown = series(step).run(np.full((1, 8, 8), 3.0, np.float32), in_plane((1, 1)))
    assert np.isfinite(shown).all()


@pytest.mark.parametrize("step", [contract.Spacing(pixdim=(1e-4, 1e-4)), contract.MedianSmooth(radius=5)])
def test_what_would_need_too_much_memory_is_not_tried(step):
    with pytest.raises(ImageTooLargeError):
        series(step).run(np.zeros((1, 2500, 2500), np.float32), in_plane((1, 1)))


def test_a_volume_has_a_channel_of_its_own():
    pipeline = Pipeline(SeriesImages(modality="CT", size=(4, 8, 8), form=Volume(), low=-9, high=9))
    [image] = pipeline.each(VOLUME[0], [[0]], upright((1, 1, 1)))
    assert image.shape == (1, 4, 8, 8)
