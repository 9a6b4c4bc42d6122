"""A catalogue's numbers of persons: one Gaussian release of five groups of counts, then floors and rounding.

A person's row in a group has a 1 in every cell that they are in (in *quality* the share of their records that fail a
check), and is shortened where it is longer than :data:`LONGEST` or than the group has cells for: what one person more
or less changes is no longer than that, whatever the data are. Each group has its own part of the squared privacy loss;
together they are one Gaussian mechanism on the rows side by side, each scaled by its group's noise. Floors, rounding,
months and shares are reckoned out of the noisy counts and cost nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.composition import GAUSSIAN_SHARE
from flip_sdk.accounting.events import Gaussian
from flip_sdk.accounting.gaussian import squared_at
from flip_sdk.contract.holdings import (
    BODY_PARTS,
    MODALITIES,
    MONTHS,
    TABLES,
    YEARS,
    Category,
    ConceptHolding,
    HeldTable,
    Holdings,
    HoldingsNoise,
    ImagingHolding,
    QualityHolding,
    TableHolding,
    YearHolding,
)
from flip_sdk.mechanisms.floors import gaussian_threshold
from flip_sdk.mechanisms.noise import add_gaussian

Array = npt.NDArray[np.float64]
Group = Literal["concepts", "imaging", "years", "tables", "quality"]
SHARES: dict[Group, float] = {"concepts": 0.4, "imaging": 0.15, "years": 0.2, "tables": 0.15, "quality": 0.1}
"""Of the squared privacy loss."""
LONGEST: dict[Group, float] = {
    "concepts": 16.0,
    "imaging": 4.0,
    "years": math.sqrt(40),
    "tables": math.sqrt(2 * len(TABLES)),
    "quality": 3.0,
}
"""Of a person's row: 256 concepts, 16 kinds of images, 40 years of tables; nobody's is too long in *tables*, where each
person is in the cell of a table and in that of their latest month."""
_RECENT = 12
_WIDEST = 5.0
"""Percentage points: a share that the noise leaves less certain than this is not told."""
_CERTAIN = 3.5
"""Standard deviations that a check's share may be off by: more, among all checks, once in 30 catalogues."""


@dataclass(frozen=True)
class Check:
    """A check that a catalogue tells of.

    Attributes:
        words: what it looks for, out of a public list.
        allowed: percent of rows that may fail.
        covers: whether it asks that each person has a row; told by the persons of the table, with no cell of its own.
    """

    category: Category
    table: HeldTable | Literal["person"]
    words: str
    allowed: float
    covers: bool = False


@dataclass(frozen=True)
class Public:
    """What is counted, none of it read off the patients.

    Attributes:
        concepts: the catalogue's.
        year, month: in which the catalogue is made.
        floor: the Trust's.
        rounding: the Trust's.
    """

    concepts: tuple[int, ...]
    checks: tuple[Check, ...]
    year: int
    month: int
    floor: int
    rounding: int

    @property
    def years(self) -> range:
        """The calendar years."""
        return range(self.year - YEARS + 1, self.year + 1)

    @property
    def months(self) -> range:
        """The months, each as ``12 · year + month - 1``."""
        this = 12 * self.year + self.month - 1
        return range(this - MONTHS + 1, this + 1)


@dataclass(frozen=True)
class Counts:
    """Sums over persons of their rows, exact or noisy.

    Attributes:
        concepts: ``[concepts]``.
        imaging: ``[modalities, 1 + body parts]``, of any part first.
        years: ``[tables, years]``.
        tables: ``[tables, 1 + months]``: with any record first, then by the month of their latest.
        quality: ``[checks]``.
    """

    concepts: Array
    imaging: Array
    years: Array
    tables: Array
    quality: Array


def debit_of_holdings(epsilon: float, delta: float) -> Debit:
    """What the numbers cost together: ``epsilon`` at ``delta``."""
    return Debit("holdings", Gaussian(noise_multiplier=_multiplier(epsilon, delta)))


def sensitivity(group: Group, cells: int) -> float:
    """Most that one person can change a group's counts by, in L2."""
    return min(LONGEST[group], math.sqrt(max(cells, 1)))


def deviation(group: Group, cells: int, epsilon: float, delta: float) -> float:
    """Standard deviation of the noise in a group's counts."""
    return _multiplier(epsilon, delta) * sensitivity(group, cells) / math.sqrt(SHARES[group])


def shapes(public: Public) -> dict[Group, tuple[int, ...]]:
    """Of the counts."""
    return {
        "concepts": (len(public.concepts),),
        "imaging": (len(MODALITIES), 1 + len(BODY_PARTS)),
        "years": (len(TABLES), YEARS),
        "tables": (len(TABLES), 1 + MONTHS),
        "quality": (len(public.checks),),
    }


def measure(exact: Counts, public: Public, persons: int, epsilon: float, delta: float) -> Holdings:
    """What a catalogue tells of some persons. Debit :func:`debit_of_holdings` before.

    Args:
        exact: sums over persons, each row no longer than :func:`sensitivity`.
        public: what was counted.
        persons: how many there are, as the catalogue tells it.
        epsilon: of everything together.
        delta: at which it is reckoned.
    """
    noise = {group: deviation(group, math.prod(shape), epsilon, delta) for group, shape in shapes(public).items()}
    noisy = Counts(**{group: _noisy(getattr(exact, group), shape, noise[group]) for group, shape in _shaped(public)})
    tell = _Telling(public, noisy, noise, persons)
    return Holdings(
        concepts=tuple(tell.concepts()),
        imaging=tuple(tell.imaging()),
        years=tuple(tell.years()),
        tables=tuple(tell.tables()),
        quality=tuple(tell.quality()),
        noise=HoldingsNoise(**{group: noise[group] for group in ("concepts", "imaging", "years", "tables")}),
        floor=public.floor,
        rounding=public.rounding,
        epsilon=epsilon,
        delta=delta,
    )


@dataclass(frozen=True)
class _Telling:
    """From noisy counts to what is told of them."""

    public: Public
    noisy: Counts
    noise: dict[Group, float]
    persons: int

    def concepts(self) -> Iterator[ConceptHolding]:
        for place, number in self._over("concepts", self.noisy.concepts):
            yield ConceptHolding(concept_id=self.public.concepts[place[0]], persons=number)

    def imaging(self) -> Iterator[ImagingHolding]:
        for (modality, part), number in self._over("imaging", self.noisy.imaging):
            body_part = BODY_PARTS[part - 1] if part else ""
            yield ImagingHolding(modality=MODALITIES[modality], body_part=body_part, persons=number)

    def years(self) -> Iterator[YearHolding]:
        for (table, year), number in self._over("years", self.noisy.years):
            yield YearHolding(table=TABLES[table], year=self.public.years[year], persons=number)

    def tables(self) -> Iterator[TableHolding]:
        for (table,), number in self._over("tables", self._ever):
            months = self.noisy.tables[table, 1:]
            recent = list(self._over("tables", months[-_RECENT:].sum(keepdims=True), math.sqrt(_RECENT)))
            yield TableHolding(
                table=TABLES[table],
                persons=number,
                latest=self._latest(months),
                recent=recent[0][1] if recent else None,
            )

    def quality(self) -> Iterator[QualityHolding]:
        everybody = float(self.persons)
        held: dict[str, float] = {TABLES[at[0]]: float(self._ever[at]) for at, _ in self._over("tables", self._ever)}
        held["person"] = everybody
        for check, sum_of_shares in zip(self.public.checks, self.noisy.quality, strict=True):
            if check.table not in held:
                continue
            among = everybody if check.covers else held[check.table]
            failing = everybody - held[check.table] if check.covers else float(sum_of_shares)
            within = 100 * _CERTAIN * self.noise["tables" if check.covers else "quality"] / among
            if within <= _WIDEST:
                yield QualityHolding(
                    category=check.category,
                    table=check.table,
                    check=check.words,
                    percent=round(min(max(100 * failing / among, 0.0), 100.0), 1),
                    within=math.ceil(10 * within) / 10,
                    allowed=check.allowed,
                )

    @property
    def _ever(self) -> Array:
        return self.noisy.tables[:, 0]

    def _latest(self, months: Array) -> str | None:
        """The newest month since which a number over the floor has had a record."""
        counted = np.cumsum(months[::-1])
        for back, number in enumerate(counted):
            if number >= gaussian_threshold(self.public.floor, self.noise["tables"] * math.sqrt(back + 1), len(months)):
                month = self.public.months[-1 - back]
                return f"{month // 12}-{month % 12 + 1:02d}"
        return None

    def _over(self, group: Group, counts: Array, widened: float = 1.0) -> Iterator[tuple[tuple[int, ...], int]]:
        """The places of the counts that are over the floor, and what is told there."""
        least = gaussian_threshold(self.public.floor, self.noise[group] * widened, counts.size)
        for place in np.argwhere(counts >= least):
            at = tuple(int(step) for step in place)
            yield at, self.public.rounding * round(float(counts[at]) / self.public.rounding)


def shortened_weights(lengths: Array, group: Group, cells: int) -> Array:
    """What each person's row is multiplied by, so that it is no longer than :func:`sensitivity`.

    Args:
        lengths: L2 norms of the rows.
        group: theirs.
        cells: that the group has.
    """
    longest = sensitivity(group, cells)
    weights: Array = longest / np.maximum(lengths, longest)
    return weights


def _shaped(public: Public) -> Sequence[tuple[Group, tuple[int, ...]]]:
    return tuple(shapes(public).items())


def _noisy(exact: Array, shape: tuple[int, ...], scale: float) -> Array:
    if exact.shape != shape:
        raise ValueError("counts of another shape than was asked for")
    return add_gaussian(np.asarray(exact, dtype=np.float64), scale)


def _multiplier(epsilon: float, delta: float) -> float:
    return 1 / math.sqrt(squared_at(epsilon, GAUSSIAN_SHARE * delta) * (1 - 1e-8))
