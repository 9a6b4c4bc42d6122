"""From raw measurements to what a model takes: public bounds first, so that one person's influence is bounded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.jobs import Scaling

Array = npt.NDArray[np.float64]


def clamped(features: Array, bounds: Array) -> Array:
    """Raw values within their bounds ``[d, 2]``; a missing one becomes the middle of its bounds."""
    low, high = bounds[:, 0], bounds[:, 1]
    within: Array = np.clip(np.where(np.isnan(features), (low + high) / 2, features), low, high)
    return within


def mapped(features: Array, bounds: Array) -> Array:
    """Clamped values mapped to [-1, 1] by their bounds."""
    middle, half = bounds.mean(axis=1), (bounds[:, 1] - bounds[:, 0]) / 2
    unit: Array = np.clip((clamped(features, bounds) - middle) / half, -1.0, 1.0)
    return unit


def scaled(features: Array, bounds: Array, scaling: Scaling | None) -> Array:
    """``(clamped - shift) / scale``: what the model is fed. Without a scaling, values mapped to [-1, 1]."""
    if scaling is None:
        return mapped(features, bounds)
    fed: Array = (clamped(features, bounds) - np.array(scaling.shift)) / np.array(scaling.scale)
    return fed
