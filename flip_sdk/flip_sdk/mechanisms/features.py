"""From raw measurements to what a model takes: public bounds first, so that one person's influence is bounded.

Everything here is finite whatever the bounds and the scaling are, which come from outside: a number that is not would
end in an error, and an error that depends on what one person has would tell it, outside of all noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import Scaling

Array = npt.NDArray[np.float64]


LARGEST = 1e30
"""No number that a model is fed is larger: its square is finite in float64, and it is itself in float32."""


def clamped(features: Array, bounds: Array) -> Array:
    """Raw values within their bounds ``[d, 2]``; a missing one becomes the middle of its bounds."""
    low, high = bounds[:, 0], bounds[:, 1]
    within: Array = np.clip(np.where(np.isnan(features), low / 2 + high / 2, features), low, high)
    return within


def mapped(features: Array, bounds: Array) -> Array:
    """Clamped values mapped to [-1, 1] by their bounds."""
    low, high = bounds[:, 0], bounds[:, 1]
    half = np.maximum(high / 2 - low / 2, np.finfo(np.float64).tiny)
    unit: Array = np.clip((clamped(features, bounds) - (low / 2 + high / 2)) / half, -1.0, 1.0)
    return unit


def scaled(features: Array, bounds: Array, scaling: Scaling | None) -> Array:
    """``(clamped - shift) / scale``, rows no longer than ``max_norm``: what the model is fed.

    Without a scaling, values mapped to [-1, 1].
    """
    if scaling is None:
        return mapped(features, bounds)
    with np.errstate(over="ignore"):
        fed: Array = (clamped(features, bounds) - np.array(scaling.shift)) / np.array(scaling.scale)
    np.clip(fed, -LARGEST, LARGEST, out=fed)
    return fed if scaling.max_norm is None else shortened(fed, scaling.max_norm)


def shortened(rows: Array, longest: float) -> Array:
    """Rows ``[n, d]``, those whose L2 norm is above ``longest`` scaled down to it."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    within: Array = rows * np.minimum(1.0, longest / np.maximum(norms, np.finfo(np.float64).tiny))
    return within
