"""Frames as numbers: rescale, inversion, colour, several frames, compression; and slices in their true order."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.images import SeriesImages, Slices, Spacing, Volume
from flip_sdk.mechanisms.images.pipeline import Pipeline
from flip_trust.errors import UnfitImageError
from flip_trust.features.images.pixels import read
from flip_trust.features.images.series import Instance, images_of
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.trust.imaging.senders import Study

RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4)


def one(tmp_path, **others):
    others = {"PixelData": RAMP.tobytes(), "Rows": 4, "Columns": 4} | others
    path = tmp_path / "one.dcm"
    Study(size=4).instance(**others).save_as(path, enforce_file_format=True)
    return str(path)


def test_intensities_are_after_the_rescale(tmp_path):
    frames = read(one(tmp_path, RescaleSlope=2, RescaleIntercept=-1024), [0])
    assert np.array_equal(frames.pixels[0], RAMP * 2.0 - 1024)
    assert frames.pixels.dtype == np.float32
    assert frames.places == [[-100.0, -100.0, 0.0]]


def test_dark_is_low_whatever_is_stored(tmp_path):
    frames = read(one(tmp_path, PhotometricInterpretation="MONOCHROME1"), [0])
    assert np.array_equal(frames.pixels[0], 4095 - RAMP)


def test_colours_become_their_brightness(tmp_path):
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[..., 1] = 100
    path = one(
        tmp_path, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, BitsAllocated=8,
        BitsStored=8, HighBit=7, PixelData=rgb.tobytes(),
    )  # fmt: skip
    assert read(path, [0]).pixels[0] == pytest.approx(np.full((4, 4), 58.7))


def test_frames_have_their_own_rescale_and_place(tmp_path):
    groups = []
    for number in range(3):
        values, place, group = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept = 1, 100 * number
        place.ImagePositionPatient = [0, 0, 3.0 * number]
        group.PixelValueTransformationSequence = Sequence([values])
        group.PlanePositionSequence = Sequence([place])
        groups.append(group)
    data = np.stack([RAMP] * 3).tobytes()
    path = one(tmp_path, NumberOfFrames=3, PixelData=data, PerFrameFunctionalGroupsSequence=Sequence(groups))
    frames = read(path, [2, 0])

    assert np.array_equal(frames.pixels, np.stack([RAMP + 200, RAMP]))
    assert frames.places == [[0, 0, 6.0], [0, 0, 0.0]]


@pytest.mark.parametrize(
    "name",
    [
        "JPEG2000.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_dcmtk.dcm",
        "ExplVR_BigEnd.dcm", "examples_palette.dcm", "examples_ybr_color.dcm", "examples_jpeg2k.dcm",
    ],
)  # fmt: skip
def test_real_files_are_read_however_they_are_compressed(name):
    path = get_testdata_file(name)
    frames = read(str(path), [0])
    assert frames.pixels.ndim == 3
    assert np.isfinite(frames.pixels).all()
    assert frames.pixels.std() > 0


def saved(tmp_path, name, values, position, orientation=(1, 0, 0, 0, 1, 0), **others):
    path = tmp_path / f"{name}.dcm"
    made = Study(size=4).instance(PixelData=np.full((4, 4), values, np.uint16).tobytes(), Rows=4, Columns=4, **others)
    made.save_as(path, enforce_file_format=True)
    positions = () if position is None else (float(position),)
    return Instance(str(path), 1, (4, 4), (1.0, 1.0), orientation, positions)


def shown(instances, **fields):
    asked = SeriesImages(**{"modality": "CT", "size": (4, 4), "low": 0, "high": 16, **fields})
    return ((images_of(instances, asked, Pipeline(asked)) + 1) * 8)[:, 0].tolist()


ALL = {"form": Slices(take="spread", count=4)}


def test_slices_go_by_place_never_by_name(tmp_path):
    instances = [saved(tmp_path, name, 8 - z, z) for name, z in (("a", 6), ("b", 2), ("c", 4), ("d", 0))]
    assert shown(instances, **ALL) == [8, 6, 4, 2]


def test_without_places_slices_go_by_number(tmp_path):
    instances = [saved(tmp_path, name, n, None, None, InstanceNumber=n) for name, n in (("a", 3), ("b", 1), ("c", 2))]
    assert shown(instances, form=Slices(take="spread", count=3)) == [1, 2, 3]


def test_of_several_slices_at_a_place_the_first_counts(tmp_path):
    """The second echo of every slice, say."""
    instances = [
        saved(tmp_path, f"{z}{n}", 2 * z + n, z, InstanceNumber=2 * z + n) for z in (3, 1) for n in (2, 1)
    ]  # fmt: skip
    assert shown(instances, form=Slices(take="spread", count=2)) == [3, 7]


def test_a_scout_is_no_slice(tmp_path):
    instances = [saved(tmp_path, str(z), z + 1, z) for z in range(4)]
    scout = saved(tmp_path, "scout", 15, 2, (1, 0, 0, 0, 0, -1))
    assert shown([scout, *instances], **ALL) == [1, 2, 3, 4]


def test_what_a_series_does_not_tell_is_not_made_up(tmp_path):
    blind = Instance(saved(tmp_path, "a", 1, None).path, 1, (4, 4), None, None, ())
    assert shown([blind]) == [1]
    for fields in (
        {"transforms": (Spacing(pixdim=(1, 1)),)},
        {"form": Volume(), "size": (1, 4, 4), "transforms": (Spacing(pixdim=(1, 1, 1)),)},
    ):
        with pytest.raises(UnfitImageError):
            shown([blind], **fields)
