"""Sets of persons as one bit a person: a thousand million persons' AND is a memory's bandwidth, not a join."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flip_trust.cohort.resident.tables import Mask, Rows


@dataclass(frozen=True)
class Bitmap:
    """A set of persons, by their places.

    Attributes:
        size: how many persons there are in all.
        words: 64 persons a word, the last word's spare bits zero.
    """

    size: int
    words: npt.NDArray[np.uint64] = field(repr=False)

    @classmethod
    def of(cls, mask: Mask) -> Bitmap:
        """The persons for whom the mask is true."""
        packed = np.zeros(-(-len(mask) // 64) * 8, dtype=np.uint8)
        bits = np.packbits(mask, bitorder="little")
        packed[: len(bits)] = bits
        return cls(len(mask), packed.view(np.uint64))

    @classmethod
    def at(cls, size: int, places: Rows) -> Bitmap:
        """The persons at these places, each any number of times."""
        mask = np.zeros(size, dtype=bool)
        mask[places] = True
        return cls.of(mask)

    def __and__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.size, self.words & other.words)

    def __or__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.size, self.words | other.words)

    def __sub__(self, other: Bitmap) -> Bitmap:
        return Bitmap(self.size, self.words & ~other.words)

    def __len__(self) -> int:
        return int(np.bitwise_count(self.words).sum())

    def mask(self) -> Mask:
        """One truth value a person."""
        return np.unpackbits(self.words.view(np.uint8), count=self.size, bitorder="little").view(bool)

    def places(self) -> Rows:
        """The persons' places, ascending."""
        return np.flatnonzero(self.mask())
