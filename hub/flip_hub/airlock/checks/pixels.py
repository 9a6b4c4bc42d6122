"""What a picture looks like: a figure, a photograph, a scan, or many single points."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_SIDE = 1_600
OCR_SECONDS = 40
PROGRAM = "tesseract"
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """Measures of a picture.

    Attributes:
        grey: share of pixels without colour.
        mid: share of pixels that are neither nearly black nor nearly white.
        levels: brightnesses that are really used.
        background: share of the commonest colour.
        colours: colours that are really used, of 32,768.
        points: small separate spots of colour.
    """

    grey: float
    mid: float
    levels: int
    background: float
    colours: int
    points: int

    @property
    def scan(self) -> bool:
        """Whether it is a picture in continuous greys, as scanners make them."""
        return self.grey > 0.98 and self.levels > 60 and self.mid > 0.12

    @property
    def photograph(self) -> bool:
        """Whether it is a picture in continuous colours, without the even ground of a figure."""
        return self.colours > 1_500 and self.background < 0.25


def decode(content: bytes, form: str) -> Picture:
    """Pixels of a PNG or JPEG, height × width × 3, made smaller where a side is over 1,600.

    Raises:
        ValueError: it cannot be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=(form.upper(),)) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError("it has several pictures")
            whole = image.convert("RGBA")
    except (OSError, UnidentifiedImageError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    ground = Image.new("RGBA", whole.size, "white")
    flat = Image.alpha_composite(ground, whole).convert("RGB")
    flat.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.BOX)
    return np.asarray(flat, dtype=np.uint8)


def look(picture: Picture) -> Look:
    """Measure a picture."""
    wide = picture.astype(np.int16)
    spread = wide.max(axis=2) - wide.min(axis=2)
    brightness = wide.mean(axis=2)
    coarse = (wide[..., 0] >> 3 << 10) | (wide[..., 1] >> 3 << 5) | (wide[..., 2] >> 3)
    counts = np.bincount(coarse.ravel(), minlength=32_768)
    levels = np.bincount(brightness.astype(np.int64).ravel(), minlength=256)
    used = max(3, int(picture.shape[0] * picture.shape[1] * 1e-4))
    return Look(
        grey=float((spread < 12).mean()),
        mid=float(((brightness > 25) & (brightness < 230)).mean()),
        levels=int((levels > used).sum()),
        background=float(counts.max() / counts.sum()),
        colours=int((counts > 0).sum()),
        points=_points(spread > 60),
    )


def _points(coloured: NDArray[np.bool_]) -> int:
    from scipy import ndimage

    labels, number = ndimage.label(coloured)
    if number == 0:
        return 0
    sizes = np.bincount(labels.ravel())[1:]
    return int(((sizes >= 6) & (sizes <= 400)).sum())


def words_of(picture: Picture) -> str:
    """Text in a picture, by tesseract.

    Raises:
        OSError: tesseract is not installed.
        subprocess.SubprocessError: it failed or took too long.
    """
    from PIL import Image

    sent = io.BytesIO()
    Image.fromarray(picture).convert("L").save(sent, "PPM")
    done = subprocess.run(  # noqa: S603 - our own command line
        [PROGRAM, "stdin", "stdout", "--psm", "11", "-l", "eng"],
        input=sent.getvalue(),
        capture_output=True,
        timeout=OCR_SECONDS,
        check=True,
    )
    return done.stdout.decode("utf-8", "replace")


def usable() -> bool:
    """Whether tesseract is installed here."""
    return shutil.which(PROGRAM) is not None
