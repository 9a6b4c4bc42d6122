from __future__ import annotations

import numpy as np
import pytest
from flip_trust.deidentification import burned_in, profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from tests.trust.deidentification.canaries import as_bytes, plain

SIZE = 400
BOX = (0, 0, SIZE, 60)


def ultrasound(text: str) -> Dataset:
    picture = Image.fromarray(np.tile(np.linspace(0, 60, SIZE, dtype=np.uint8), (SIZE, 1)))
    font = ImageFont.load_default(size=24)
    ImageDraw.Draw(picture).text((10, 15), text, fill=255, font=font)
    dataset = plain(Modality="US", Manufacturer="ACME")
    dataset.Rows = dataset.Columns = SIZE
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = np.asarray(picture).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def reason_of(engine: Engine, dataset: Dataset) -> Reason | None:
    try:
        engine.clean(as_bytes(dataset))
    except RefusedFileError as refusal:
        return refusal.reason
    return None


@pytest.mark.processes
def test_a_name_in_the_picture_goes_to_quarantine_unless_a_mask_covers_it(default, keyed) -> None:
    covering = default.profile.model_copy(update={"masks": (profile.Mask(manufacturer="ACME", boxes=(BOX,)),)})

    assert reason_of(default, ultrasound("SMITH JOHN 1950")) is Reason.BURNED_IN
    assert reason_of(default, ultrasound("")) is None
    assert reason_of(Engine(covering, keyed), ultrasound("SMITH JOHN 1950")) is None


def test_without_tesseract_risky_pictures_go_to_quarantine(default, monkeypatch) -> None:
    monkeypatch.setattr(burned_in, "PROGRAM", "no-such-program")

    assert reason_of(default, ultrasound("")) is Reason.NO_TESSERACT
    assert reason_of(default, plain()) is None


def test_a_file_that_says_it_has_text_needs_a_mask(default) -> None:
    dataset = plain(BurnedInAnnotation="YES")

    assert reason_of(default, dataset) is Reason.BURNED_IN_FLAG


def test_pixels_that_cannot_be_decoded_are_not_let_through(default, monkeypatch) -> None:
    monkeypatch.setattr(burned_in.shutil, "which", lambda _: "/usr/bin/tesseract")
    dataset = ultrasound("")
    dataset.PixelData = b"\0" * 10

    assert reason_of(default, dataset) is Reason.PIXELS


def test_words_count_by_confidence_and_length() -> None:
    rules = Profile(name="p", title="", purpose="").text
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    lines = [
        f"5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t{conf}\t{word}" for conf, word in ((90, "SMITH"), (20, "noise"), (95, "-|"))
    ]

    assert list(burned_in.words(head + "\n".join(lines), rules)) == ["SMITH"]
