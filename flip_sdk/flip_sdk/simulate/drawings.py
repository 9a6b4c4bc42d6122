"""Lines, rings and crosses drawn into the lungs of made-up chests: a task to pre-train on that asks nobody's data.

    pictures = healthy_chests(images, 400, seed=1)
    drawn, kinds = draw(pictures, np.random.default_rng(2))    # kinds: numbers of KINDS

A network that tells them apart has learned what edges, vessels and things in a lung look like, and nothing of disease:
what there is to be told at the Trusts, it has not seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flip_sdk.simulate.phantoms import Scanner, chest, scan

if TYPE_CHECKING:
    from flip_sdk.imaging import Images

Pictures = npt.NDArray[np.float32]
KINDS = ("nothing", "a line", "a ring", "a cross")
PUBLIC = Scanner(slices=3, rows=96, columns=96, spacing=4.2, noise=8.0, smoothness=1.0)
"""Unlike a hospital's: a large dose, and nobody lies beside the middle."""
_LUNG = (-0.95, -0.5)
"""Of a picture in [-1, 1], as ``window(-1000, 400)`` makes it: brighter than the air outside, darker than the rest."""


def healthy_chests(images: Images, persons: int, *, seed: int, scanner: Scanner = PUBLIC) -> Pictures:
    """Made-up people without a mass, as a model is shown them.

    Args:
        images: what is done to their series.
        persons: how many.
        seed: the same seed makes the same people.
        scanner: that sees them.

    Returns:
        ``[pictures, channels, rows, columns]`` in [-1, 1].
    """
    steps = (scanner.thickness, scanner.step, scanner.step)
    made = []
    for number in range(persons):
        random = np.random.default_rng([seed, number])
        made.append(images.preview(scan(chest(random, lesion=False), scanner, random), steps))
    return np.concatenate(made).astype(np.float32)


def draw(
    pictures: Pictures, random: np.random.Generator, *, grain: float = 0.06
) -> tuple[Pictures, npt.NDArray[np.int64]]:
    """Draw something, or nothing, into each picture's lungs, through all of its channels.

    Args:
        pictures: ``[pictures, channels, rows, columns]`` in [-1, 1], windowed from -1000 to 400.
        random: where chance comes from.
        grain: noise of up to this standard deviation, another in each picture: hospitals' scanners have more of it.

    Returns:
        New pictures, half of them mirrored; and what was drawn into each, as a number of :data:`KINDS`.
    """
    drawn, kinds = pictures.copy(), random.integers(0, len(KINDS), len(pictures))
    for number, picture in enumerate(drawn):
        middle = picture[len(picture) // 2]
        lung = np.argwhere((middle > _LUNG[0]) & (middle < _LUNG[1]))
        if not len(lung):
            kinds[number] = 0
            continue
        where = _shape(int(kinds[number]), lung[random.integers(len(lung))], middle.shape, random)
        picture[:, where] = np.maximum(picture[:, where], np.float32(random.uniform(-0.1, 0.5)))
    mirrored = random.random(len(drawn)) < 0.5
    drawn[mirrored] = drawn[mirrored][..., ::-1]
    strength = random.uniform(0, grain, (len(drawn), 1, 1, 1)).astype(np.float32)
    return drawn + strength * random.standard_normal(drawn.shape, dtype=np.float32), kinds


def _shape(
    kind: int, centre: npt.NDArray[np.int64], size: tuple[int, ...], random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Where a shape is: ``[rows, columns]``."""
    angle, length = random.uniform(0, math.pi), random.uniform(1.6, 4.5) * min(size) / 64
    y, x = (axis - at for axis, at in zip(np.ogrid[: size[0], : size[1]], centre, strict=True))
    along = y * math.cos(angle) + x * math.sin(angle)
    across = x * math.cos(angle) - y * math.sin(angle)
    far = np.hypot(along, across)
    thin, short = 0.25 * length + 0.4, 2.2 * length
    shapes = (
        np.zeros(size, dtype=bool),
        (np.abs(along) < 3 * length) & (np.abs(across) < 0.3 * length + 0.4),
        (far < 1.5 * length) & (far > 1.5 * length - 1.2),
        ((np.abs(along) < short) & (np.abs(across) < thin)) | ((np.abs(across) < short) & (np.abs(along) < thin)),
    )
    return shapes[kind]
