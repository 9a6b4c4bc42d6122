"""CT-like images of made-up chests, to write and try an image job on: nobody's image went into them.

    person = chest(np.random.default_rng(7), lesion=True)
    volume = scan(person, Scanner(), np.random.default_rng(8))    # [slices, rows, columns], Hounsfield units

The task is there to be learnt: whether there is a mass in a lung, among vessels, scars and fluid that all have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flip_sdk.simulate.anatomy import AIR, Lesion, build, lesion_in, parts
from flip_sdk.simulate.shapes import Ellipsoid, Grid, Volume, paint

Hounsfield = npt.NDArray[np.int16]
_LEAST, _MOST = -1024, 3071
_COUCH = -250.0


@dataclass(frozen=True)
class Scanner:
    """How a hospital's scanner makes images, and how people lie in it.

    Attributes:
        slices: of a volume.
        rows: of a slice.
        columns: of a slice.
        spacing: from pixel to pixel, in mm; None: so that 400 mm are seen.
        thickness: of a slice and from slice to slice, in mm.
        noise: standard deviation in water, in Hounsfield units; less where the dose is more.
        smoothness: of the reconstruction kernel, in mm: about 0.4 for a lung's kernel, 1.0 for a soft one.
        shift: (y, x), where people lie on average, in mm from the middle.
        scatter: how far they lie from there, in mm.
    """

    slices: int = 8
    rows: int = 128
    columns: int = 128
    spacing: float | None = None
    thickness: float = 5.0
    noise: float = 20.0
    smoothness: float = 0.7
    shift: tuple[float, float] = (0.0, 0.0)
    scatter: float = 6.0

    @property
    def step(self) -> float:
        """From pixel to pixel, in mm."""
        return self.spacing if self.spacing is not None else 400 / max(self.rows, self.columns)


@dataclass(frozen=True)
class Chest:
    """A made-up person, whom any scanner may see, and see again.

    Attributes:
        parts: of the body, in the order in which they are painted.
        back: from the middle to the skin, in mm.
        lesion: the mass, if there is one.
    """

    parts: tuple[Ellipsoid, ...]
    back: float
    lesion: Lesion | None


def chest(random: np.random.Generator, *, lesion: bool) -> Chest:
    """A person.

    Args:
        random: where chance comes from; the same one makes the same person.
        lesion: whether there is a mass in a lung.
    """
    body = build(random)
    found = lesion_in(body, random) if lesion else None
    return Chest(tuple(parts(body, found, random)), body.depth + body.fat, found)


def scan(person: Chest, scanner: Scanner, random: np.random.Generator) -> Hounsfield:
    """A person's images: ``[slices, rows, columns]`` in Hounsfield units.

    The first slice is the one next to the feet, the first row the front of the body, the first column its right side.

    Args:
        person: who lies in the scanner.
        scanner: that makes the images.
        random: where chance comes from: how the person lies, and the noise.
    """
    y, x = (where + scanner.scatter * random.normal() for where in scanner.shift)
    steps = (scanner.thickness, scanner.step, scanner.step)
    grid = Grid((scanner.slices, scanner.rows, scanner.columns), steps, (0.0, -y, -x))
    volume = np.full(grid.shape, AIR, dtype=np.float32)
    _couch(volume, grid, person.back)
    paint(volume, grid, person.parts)
    volume = _blurred(volume, scanner.smoothness / scanner.step) + _texture(scanner, grid, random)
    return np.clip(np.rint(volume), _LEAST, _MOST).astype(np.int16)


def phantoms(scanner: Scanner, lesions: Sequence[bool], seed: int) -> Hounsfield:
    """Images of several persons, ``[persons, slices, rows, columns]`` in Hounsfield units.

    Args:
        scanner: that makes them.
        lesions: by person, whether there is a mass.
        seed: the same seed makes the same persons, however many there are.
    """
    made = np.empty((len(lesions), scanner.slices, scanner.rows, scanner.columns), dtype=np.int16)
    for number, ill in enumerate(lesions):
        random = np.random.default_rng([seed, number])
        made[number] = scan(chest(random, lesion=bool(ill)), scanner, random)
    return made


def _couch(volume: Volume, grid: Grid, depth: float) -> None:
    """The table that the person lies on: a bent sheet under the back."""
    y, x = grid.axis(1)[:, None], grid.axis(2)[None, :]
    surface = depth + 4 - np.square(x / 40)
    volume[:, (np.abs(y - surface) < 4) & (np.abs(x) < 210)] = _COUCH


def _texture(scanner: Scanner, grid: Grid, random: np.random.Generator) -> Volume:
    """Noise as it is in images made of projections: it hangs together over some pixels, more in the thick middle."""
    width = max(scanner.smoothness / scanner.step, 0.01) + 0.4
    noise = _blurred(random.standard_normal(grid.shape, dtype=np.float32), width)
    noise *= np.float32(scanner.noise / max(float(noise.std()), 1e-6))
    y, x = grid.axis(1)[:, None], grid.axis(2)[None, :]
    louder: Volume = noise * (0.6 + 0.8 * np.exp(-(np.square(y / 120) + np.square(x / 170)))).astype(np.float32)
    return louder


def _blurred(volume: Volume, width: float) -> Volume:
    from scipy.ndimage import gaussian_filter

    blurred: Volume = gaussian_filter(volume, (0, width, width), mode="nearest", truncate=3.0)
    return blurred
