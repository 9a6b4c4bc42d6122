"""Sums of clipped per-person gradients: by the closed form where a model has one, else by book-keeping.

Each person's gradient, the mean over their rows, is clipped by itself and once (Abadi et al., "Deep Learning with
Differential Privacy", CCS 2016). The plain way, ``vmap`` over ``grad`` in chunks, is what tests compare the others
with: there each row is run alone through a graph of batch 1, so that nothing a graph computes can mix one person's data
into another's gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import grad, vmap

from flip_sdk.contract.graph import Loss
from flip_sdk.mechanisms import closed_form
from flip_sdk.mechanisms.blocks import BLOCK, chunk_size, chunks, filled
from flip_sdk.mechanisms.bookkeeping import run
from flip_sdk.mechanisms.devices import CPU, Device
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.model import Model
from flip_sdk.models.losses import LOSSES

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
CHUNK_BYTES = 1024 * 1024 * 1024
MAX_CHUNK = 256


def clipped_sum(
    model: Model,
    weights: Mapping[str, Tensor],
    people: Fed,
    loss: Loss,
    max_grad_norm: float,
    device: Device = CPU,
) -> dict[str, Array]:
    """Sum over persons of their clipped gradients, by the closed form where the model has one.

    Args:
        model: the checked model.
        weights: parameters and constants by name.
        people: what the model is fed.
        loss: the model's loss.
        max_grad_norm: L2 bound of one person's gradient over all parameters together.
        device: where to compute; the closed form is computed on the processor.
    """
    if model.linear is not None:
        exact = in_float64(weights)
        fed = people.features.astype(np.float64, copy=False)
        return closed_form.clipped_sum(
            model.linear, exact, fed, people.labels, loss, max_grad_norm, people.rows, lengths=people.lengths
        )
    return run.clipped_sum(
        model.learner, weights, people.features, people.labels, people.rows, loss, max_grad_norm, device
    )


def general_clipped_sum(
    model: Model,
    weights: Mapping[str, Tensor],
    features: Array,
    labels: Labels,
    loss: Loss,
    max_grad_norm: float,
    rows: Labels | None = None,
) -> dict[str, Array]:
    """The same for any graph in the plain way: of every row its gradient, of every person the mean, clipped, summed."""
    trained = {key: weights[key] for key in model.record.parameters}
    sums = {key: torch.zeros(tensor.shape, dtype=torch.float64) for key, tensor in trained.items()}
    per_row = _per_row(model, weights, loss)
    if rows is not None and len(rows):
        for place, count in zip(np.cumsum(rows) - rows, rows, strict=True):
            mine = slice(int(place), int(place + count))
            gradients = per_row(trained, torch.from_numpy(features[mine].astype(np.float32)), _labels(labels[mine]))
            mean = {key: gradient.double().mean(dim=0, keepdim=True) for key, gradient in gradients.items()}
            _add_clipped(sums, mean, max_grad_norm, 1)
        return {key: value.numpy() for key, value in sums.items()}
    most = min(MAX_CHUNK, CHUNK_BYTES // max(1, model.record.person_bytes))
    block = min(BLOCK, chunk_size(most))
    for part in chunks(len(features), most):
        people = torch.from_numpy(filled(features[part], block).astype(np.float32))
        gradients = per_row(trained, people, _labels(filled(labels[part], block)))
        _add_clipped(sums, gradients, max_grad_norm, len(labels[part]))
    return {key: value.numpy() for key, value in sums.items()}


def in_float64(weights: Mapping[str, Tensor]) -> dict[str, Array]:
    """Weights as the closed form takes them."""
    return {key: tensor.numpy().astype(np.float64) for key, tensor in weights.items()}


def _labels(labels: Labels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(labels))


def _per_row(
    model: Model, weights: Mapping[str, Tensor], loss: Loss
) -> Callable[[dict[str, Tensor], Tensor, Tensor], dict[str, Tensor]]:
    constants = {key: tensor for key, tensor in weights.items() if key not in model.record.parameters}
    loss_of = LOSSES[loss]

    def one(parameters: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        return loss_of(model.training({**parameters, **constants}, x.unsqueeze(0)), label)

    mapped: Callable[[dict[str, Tensor], Tensor, Tensor], dict[str, Tensor]] = vmap(
        grad(one), in_dims=(None, 0, 0), randomness="different"
    )
    return mapped


def _add_clipped(sums: dict[str, Tensor], gradients: dict[str, Tensor], max_grad_norm: float, persons: int) -> None:
    """Add the clipped gradients of the first ``persons`` rows; the others only fill a block."""
    squares = sum(g.reshape(len(g), -1).to(torch.float64).square().sum(dim=1) for g in gradients.values())
    norms = torch.as_tensor(squares).sqrt()
    # a float32 gradient squared in float64 cannot overflow, so the norm is finite exactly where the gradient is
    usable = torch.isfinite(norms)
    factors = torch.where(usable & (norms > max_grad_norm), max_grad_norm / norms, 1.0)
    factors = torch.where(usable & (torch.arange(len(norms)) < persons), factors, 0.0)
    for key, gradient in gradients.items():
        rows = torch.nan_to_num(gradient.reshape(len(gradient), -1).to(torch.float64), nan=0.0, posinf=0.0, neginf=0.0)
        sums[key] += (factors @ rows).reshape(sums[key].shape)
