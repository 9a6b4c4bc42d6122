"""A synthetic twin as a Trust measures it: noisy one-way counts and noisy second moments.

Two releases, each with Gaussian noise at a sensitivity that is the same whatever the data are. *Cells*: every person is
in one cell of every column (genders and what is told of images are such columns too), so one person more or less moves
m columns by 1 each, √m in L2. *Products*: values are
standardised by what the noisy cells say (no further look), each person's row is shortened to √m, so that its products
are no longer than m. People are made up from the noisy numbers alone (``simulate.twins``), which costs nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.composition import GAUSSIAN_SHARE
from flip_sdk.accounting.events import Gaussian
from flip_sdk.accounting.gaussian import squared_at
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.twins import BINS, GRIDS, MOST_COLUMNS, OLDEST, Twin, TwinColumn
from flip_sdk.mechanisms.features import shortened
from flip_sdk.mechanisms.noise import add_gaussian
from flip_sdk.mechanisms.twin_images import Series, geometry_counts, images_of

Array = npt.NDArray[np.float64]
CELLS_SHARE = 0.6
"""Of the squared privacy loss, what the cells get; the products get the rest."""
_WIDEST = 3.0
_LEAST_SPREAD = 0.05


@dataclass(frozen=True)
class Table:
    """One row a person: what a twin is measured on.

    Attributes:
        values: ``[persons]`` by column: a measurement with NaN where there is none, 0 or 1, or an age in years.
        genders: ``[persons]``, gender concepts.
        images: everybody's longest series, where the twin is to tell of images.
    """

    columns: tuple[TwinColumn, ...]
    values: tuple[Array, ...]
    genders: npt.NDArray[np.int64]
    images: Series | None = None


def columns_of(concepts: Sequence[CatalogueConcept]) -> tuple[TwinColumn, ...]:
    """The columns that a catalogue's twin has: the age, and the first concepts that have bounds or are conditions."""
    age = TwinColumn(kind="age", low=0, high=OLDEST, cells=(0,) * BINS)
    found = [age]
    for concept in concepts:
        if concept.domain == "Condition":
            found.append(TwinColumn(kind="condition", concept_id=concept.concept_id, cells=(0, 0)))
        elif concept.domain == "Measurement" and concept.low is not None and concept.high is not None:
            bounds = {"low": concept.low, "high": concept.high}
            found.append(
                TwinColumn(kind="measurement", concept_id=concept.concept_id, cells=(0,) * (BINS + 1), **bounds)
            )
    return tuple(found[:MOST_COLUMNS])


def debits_of_twin(epsilon: float, delta: float) -> tuple[Debit, Debit]:
    """What a twin costs: its two releases together ``epsilon`` at ``delta``."""
    cells, products = (Gaussian(noise_multiplier=noise) for noise in _noise(epsilon, delta))
    return Debit("twin-cells", cells), Debit("twin-products", products)


def _noise(epsilon: float, delta: float) -> tuple[float, float]:
    squared = squared_at(epsilon, GAUSSIAN_SHARE * delta) * (1 - 1e-8)
    return 1 / math.sqrt(CELLS_SHARE * squared), 1 / math.sqrt((1 - CELLS_SHARE) * squared)


def measure(table: Table, gender_concepts: Sequence[int], epsilon: float, delta: float) -> Twin:
    """A twin of some persons. Debit :func:`debits_of_twin` before.

    Args:
        table: the persons; the cells of its columns are not read.
        gender_concepts: the genders that are counted apart.
        epsilon: of both releases together.
        delta: at which it is reckoned.
    """
    cells_noise, products_noise = _noise(epsilon, delta)
    exact = [counts(column, values) for column, values in zip(table.columns, table.values, strict=True)]
    exact.append(gender_counts(table.genders, gender_concepts))
    if table.images is not None:
        exact += [geometry_counts(table.images, told) for told in GRIDS]
    noisy = np.rint(add_gaussian(np.concatenate(exact), cells_noise * math.sqrt(len(exact)))).astype(np.int64)
    parts = np.split(noisy, np.cumsum([len(part) for part in exact])[:-1])
    width = len(table.columns)
    columns = tuple(
        column.model_copy(update={"cells": tuple(int(count) for count in part)})
        for column, part in zip(table.columns, parts[:width], strict=True)
    )
    images = images_of(dict(zip(GRIDS, parts[width + 1 :], strict=True))) if table.images is not None else ()
    deviation = products_noise * len(columns)
    products = add_gaussian(products_of(columns, table.values), deviation)
    return Twin(
        columns=columns,
        gender_concepts=tuple(gender_concepts),
        genders=tuple(int(count) for count in parts[width]),
        products=tuple(float(product) for product in products),
        noise=deviation,
        images=images,
        epsilon=epsilon,
        delta=delta,
    )


def counts(column: TwinColumn, values: Array) -> Array:
    """How many persons are in each cell; everybody is in exactly one."""
    if column.kind == "condition":
        return np.bincount((values > 0).astype(np.int64), minlength=2).astype(np.float64)
    there = np.isfinite(values)
    within = np.clip(np.where(there, values, column.low), column.low, column.high)
    steps = (within - column.low) / (column.high - column.low) * BINS
    place = np.clip(np.floor(steps), 0, BINS - 1).astype(np.int64)
    if column.kind == "measurement":
        place[~there] = BINS
    return np.bincount(place, minlength=len(column.cells)).astype(np.float64)


def gender_counts(genders: npt.NDArray[np.int64], concepts: Sequence[int]) -> Array:
    """How many persons there are of each gender concept, and of all others."""
    place = np.full(len(genders), len(concepts))
    for number, concept in enumerate(concepts):
        place[genders == concept] = number
    return np.bincount(place, minlength=len(concepts) + 1).astype(np.float64)


def products_of(columns: Sequence[TwinColumn], values: Sequence[Array]) -> Array:
    """Sums over persons of the products of every two standardised columns: one person's are no longer than ``m``."""
    rows = np.stack([_standard(column, own) for column, own in zip(columns, values, strict=True)], axis=1)
    rows = shortened(rows, math.sqrt(len(columns)))
    upper = np.triu_indices(len(columns))
    result: Array = (rows.T @ rows)[upper]
    return result


def _standard(column: TwinColumn, values: Array) -> Array:
    middle, spread = _moments(column)
    scaled = (np.nan_to_num(values, nan=middle, posinf=column.high, neginf=column.low) - middle) / spread
    clipped: Array = np.clip(scaled, -_WIDEST, _WIDEST)
    return clipped


def _moments(column: TwinColumn) -> tuple[float, float]:
    """Middle and spread by the noisy cells."""
    shares, centres = shares_of(column), _centres(column)
    middle = float(shares @ centres)
    spread = math.sqrt(max(float(shares @ np.square(centres - middle)), 0.0))
    return middle, max(spread, _LEAST_SPREAD * (column.high - column.low))


def shares_of(column: TwinColumn) -> Array:
    """Of the persons who have a value, the share in each cell; equal shares where noise left nobody."""
    found = np.maximum(np.array(column.cells[:BINS], dtype=np.float64), 0.0)
    total = found.sum()
    return found / total if total > 0 else np.full(len(found), 1 / len(found))


def _centres(column: TwinColumn) -> Array:
    if column.kind == "condition":
        return np.array([0.0, 1.0])
    return column.low + (np.arange(BINS) + 0.5) * (column.high - column.low) / BINS
