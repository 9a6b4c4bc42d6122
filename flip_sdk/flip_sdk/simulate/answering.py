"""Releases of questions by pretend Trusts, noised and floored as at a real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from flip_sdk.accounting.events import AnyEvent, Gaussian, Pure
from flip_sdk.contract.statistics import AnyQuestion, tables_of
from flip_sdk.mechanisms.floors import FLOOR, gaussian_threshold
from flip_sdk.mechanisms.statistics.release import CELLS, release_of
from flip_sdk.simulate.noise import Noise
from flip_sdk.simulate.scoring import least_cells

Sums = dict[str, npt.NDArray[np.float64]]


def noisy(question: AnyQuestion, event: AnyEvent, exact: Mapping[str, npt.NDArray[Any]], noise: Noise) -> Sums | None:
    """One Trust's release; None where its noisy number of persons is under the floor."""
    if isinstance(event, Pure):
        tables = tables_of(question)
        cells = noise.laplace(exact[CELLS].astype(np.int64), tables / event.epsilon)
        small = cells.sum() < least_cells(noise, event.epsilon / tables, cells.size, tables)
        return None if small else {CELLS: cells.astype(np.float64)}
    assert isinstance(event, Gaussian)
    release = release_of(question)
    deviations = {name: release.deviation(name, event.noise_multiplier) for name in release.weights}
    sums = {name: noise.gaussian(exact[name].astype(np.float64), scale) for name, scale in deviations.items()}
    small = sums["persons"][0] < gaussian_threshold(FLOOR, deviations["persons"] * noise.loudness)
    return None if small else sums
