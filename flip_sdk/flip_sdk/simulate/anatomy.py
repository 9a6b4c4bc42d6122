"""A made-up chest as ellipsoids: fat, muscle, lungs with vessels, heart, liver, spine, ribs, and perhaps a lesion.

Sizes and Hounsfield units are round textbook values with variation between persons. Nobody's image went into it. What
looks like a lesion and is none (a thick hilum, a scar, fluid at the back) is there in the ill and in the well alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flip_sdk.simulate.shapes import Ellipsoid, Point

AIR, LUNG, FAT, MUSCLE, BLOOD, LIVER, BONE, MARROW, FLUID = (
    -1000.0,
    -840.0,
    -100.0,
    45.0,
    55.0,
    70.0,
    650.0,
    180.0,
    10.0,
)
_SIDES = (-1, 1)
_RIBS = 11
_LONG = 400.0


@dataclass(frozen=True)
class Lesion:
    """A mass in a lung.

    Attributes:
        centre: (z, y, x) in mm from the middle of the body.
        radius: in mm, about.
        hounsfield: from half-solid (-300) to solid (60).
    """

    centre: Point
    radius: float
    hounsfield: float


@dataclass(frozen=True)
class Build:
    """What a person's body is like; lengths in mm.

    Attributes:
        width: half of the trunk's, without the fat.
        depth: half of the trunk's, without the fat.
        fat: how thick it is.
        lung: Hounsfield units of the air-filled lung: less when breathed in deeply.
        lungs: (y, x) half-axes of the left and of the right one.
        turn: how far the person lies on a side, in radians.
    """

    width: float
    depth: float
    fat: float
    lung: float
    lungs: tuple[tuple[float, float], tuple[float, float]]
    turn: float

    def lung_middle(self, number: int) -> tuple[float, float]:
        """(y, x) of a lung's middle: 0 is the right one, which is on the left of the image."""
        return -0.05 * self.depth, _SIDES[number] * (0.11 * self.width + self.lungs[number][1])


def build(random: np.random.Generator) -> Build:
    """A person's body, by chance."""
    width, depth = random.normal(150, 12), random.normal(102, 8)
    lungs = tuple(
        (depth * random.uniform(0.66, 0.76), width * random.uniform(0.33, 0.38) * smaller) for smaller in (1.0, 0.93)
    )
    return Build(
        width=width,
        depth=depth,
        fat=float(np.clip(random.gamma(4, 5), 4, 50)),
        lung=LUNG + random.normal(0, 30),
        lungs=(lungs[0], lungs[1]),
        turn=random.normal(0, 0.05),
    )


def lesion_in(body: Build, random: np.random.Generator) -> Lesion:
    """A lesion somewhere in a lung, cut by the slices in the middle."""
    number = int(random.integers(2))
    (y, x), (tall, wide) = body.lung_middle(number), body.lungs[number]
    angle, far = random.uniform(0, 2 * math.pi), 0.62 * math.sqrt(random.random())
    centre = (random.normal(0, 4), y + far * tall * math.sin(angle), x + far * wide * math.cos(angle))
    return Lesion(centre, random.uniform(11, 22), random.uniform(-300, 60))


def parts(body: Build, lesion: Lesion | None, random: np.random.Generator) -> Iterator[Ellipsoid]:
    """The body's parts, in the order in which they are painted."""
    for part in _upright(body, lesion, random):
        yield part.turned(body.turn)


def _upright(body: Build, lesion: Lesion | None, random: np.random.Generator) -> Iterator[Ellipsoid]:
    skin = (_LONG, body.depth + body.fat, body.width + body.fat)
    yield Ellipsoid((0, 0, 0), skin, FAT + random.normal(0, 6))
    yield Ellipsoid((0, 0, 0), (_LONG, body.depth, body.width), MUSCLE + random.normal(0, 6))
    yield from _ribs(body, random)
    for number in range(2):
        yield from _lung(body, number, random)
    yield from _middle(body, random)
    yield from _look_alikes(body, random)
    if lesion is not None:
        yield from _lobes(lesion, random)


def _ribs(body: Build, random: np.random.Generator) -> Iterator[Ellipsoid]:
    start = random.uniform(0, 1)
    for side in _SIDES:
        for number in range(_RIBS):
            angle = math.pi * ((number + start) / _RIBS - 0.5)
            y, x = 0.9 * body.depth * math.sin(angle), side * 0.9 * body.width * math.cos(angle)
            tangent = math.atan2(-body.depth * math.cos(angle), side * body.width * math.sin(angle))
            centre = (random.uniform(-25, 25), y, x)
            yield Ellipsoid(centre, (9, 4.5, random.uniform(9, 16)), BONE * random.uniform(0.5, 0.9), -tangent)


def _lung(body: Build, number: int, random: np.random.Generator) -> Iterator[Ellipsoid]:
    (y, x), (tall, wide) = body.lung_middle(number), body.lungs[number]
    yield Ellipsoid((10, y, x), (random.uniform(110, 140), tall, wide), body.lung, -0.1 * _SIDES[number])
    for _ in range(int(random.integers(16, 30))):
        # vessels are thicker near the middle of the body
        angle, far = random.uniform(0, 2 * math.pi), 0.9 * math.sqrt(random.random())
        across = far * math.cos(angle)
        thick = random.uniform(1.2, 2.6) + 2.2 * max(-across * _SIDES[number], 0)
        length = thick * random.uniform(1, 5)
        place = (random.uniform(-40, 40), y + far * tall * math.sin(angle) * 0.95, x + across * wide)
        yield Ellipsoid(place, (thick * random.uniform(1, 4), thick, length), BLOOD - 60, random.uniform(0, math.pi))


def _middle(body: Build, random: np.random.Generator) -> Iterator[Ellipsoid]:
    """Heart, great vessels, liver dome, spine."""
    heart = random.uniform(0.3, 0.42)
    yield Ellipsoid(
        (-45 + random.normal(0, 10), -0.25 * body.depth, 0.16 * body.width),
        (75, 0.48 * body.depth, heart * body.width),
        BLOOD + random.normal(0, 10),
        random.normal(0.5, 0.1),
    )
    yield Ellipsoid((0, -0.15 * body.depth, 0), (300, 0.4 * body.depth, 0.13 * body.width), MUSCLE)
    yield Ellipsoid((0, 0.3 * body.depth, 0.16 * body.width), (300, 12, 12), BLOOD + random.uniform(0, 120))
    yield Ellipsoid((10, 0.02 * body.depth, 0), (90, 8, 8), AIR)
    dome = random.uniform(70, 120)
    yield Ellipsoid(
        (-dome - 20, -0.1 * body.depth, -0.42 * body.width), (dome, 0.6 * body.depth, 0.42 * body.width), LIVER
    )
    back = 0.55 * body.depth
    yield Ellipsoid((0, back, 0), (300, 17, 22), BONE * 0.6)
    yield Ellipsoid((0, back, 0), (300, 14, 19), MARROW + random.normal(0, 40))
    yield Ellipsoid((0, back + 25, 0), (300, 9, 11), FLUID)
    yield Ellipsoid((0, back + 40, 0), (300, 12, 4), BONE)


def _look_alikes(body: Build, random: np.random.Generator) -> Iterator[Ellipsoid]:
    """What the well have too: a thick hilum on each side, a scar, fluid behind a lung."""
    for number, side in enumerate(_SIDES):
        (y, x), (tall, wide) = body.lung_middle(number), body.lungs[number]
        inner = x - side * wide * random.uniform(0.75, 0.95)
        size = random.uniform(7, 15)
        yield Ellipsoid((random.normal(0, 12), y + random.normal(0, 12), inner), (size * 1.5, size, size), BLOOD)
        if random.random() < 0.2:
            place = (random.normal(0, 15), y + 0.5 * tall * random.uniform(-1, 1), x)
            yield Ellipsoid(place, (12, 2.2, random.uniform(15, 30)), MUSCLE - 100, random.uniform(-0.6, 0.6))
        if random.random() < 0.15:
            place = (random.normal(-10, 15), y + tall * random.uniform(0.9, 1.0), x)
            yield Ellipsoid(place, (60, tall * random.uniform(0.1, 0.25), 0.6 * wide), FLUID)


def _lobes(lesion: Lesion, random: np.random.Generator) -> Iterator[Ellipsoid]:
    """A lesion is not round: a body with some lobes."""
    yield Ellipsoid(lesion.centre, (lesion.radius, lesion.radius * 0.9, lesion.radius * 0.9), lesion.hounsfield)
    z, y, x = lesion.centre
    for _ in range(3):
        angle, size = random.uniform(0, 2 * math.pi), lesion.radius * random.uniform(0.35, 0.6)
        place = (z, y + 0.75 * lesion.radius * math.sin(angle), x + 0.75 * lesion.radius * math.cos(angle))
        yield Ellipsoid(place, (size * 1.3, size, size), lesion.hounsfield)
