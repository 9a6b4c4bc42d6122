"""Made-up and public people to try models on: nobody's record that a Trust guards is among them.

A world holds a truth, people drawn out of it, and people that a model is looked at with. Two made-up ones are tried,
because nobody knows beforehand which the real one is like:

- *one kind*: everybody with a label is alike, but for a way of their own and chance; a straight rule tells them.
- *several kinds*: each label comes in two kinds that are unlike each other, and pictures are off their middle by up
  to an eighth of their size, so that a model has to bend, or not to mind where a thing is.

Values that stand next to each other in a picture go together, and those of a table follow half as many hidden factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.features import AnyLabel, Feature
from flip_sdk.mechanisms.snapshot import Snapshot

if TYPE_CHECKING:
    from flip_sdk.catalogue import Catalogue

Array = npt.NDArray[np.float64]
Generator = np.random.Generator
TESTED = 600
"""Made-up persons that a model is looked at with: as many as it takes for chance to be about a point."""
_SPREAD, _KINDS, _COARSE = 0.12, 2, 4
_OWN, _CHANCE = 0.7, 0.5


class World(Protocol):
    """Where people come from."""

    @property
    def name(self) -> str:
        """In a word or two."""

    def people(self, counts: Mapping[str, int], random: Generator) -> dict[str, Snapshot]:
        """So many persons to train on, by Trust."""

    def test(self, random: Generator) -> Snapshot:
        """Other persons."""


@dataclass(frozen=True)
class Truth:
    """What a made-up world's labels look like.

    Attributes:
        name: in a word or two.
        shape: of one record: ``(features,)``, or a picture's channels and sides.
        middle: ``[d]``, of each value.
        spread: ``[d]``, of each value.
        kinds: ``[classes, kinds, d]``: what a label looks like, in units of the spread.
        moves: by how many places at most pictures are off their middle, on each side.
        records: of each person.
    """

    name: str
    shape: tuple[int, ...]
    middle: Array
    spread: Array
    kinds: Array
    moves: tuple[int, ...]
    records: int

    def people(self, counts: Mapping[str, int], random: Generator) -> dict[str, Snapshot]:
        """So many persons to train on, by Trust."""
        return {name: self._drawn(count, random) for name, count in counts.items()}

    def test(self, random: Generator) -> Snapshot:
        """Other persons."""
        return self._drawn(TESTED, random)

    def _drawn(self, count: int, random: Generator) -> Snapshot:
        classes, kinds, width = self.kinds.shape
        labels = random.integers(classes, size=count)
        own = self.kinds[labels, random.integers(kinds, size=count)] + _OWN * fields(self.shape, count, random)
        values = np.repeat(own, self.records, axis=0) + _CHANCE * random.normal(size=(count * self.records, width))
        rows = self.middle + self.spread * self._moved(values, random)
        persons = np.repeat(np.arange(count), self.records)
        return Snapshot(rows, np.repeat(labels, self.records), None if self.records == 1 else persons)

    def _moved(self, values: Array, random: Generator) -> Array:
        if not any(self.moves):
            return values
        pictures = values.reshape(-1, *self.shape)
        sides = tuple(range(len(self.moves)))
        moves = np.stack([random.integers(-most, most + 1, size=len(values)) for most in self.moves], axis=1)
        rolled = [
            np.roll(one, step, axis=tuple(s + 1 for s in sides)) for one, step in zip(pictures, moves, strict=True)
        ]
        return np.stack(rolled).reshape(values.shape)


@dataclass(frozen=True)
class Catalogued:
    """People made up after a catalogue by :func:`flip_sdk.simulate.synthetic`: a straight rule tells them, nearly."""

    catalogue: Catalogue
    features: tuple[Feature, ...]
    label: AnyLabel
    seed: int
    name: str = "one kind"

    def people(self, counts: Mapping[str, int], random: Generator) -> dict[str, Snapshot]:
        """So many persons to train on, by Trust."""
        return self._drawn(counts, random)

    def test(self, random: Generator) -> Snapshot:
        """Other persons."""
        return self._drawn({"": TESTED}, random)[""]

    def _drawn(self, counts: Mapping[str, int], random: Generator) -> dict[str, Snapshot]:
        from flip_sdk.simulate.people import people_of, shape_of

        concepts = list(self.catalogue)
        shape = shape_of(concepts, np.random.default_rng(self.seed))
        found = {}
        for number, (name, count) in enumerate(counts.items()):
            made = people_of(concepts, shape, count, 0.5, number, random)
            found[name] = made.snapshot(self.features, self.label, np.ones(count, dtype=bool))
        return found


class Public:
    """People out of public records: seven in ten are trained on, the others are looked at.

    Those trained on are drawn with repetition, so that noise is as with as many persons as the Trusts have.
    """

    name = "public records"

    def __init__(self, rows: Array, labels: Array, persons: Array | None, records: int, seed: int) -> None:
        owners = np.arange(len(labels)) if persons is None else np.unique(persons, return_inverse=True)[1]
        order = np.random.default_rng(seed).permutation(int(owners.max()) + 1)
        first = round(0.7 * len(order))
        self._rows, self._labels = np.asarray(rows, dtype=np.float64), np.asarray(labels).astype(np.int64)
        starts = np.argsort(owners, kind="stable"), np.searchsorted(np.sort(owners), order)
        ends = np.searchsorted(np.sort(owners), order, side="right")
        self._at = [starts[0][a : min(b, a + records)] for a, b in zip(starts[1], ends, strict=True)]
        self._first, self._several = first, persons is not None

    def people(self, counts: Mapping[str, int], random: Generator) -> dict[str, Snapshot]:
        """So many persons to train on, by Trust."""
        return {name: self._taken(random.integers(self._first, size=count)) for name, count in counts.items()}

    def test(self, random: Generator) -> Snapshot:  # noqa: ARG002 - those that there are
        """Other persons."""
        return self._taken(np.arange(self._first, len(self._at)))

    def _taken(self, chosen: npt.NDArray[np.int64]) -> Snapshot:
        parts = [self._at[i] for i in chosen]
        at = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        persons = np.repeat(np.arange(len(parts)), [len(part) for part in parts]) if self._several else None
        return Snapshot(self._rows[at], self._labels[at], persons)


def made_up(
    shape: tuple[int, ...], bounds: Sequence[tuple[float, float]], classes: int, records: int, seed: int
) -> list[World]:
    """Both made-up worlds, for records of a shape.

    Args:
        shape: ``(features,)``, or a picture's channels and sides.
        bounds: of each value.
        classes: how many labels there are.
        records: of each person.
        seed: the same seed makes the same truths.
    """
    low, high = np.array(bounds, dtype=np.float64).T
    middle, spread, sides = (low + high) / 2, _SPREAD * (high - low), shape[1:]
    moves = tuple(max(1, side // 8) for side in sides)

    def truth(name: str, kinds: int, moves: tuple[int, ...]) -> Truth:
        random = np.random.default_rng([seed, kinds])
        looks = fields(shape, classes * kinds, random).reshape(classes, kinds, -1)
        return Truth(name, shape, middle, spread, looks, moves, records)

    return [truth("one kind", 1, ()), truth("several kinds", _KINDS, moves)]


def fields(shape: tuple[int, ...], count: int, random: Generator) -> Array:
    """``[count, d]`` normal numbers that go together: neighbours in a picture, any in a table."""
    sides = shape[1:]
    if not sides:
        factors = max(min(2, shape[0]), shape[0] // 2)
        # the factors are a world's own and every draw's: they come from its shape alone
        loads = np.random.default_rng(shape[0]).normal(size=(factors, shape[0]))
        together: Array = random.normal(size=(count, factors)) @ (loads / np.linalg.norm(loads, axis=0))
        return together
    from torch import from_numpy
    from torch.nn.functional import interpolate

    coarse = random.normal(size=(count, shape[0], *(min(_COARSE, max(2, side // 2)) for side in sides)))
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(sides)]
    fine: Array = interpolate(from_numpy(coarse), size=sides, mode=mode, align_corners=True).numpy()
    flat = fine.reshape(count, -1)
    even: Array = flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-9)
    return even
