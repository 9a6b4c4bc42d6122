"""The geometry of images as a synthetic twin tells it: one series a person, one cell of each histogram.

Which series is a person's is settled by that person's own rows alone (the longest, then the smallest number), so one
person more or less moves every histogram by exactly 1, whatever the others have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.twins import GRIDS, IMAGING, TwinImages

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Everybody's longest series; every array has one entry a person.

    Attributes:
        modality: place in :data:`IMAGING`; -1 where a person has no series of one.
        geometry: by name of :data:`GRIDS`, NaN where it is not known.
    """

    modality: npt.NDArray[np.int64]
    geometry: Mapping[str, Array]


def images_of(counts: Mapping[str, npt.NDArray[np.int64]]) -> tuple[TwinImages, ...]:
    """Noisy numbers as a twin tells them."""
    return tuple(
        TwinImages.model_validate({"told": told, "cells": tuple(int(count) for count in counts[told])})
        for told in GRIDS
    )


def geometry_counts(series: Series, told: str) -> Array:
    """How many persons are in each cell of one histogram; everybody is in exactly one."""
    grid = np.log(np.array(GRIDS[told]))
    width = len(grid) + 1
    values = np.asarray(series.geometry[told], dtype=np.float64)
    known = np.isfinite(values) & (values > 0)
    logs = np.log(np.where(known, values, 1.0))
    nearest = np.abs(logs[:, None] - grid[None, :]).argmin(axis=1) if len(logs) else np.zeros(0, dtype=np.int64)
    cell = series.modality * width + np.where(known, nearest, width - 1)
    there = (series.modality >= 0) & (series.modality < len(IMAGING))
    cell = np.where(there, cell, len(IMAGING) * width)
    return np.bincount(cell, minlength=len(IMAGING) * width + 1).astype(np.float64)
