"""What a worker computes on its snapshot: functions of snapshot and request alone, but for DP-SGD's own noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flip_sdk.contract.graph import LIMITS, Limits, Loss
from flip_sdk.contract.jobs import DPSGD, FedProx, Scaling
from flip_sdk.errors import ModelError
from flip_sdk.mechanisms.bookkeeping import run
from flip_sdk.mechanisms.closed_form import lengths_of, logits_of
from flip_sdk.mechanisms.devices import CPU, Device
from flip_sdk.mechanisms.features import mapped, scaled
from flip_sdk.mechanisms.fed import Features, Fed
from flip_sdk.mechanisms.gradients import clipped_sum, in_float64
from flip_sdk.mechanisms.model import Model, rebuild, require_fit
from flip_sdk.mechanisms.moments import feature_sums, sufficient_statistics
from flip_sdk.mechanisms.noise import GaussianSteps, uniform
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models.importing import read_weights

Array = npt.NDArray[np.float64]
Tensors = dict[str, Array]
_SCALED_AT_ONCE = 256


@dataclass(frozen=True)
class Descent:
    """DP-SGD as asked: how often, how far, with how much noise.

    Attributes:
        mechanism: clipping, sampling, learning rate and number of steps.
        noise_multiplier: standard deviation of each step's noise, in units of ``max_grad_norm``.
        expected_persons: the noisy number of persons, by which sums are divided.
        correction: added to every step's gradient, one tensor per parameter (SCAFFOLD).
    """

    mechanism: DPSGD
    noise_multiplier: float
    expected_persons: float
    correction: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    @property
    def pull(self) -> float:
        """How strongly local steps are pulled back to where the round began (FedProx)."""
        aggregation = self.mechanism.aggregation
        return aggregation.mu if isinstance(aggregation, FedProx) else 0.0


class Computation:
    """One job's snapshot and model."""

    def __init__(
        self,
        snapshot: Snapshot,
        bounds: Array,
        graph: bytes | None,
        limits: Limits = LIMITS,
        device: Device = CPU,
    ) -> None:
        self._snapshot, self._bounds, self._device = snapshot, bounds, device
        self._model = rebuild(graph, snapshot.width, limits) if graph is not None else None
        self._last_fed: tuple[Scaling | None, Fed] | None = None

    def statistics(self, weight_of_count: float) -> Tensors:
        """Exact ``persons`` · weight, and ``sum`` and ``sum_of_squares`` as ``contract.prepare`` says."""
        return feature_sums(self._snapshot, mapped(self._snapshot.features, self._bounds), weight_of_count)

    def sufficient_statistics(self, scaling: Scaling | None, loss: Loss) -> Tensors:
        """Exact ``gram`` and ``moment`` of a model that is one linear layer.

        Raises:
            ModelError: it is another one.
        """
        model = self._ready(loss)
        if model.linear is None:
            raise ModelError(
                "Sufficient statistics are enough for a model that is one linear layer, not for this one.",
                "Ask for another mechanism, such as full_batch.",
            )
        x = scaled(self._snapshot.features, self._bounds, scaling)
        outputs = model.record.result_of(model.record.output).elements
        return sufficient_statistics(self._snapshot, x, loss, outputs)

    def gradient(self, weights: bytes, scaling: Scaling | None, loss: Loss, max_grad_norm: float) -> Tensors:
        """Exact sum of clipped per-person gradients."""
        model = self._ready(loss)
        people = self._fed(model, scaling)
        return self._clipped_sum(model, _weights(model, weights), people, loss, max_grad_norm)

    def dp_sgd(self, weights: bytes, scaling: Scaling | None, loss: Loss, descent: Descent) -> Tensors:
        """New weights minus the given ones, after local steps that each carry their full noise."""
        model, mechanism = self._ready(loss), descent.mechanism
        people, start = self._fed(model, scaling), _weights(model, weights)
        _check_correction(model, descent.correction)
        begin = _flat({key: tensor.numpy() for key, tensor in start.items()}, model)
        # the model's parameters are views of one array, so that a step is a few calls, however many there are
        reached = begin.copy()
        now = start | _views(reached, model)
        correction = _flat(descent.correction, model) if descent.correction else None
        noise = GaussianSteps(begin.size, descent.noise_multiplier * mechanism.max_grad_norm, mechanism.local_steps)
        rate = mechanism.learning_rate
        expected = max(1.0, descent.expected_persons * mechanism.sampling_rate)
        for _ in range(mechanism.local_steps):
            drawn = people.drawn(uniform(people.persons) < mechanism.sampling_rate)
            step = noise.add(_flat(self._clipped_sum(model, now, drawn, loss, mechanism.max_grad_norm), model))
            step *= -rate / expected
            if correction is not None:
                step -= rate * correction
            if descent.pull:
                step -= rate * descent.pull * (reached.astype(np.float64) - begin)
            step += reached
            reached[:] = step
        moved = reached.astype(np.float64) - begin
        return {key: tensor.numpy() for key, tensor in _views(moved, model).items()}

    def scores(self, weights: bytes, scaling: Scaling | None, bins: int) -> dict[str, npt.NDArray[np.int64]]:
        """Exact ``histogram`` (2, bins): how many persons of each label have a predicted probability in each bin."""
        probability = _probabilities(self._logits_of_persons(weights, scaling))
        # a score that is not a number is in the first bin: every person is in exactly one cell
        column = np.clip(np.floor(np.nan_to_num(probability, nan=0.0) * bins), 0, bins - 1).astype(np.int64)
        row = np.clip(self._snapshot.label_of_person, 0, 1)
        cells = np.bincount(row * bins + column, minlength=2 * bins)
        return {"histogram": cells.reshape(2, bins).astype(np.int64)}

    def confusion(self, weights: bytes, scaling: Scaling | None, classes: int) -> dict[str, npt.NDArray[np.int64]]:
        """Exact ``confusion`` (classes, classes): how many persons of each label the model gives each label."""
        logits = np.nan_to_num(self._logits_of_persons(weights, scaling)[:, :classes], nan=-np.inf)
        column = logits.argmax(axis=1) if logits.shape[1] else np.zeros(len(logits), dtype=np.int64)
        row = np.clip(self._snapshot.label_of_person, 0, classes - 1)
        cells = np.bincount(row * classes + column, minlength=classes * classes)
        return {"confusion": cells.reshape(classes, classes).astype(np.int64)}

    def _logits_of_persons(self, weights: bytes, scaling: Scaling | None) -> Array:
        model = self._ready(None)
        people = self._fed(model, scaling)
        return self._snapshot.mean_of_rows(_logits(model, _weights(model, weights), people.features, self._device))

    def _fed(self, model: Model, scaling: Scaling | None) -> Fed:
        """What the model is fed; kept, because the rounds of a job share their scaling."""
        if self._last_fed is None or self._last_fed[0] != scaling:
            self._last_fed = None
            self._last_fed = scaling, self._scaled(model, scaling)
        return self._last_fed[1]

    def _scaled(self, model: Model, scaling: Scaling | None) -> Fed:
        raw, images = self._snapshot.features, self._snapshot.images
        rows = self._snapshot.rows if self._snapshot.persons is not None else None
        if images is not None and not raw.shape[1] and model.linear is None:
            # they stay where they are mapped from: each batch reads its own
            return Fed(images, self._snapshot.labels, rows)
        fed = np.empty((len(raw), self._snapshot.width), dtype=np.float32 if model.linear is None else np.float64)
        # some rows at a time, so that memory holds no second copy of a cohort of images
        for start in range(0, len(raw), _SCALED_AT_ONCE):
            part = slice(start, start + _SCALED_AT_ONCE)
            fed[part, : raw.shape[1]] = scaled(raw[part], self._bounds, scaling)
            if images is not None:
                fed[part, raw.shape[1] :] = images[part]
        return Fed(fed, self._snapshot.labels, rows, lengths_of(fed) if model.linear is not None else None)

    def _clipped_sum(
        self, model: Model, weights: Mapping[str, Tensor], people: Fed, loss: Loss, max_grad_norm: float
    ) -> Tensors:
        return clipped_sum(model, weights, people, loss, max_grad_norm, self._device)

    def _ready(self, loss: Loss | None) -> Model:
        if self._model is None:
            raise ModelError("There is no model graph to compute with.", "Submit the job again.")
        if loss is not None:
            require_fit(self._model.record, self._snapshot.width, loss)
        return self._model


def _flat(tensors: Mapping[str, npt.NDArray[Any]], model: Model) -> npt.NDArray[Any]:
    """The numbers of all of a model's parameters, one parameter after the other."""
    return np.concatenate([tensors[key].ravel() for key in model.record.parameters])


def _views(flat: npt.NDArray[Any], model: Model) -> dict[str, Tensor]:
    """A model's parameters as parts of one array of all of their numbers."""
    shapes = {key: spec.shape for key, spec in model.record.parameters.items()}
    parts = torch.split(torch.from_numpy(flat), [math.prod(shape) for shape in shapes.values()])
    return {key: part.view(shape) for (key, shape), part in zip(shapes.items(), parts, strict=True)}


def _check_correction(model: Model, correction: Mapping[str, npt.NDArray[np.float32]]) -> None:
    shapes = {key: tensor.shape for key, tensor in model.record.parameters.items()}
    if correction and {key: value.shape for key, value in correction.items()} != shapes:
        raise ModelError("The correction of the drift does not fit the model.", "Submit the job again.")


def _weights(model: Model, content: bytes) -> dict[str, Tensor]:
    return read_weights(model.record, content)


def _probabilities(logits: Array) -> Array:
    """Of label 1: the logistic function of one logit, or the softmax of several, of which the second is label 1's."""
    given = torch.from_numpy(logits)
    probability = torch.sigmoid(given[:, 0]) if given.shape[1] == 1 else torch.softmax(given, dim=1)[:, 1]
    result: Array = probability.numpy()
    return result


def _logits(model: Model, weights: dict[str, Tensor], features: Features, device: Device) -> Array:
    if model.linear is not None:
        return logits_of(model.linear, in_float64(weights), features.astype(np.float64, copy=False))
    return run.logits(model.scorer, weights, features, device)
