"""Text that is part of the picture: searched for by tesseract, which runs as a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from flip_trust.deidentification.part10 import Opened
from flip_trust.deidentification.pixels import check_size
from flip_trust.deidentification.profile import TextRules, matches
from flip_trust.deidentification.refusals import Reason, RefusedFileError

PROGRAM = "tesseract"
SECONDS = 120
SCALED_TO = 1600
_LOOKS = (("0", 0), ("1", 20))
"""Tesseract's threshold for the whole picture, then one for each part of it: light print on a banner of middle grey is
lost to the first. The second sees more into mere texture, so a word has to be surer by so much."""
_NOT_WORD = re.compile(r"[^0-9A-Za-z]")


def is_risky(rules: TextRules, source: Opened) -> bool:
    """Whether a picture of this kind may have text in it: by modality, class, image type, or by its own word."""
    flag = source.text(0x00280301)
    return (
        flag not in {"", "NO"}
        or source.text(0x00080060) in rules.modalities
        or matches(source.sop_class, rules.classes)
        or bool(set(source.text(0x00080008).split("\\")) & set(rules.image_types))
    )


def check(rules: TextRules, data: bytes) -> None:
    """Look for text in a file's pictures.

    Raises:
        RefusedFileError: there is text, tesseract is not installed, or the pixels cannot be decoded.
    """
    if shutil.which(PROGRAM) is None:
        raise RefusedFileError(Reason.NO_TESSERACT)
    for picture in _pictures(data, rules.frames):
        if any(_has_words(picture, rules, *look) for look in _LOOKS):
            raise RefusedFileError(Reason.BURNED_IN)


def _has_words(picture: NDArray[np.uint8], rules: TextRules, threshold: str, surer: int) -> bool:
    return any(True for _ in words(_recognised(picture, threshold), rules, surer))


def words(table: str, rules: TextRules, surer: int = 0) -> Iterator[str]:
    """The words of tesseract's TSV that count."""
    for line in table.splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) == 12 and float(cells[10]) >= rules.confidence + surer:
            word = _NOT_WORD.sub("", cells[11])
            if len(word) >= rules.letters:
                yield word


def _pictures(data: bytes, most: int) -> Iterator[NDArray[np.uint8]]:
    try:
        dataset = pydicom.dcmread(BytesIO(data))
        check_size(dataset)
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        for index in sorted({round(i) for i in np.linspace(0, count - 1, min(most, count))}):
            yield _as_picture(pixel_array(dataset, index=index), dataset)
    except RefusedFileError:
        raise
    except Exception as error:
        raise RefusedFileError(Reason.PIXELS) from error


def _as_picture(frame: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    """Dark on light or light on dark, eight bits, large enough for small print."""
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        frame = apply_color_lut(frame, dataset)[
            ..., :3
        ]  # numbers of colours are no shades: print would be lost in them
    if frame.ndim == 3:
        grey = frame.astype(np.float64).mean(axis=2)
    else:
        grey = np.asarray(apply_voi_lut(apply_modality_lut(frame, dataset), dataset), dtype=np.float64)
    low, high = np.percentile(grey, (0.1, 99.9))
    low, high = (grey.min(), grey.max()) if high <= low else (low, high)
    eight = np.clip((grey - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    times = max(1, min(3, SCALED_TO // max(eight.shape)))
    large: NDArray[np.uint8] = eight.repeat(times, axis=0).repeat(times, axis=1)
    return large


def _recognised(picture: NDArray[np.uint8], threshold: str) -> str:
    """Tesseract's TSV; page segmentation 11 (sparse text)."""
    header = b"P5 %d %d 255\n" % (picture.shape[1], picture.shape[0])
    command = [PROGRAM, "stdin", "stdout", "--psm", "11", "-c", f"thresholding_method={threshold}", "tsv"]
    try:
        done = subprocess.run(  # noqa: S603 (a fixed command, the picture on its standard input)
            command,
            input=header + picture.tobytes(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RefusedFileError(Reason.PIXELS) from error
    return done.stdout.decode("utf-8", "replace")
