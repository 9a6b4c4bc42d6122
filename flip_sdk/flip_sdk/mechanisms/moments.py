"""Exact sums of moments over persons: what ``prepare`` and the mechanism ``sufficient_statistics`` release.

A person with several rows counts with the mean over them, so that the bounds hold for the person.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from flip_sdk.contract.graph import Loss
from flip_sdk.contract.prepare import MIDDLE_OF_SQUARES, longest
from flip_sdk.mechanisms.features import shortened
from flip_sdk.mechanisms.snapshot import Snapshot

Array = npt.NDArray[np.float64]
Tensors = dict[str, Array]
SENSITIVITY_OF_STATISTICS = float(np.sqrt(2.0))
"""L2 bound of one person's ``gram`` (1) and ``moment`` (1) together."""


def feature_sums(snapshot: Snapshot, mapped: Array, weight_of_count: float) -> Tensors:
    """``persons`` · weight, and ``sum`` and ``sum_of_squares`` of ``contract.prepare``.

    Args:
        snapshot: whose rows they are.
        mapped: its features ``[rows, d]``, mapped to [-1, 1].
        weight_of_count: what a person adds to ``persons``.
    """
    features = mapped.shape[1]
    both = np.concatenate([mapped, np.square(mapped) - MIDDLE_OF_SQUARES], axis=1)
    total = shortened(snapshot.mean_of_rows(both), longest(features)).sum(axis=0)
    persons = np.array([weight_of_count * snapshot.count])
    return {"persons": persons, "sum": total[:features], "sum_of_squares": total[features:]}


def sufficient_statistics(snapshot: Snapshot, fed: Array, loss: Loss, outputs: int) -> Tensors:
    """``gram`` (d + 1, d + 1) and ``moment`` (d + 1, outputs): XᵀX and XᵀY over the rows of :func:`design`.

    Args:
        snapshot: whose rows they are.
        fed: features ``[rows, d]`` as a model is fed.
        loss: what ``Y`` is: -1 or 1 with binary_cross_entropy, 1 at the label's place with cross_entropy, the label
            itself, 0 or 1, with mse.
        outputs: of the model.
    """
    rows = design(fed)
    # a person's rows share the person's weight of one
    weighted = rows if snapshot.persons is None else rows / snapshot.rows[snapshot.persons][:, None]
    return {"gram": weighted.T @ rows, "moment": weighted.T @ _targets(snapshot.labels, loss, outputs)}


def statistics_shapes(features: int, parameters: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shapes of ``gram`` and ``moment`` for a model that is one linear layer, by the shapes of its parameters."""
    outputs = max(shape[0] for shape in parameters.values())
    return {"gram": (features + 1, features + 1), "moment": (features + 1, outputs)}


def design(fed: Array) -> Array:
    """Rows (x, 1) / sqrt(d + 1), x being no longer than sqrt(d): no longer than 1."""
    features = fed.shape[1]
    rows = np.concatenate([shortened(fed, np.sqrt(features)), np.ones((len(fed), 1))], axis=1)
    scaled: Array = rows / np.sqrt(features + 1)
    return scaled


def _targets(labels: npt.NDArray[np.int64], loss: Loss, outputs: int) -> Array:
    """``[rows, outputs]``, every row no longer than 1."""
    if loss == "cross_entropy":
        hits: Array = np.equal(np.arange(outputs)[None, :], labels[:, None]).astype(np.float64)
        return hits
    share: Array = np.clip(labels, 0, 1).astype(np.float64)[:, None]
    return share if loss == "mse" else np.asarray(2 * share - 1)
