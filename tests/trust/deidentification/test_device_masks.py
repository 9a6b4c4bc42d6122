"""The example of masks, on real pictures of the machines that it is for."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from flip_trust.deidentification import profile, table
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from pydicom.data import get_testdata_file
from pydicom.pixels.utils import pixel_array

EXAMPLE = table.folder() / "examples" / "device-masks.yaml"
COVERED = [
    "examples_rgb_color.dcm",
    pytest.param("examples_jpeg2k.dcm", marks=pytest.mark.slow),
    pytest.param("examples_ybr_color.dcm", marks=pytest.mark.slow),
]
PALETTE = "examples_palette.dcm"

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def example() -> Profile:
    return profile.load(str(EXAMPLE))


def content(name: str) -> bytes:
    with open(get_testdata_file(name), "rb") as stream:
        return stream.read()


def reason_of(engine: Engine, data: bytes) -> Reason | None:
    try:
        engine.clean(data)
    except RefusedFileError as refusal:
        return refusal.reason
    return None


def test_it_is_an_example_and_no_profile_of_the_trusts(example) -> None:
    assert EXAMPLE.stem not in profile.names()
    assert example.masks
    assert example.options == profile.load("research-default").options


@pytest.mark.parametrize("name", COVERED)
def test_a_machines_banner_is_black_in_every_frame_and_the_picture_passes(example, keyed, default, name) -> None:
    assert reason_of(default, content(name)) is Reason.BURNED_IN

    cleaned = Engine(example, keyed).clean(content(name))
    dataset = pydicom.dcmread(io.BytesIO(cleaned.frame + cleaned.data_set))
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    [mask] = [one for one in example.masks if (one.rows, one.columns) == (dataset.Rows, dataset.Columns)
              and one.manufacturer == pydicom.dcmread(get_testdata_file(name)).Manufacturer]  # fmt: skip
    for index in sorted({0, frames // 2, frames - 1}):
        picture = pixel_array(dataset, index=index)
        inside = np.zeros(picture.shape[:2], dtype=bool)
        for left, top, right, bottom in mask.boxes:
            inside[top:bottom, left:right] = True
        assert not picture[inside].any()
        assert picture[~inside].any()


def test_what_a_mask_leaves_is_found_on_a_palette_of_colours_too(example, keyed) -> None:
    assert reason_of(Engine(example, keyed), content(PALETTE)) is Reason.BURNED_IN


def test_light_print_on_a_coloured_banner_is_found(example, keyed) -> None:
    mask = next(one for one in example.masks if one.model == "CX50")
    all_but_the_banner = mask.model_copy(update={"boxes": ((0, 60, 800, 350),)})
    engine = Engine(example.model_copy(update={"masks": (all_but_the_banner,)}), keyed)

    assert reason_of(engine, content(PALETTE)) is Reason.BURNED_IN
    everything = mask.model_copy(update={"boxes": ((0, 0, 800, 60), (0, 60, 320, 350))})
    assert reason_of(Engine(example.model_copy(update={"masks": (everything,)}), keyed), content(PALETTE)) is None
