"""Counts and scores of pretend Trusts, noised and floored as at a real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import EvaluateSpec
from flip_sdk.mechanisms.floors import FLOOR, ROUNDING, laplace_threshold
from flip_sdk.simulate.noise import Noise

if TYPE_CHECKING:
    from flip_sdk.mechanisms.snapshot import Snapshot

Tables = dict[str, npt.NDArray[np.float64]]


def noisy_count(persons: int, epsilon: float, noise: Noise) -> int | None:
    """A number of persons as a Trust tells it: noised, rounded, and None under the floor."""
    noisy = int(noise.laplace(np.array([persons], dtype=np.int64), 1 / epsilon)[0])
    if noisy < least_cells(noise, epsilon, cells=1):
        return None
    return ROUNDING * round(noisy / ROUNDING)


def tables(spec: EvaluateSpec, graph: bytes, weights: bytes, snapshots: Mapping[str, Snapshot], noise: Noise) -> Tables:
    """Noisy tables of scores or classes by label, of those Trusts that are over their floor."""
    from flip_sdk.mechanisms.computation import Computation

    bounds = np.array([[feature.low, feature.high] for feature in spec.features], dtype=np.float64).reshape(-1, 2)
    found = {}
    for name, snapshot in snapshots.items():
        computation = Computation(snapshot, bounds, graph)
        if spec.label.classes == 2:
            exact = computation.scores(weights, spec.scaling, spec.bins)["histogram"]
        else:
            exact = computation.confusion(weights, spec.scaling, spec.label.classes)["confusion"]
        noisy = noise.laplace(exact, 1 / spec.epsilon)
        if noisy.sum() >= least_cells(noise, spec.epsilon, cells=noisy.size):
            found[name] = noisy.astype(np.float64)
    return found


def least_cells(noise: Noise, epsilon: float, cells: int, tables: int = 1) -> float:
    """The smallest noisy total that passes the floor; in several tables everybody counts as often."""
    floor = tables * FLOOR
    return floor if noise.loudness < 1 else laplace_threshold(floor, epsilon, cells)
