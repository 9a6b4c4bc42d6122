"""People made up from a synthetic twin's noisy numbers, by a Gaussian copula.

A normal vector of the noisy correlation is drawn, and each column goes through the noisy distribution (Nelsen, "An
Introduction to Copulas", 2006; its use for private data after Li, Xiong and Jiang, "DPSynthesizer", VLDB 2014). Nothing
but what was published is looked at, so it costs no privacy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.twins import BINS, Twin, TwinColumn
from flip_sdk.mechanisms.twins import shares_of

Array = npt.NDArray[np.float64]
_SURE = 3.0
"""A correlation counts by as much as it is beyond so many standard deviations of its noise."""


def correlation(twin: Twin, persons: int) -> Array:
    """``[m, m]``: the correlations that stand out of the noise, as a matrix that is one.

    Args:
        twin: the twin.
        persons: about how many it was measured on.
    """
    width = len(twin.columns)
    found = np.zeros((width, width))
    found[np.triu_indices(width)] = np.array(twin.products) / max(persons, 1)
    found += np.triu(found, 1).T
    doubt = _SURE * twin.noise / max(persons, 1)
    # long rows were shortened, which makes all products smaller; the diagonal tells by how much, if anything
    sizes = np.diagonal(found)
    sizes = np.sqrt(np.where(sizes > 2 * doubt, np.clip(sizes, 0.3, 3.0), 1.0))
    found /= np.outer(sizes, sizes)
    found = np.sign(found) * np.clip(np.abs(found) - doubt, 0.0, 0.95)
    np.fill_diagonal(found, 1.0)
    # the nearest matrix without negative directions, scaled back to a diagonal of ones
    sizes_of, directions = np.linalg.eigh(found)
    near = (directions * np.maximum(sizes_of, 1e-6)) @ directions.T
    scale = np.sqrt(np.diagonal(near))
    result: Array = near / np.outer(scale, scale)
    return result


def made_up(twin: Twin, persons: int, count: int, random: np.random.Generator) -> tuple[Mapping[int, Array], Array]:
    """People out of a twin: by position of the column their values, and their genders.

    Args:
        twin: the twin.
        persons: about how many it was measured on.
        count: how many to make up.
        random: where chance comes from.
    """
    from scipy.special import ndtr

    drawn = ndtr(random.multivariate_normal(np.zeros(len(twin.columns)), correlation(twin, persons), count))
    values = {place: _inverse(column, drawn[:, place], random) for place, column in enumerate(twin.columns)}
    weights = np.maximum(np.array(twin.genders, dtype=np.float64), 0.0)
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))
    return values, random.choice(np.array([*twin.gender_concepts, 0]), count, p=weights)


def _inverse(column: TwinColumn, uniform: Array, random: np.random.Generator) -> Array:
    """Values at these quantiles of a column's noisy distribution."""
    ends = np.concatenate([[0.0], np.cumsum(shares_of(column))])
    cell = np.clip(np.searchsorted(ends, uniform, side="right") - 1, 0, len(ends) - 2)
    if column.kind == "condition":
        return cell.astype(np.float64)
    within = (uniform - ends[cell]) / np.maximum(ends[cell + 1] - ends[cell], 1e-12)
    values: Array = column.low + (cell + np.clip(within, 0.0, 1.0)) * (column.high - column.low) / BINS
    if column.kind == "measurement":
        present = max(sum(max(count, 0) for count in column.cells[:BINS]), 1)
        missing = max(column.cells[BINS], 0) / (present + max(column.cells[BINS], 0))
        values[random.random(len(values)) < missing] = np.nan
    return values
