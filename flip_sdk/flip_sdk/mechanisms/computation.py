"""What a worker computes on its snapshot: functions of snapshot and request alone, but for DP-SGD's own noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flip_sdk.contract.graph import LIMITS, Limits, Loss
from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.errors import ModelError
from flip_sdk.mechanisms.blocks import chunks, filled
from flip_sdk.mechanisms.closed_form import logits_of
from flip_sdk.mechanisms.features import mapped, scaled
from flip_sdk.mechanisms.gradients import clipped_sum, in_float64
from flip_sdk.mechanisms.model import Model, rebuild, require_fit
from flip_sdk.mechanisms.noise import add_gaussian, uniform
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models.importing import read_weights

Array = npt.NDArray[np.float64]
Tensors = dict[str, Array]
_SCORED_AT_ONCE = 1024


@dataclass(frozen=True)
class Descent:
    """DP-SGD as asked: how often, how far, with how much noise.

    Attributes:
        mechanism: clipping, sampling, learning rate and number of steps.
        noise_multiplier: standard deviation of each step's noise, in units of ``max_grad_norm``.
        expected_persons: the noisy number of persons, by which sums are divided.
    """

    mechanism: DPSGD
    noise_multiplier: float
    expected_persons: float


class Computation:
    """One job's snapshot and model."""

    def __init__(self, snapshot: Snapshot, bounds: Array, graph: bytes | None, limits: Limits = LIMITS) -> None:
        self._snapshot, self._bounds = snapshot, bounds
        self._model = rebuild(graph, snapshot.features.shape[1], limits) if graph is not None else None

    def statistics(self, weight_of_count: float) -> Tensors:
        """Exact ``persons`` · weight, and ``sum`` and ``sum_of_squares`` of the features mapped to [-1, 1]."""
        persons = np.array([weight_of_count * len(self._snapshot.labels)])
        x = mapped(self._snapshot.features, self._bounds)
        return {"persons": persons, "sum": x.sum(axis=0), "sum_of_squares": np.square(x).sum(axis=0)}

    def gradient(self, weights: bytes, scaling: Scaling | None, loss: Loss, max_grad_norm: float) -> Tensors:
        """Exact sum of clipped per-person gradients."""
        model = self._ready(loss)
        x = scaled(self._snapshot.features, self._bounds, scaling)
        return clipped_sum(model, _weights(model, weights), x, self._labels, loss, max_grad_norm)

    def dp_sgd(self, weights: bytes, scaling: Scaling | None, loss: Loss, descent: Descent) -> Tensors:
        """New weights minus the given ones, after local steps that each carry their full noise."""
        model, mechanism = self._ready(loss), descent.mechanism
        x = scaled(self._snapshot.features, self._bounds, scaling)
        start = _weights(model, weights)
        now = dict(start)
        expected = max(1.0, descent.expected_persons * mechanism.sampling_rate)
        for _ in range(mechanism.local_steps):
            chosen = uniform(len(x)) < mechanism.sampling_rate
            exact = clipped_sum(model, now, x[chosen], self._labels[chosen], loss, mechanism.max_grad_norm)
            for key, total in exact.items():
                noisy = add_gaussian(total, descent.noise_multiplier * mechanism.max_grad_norm)
                step = torch.from_numpy(mechanism.learning_rate * noisy / expected)
                now[key] = (now[key].to(torch.float64) - step).to(torch.float32)
        return {key: (now[key].double() - start[key].double()).numpy() for key in model.record.parameters}

    def scores(self, weights: bytes, scaling: Scaling | None, bins: int) -> dict[str, npt.NDArray[np.int64]]:
        """Exact ``histogram`` (2, bins): how many persons of each label have a predicted probability in each bin."""
        model = self._ready(None)
        x = scaled(self._snapshot.features, self._bounds, scaling)
        probability = _probabilities(model, _weights(model, weights), x)
        # a score that is not a number is in the first bin: every person is in exactly one cell
        column = np.clip(np.floor(np.nan_to_num(probability, nan=0.0) * bins), 0, bins - 1).astype(np.int64)
        row = np.clip(self._snapshot.labels, 0, 1)
        cells = np.bincount(row * bins + column, minlength=2 * bins)
        return {"histogram": cells.reshape(2, bins).astype(np.int64)}

    @property
    def _labels(self) -> npt.NDArray[np.int64]:
        return self._snapshot.labels

    def _ready(self, loss: Loss | None) -> Model:
        if self._model is None:
            raise ModelError("There is no model graph to compute with.")
        if loss is not None:
            require_fit(self._model.record, self._snapshot.features.shape[1], loss)
        return self._model


def _weights(model: Model, content: bytes) -> dict[str, Tensor]:
    return read_weights(model.record, content)


@torch.no_grad()
def _probabilities(model: Model, weights: dict[str, Tensor], features: Array) -> Array:
    """Of label 1: the logistic function of one logit, or the softmax of several, of which the second is label 1's."""
    logits = _logits(model, weights, features)
    probability = torch.sigmoid(logits[:, 0]) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)[:, 1]
    result: Array = probability.numpy()
    return result


def _logits(model: Model, weights: dict[str, Tensor], features: Array) -> Tensor:
    if model.linear is not None:
        return torch.from_numpy(logits_of(model.linear, in_float64(weights), features))

    def one(x: Tensor) -> Tensor:
        return model.scoring(weights, x.unsqueeze(0)).squeeze(0)

    parts = [
        torch.func.vmap(one, randomness="different")(torch.from_numpy(filled(features[part]).astype(np.float32)))[
            : len(features[part])
        ]
        for part in chunks(len(features), _SCORED_AT_ONCE)
    ]
    return torch.cat(parts).double() if parts else torch.zeros(0, 1, dtype=torch.float64)
