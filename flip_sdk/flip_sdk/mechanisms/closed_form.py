"""Per-person gradients of a linear, logistic or softmax model without a backward pass.

For one person with features x and logits z = W x + b, the gradient is the outer product of the residual r = ∂loss/∂z
with (x, 1), so its norm is |r|·|(x, 1)| and the sum of clipped gradients is one matrix product (Goodfellow,
arXiv 1510.01799). In float64; agrees with the general way to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from flip_sdk.contract.graph import GraphRecord, Loss, Ref
from flip_sdk.mechanisms.blocks import chunks, filled

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_NUMBERS_AT_ONCE = 4_000_000
SHAPES_ONLY = {
    "aten.view.default",
    "aten.reshape.default",
    "aten.flatten.using_ints",
    "aten.squeeze.dim",
    "aten.unsqueeze.default",
    "aten.contiguous.default",
    "aten.clone.default",
    "aten.alias.default",
}


@dataclass(frozen=True)
class LinearForm:
    """The names of the weight ``[outputs, d]`` and the bias ``[outputs]`` of a model that is one linear layer."""

    weight: str
    bias: str | None


def linear_form(record: GraphRecord) -> LinearForm | None:
    """Recognise a graph that is one linear layer, give or take a change of shape behind it; None for any other."""
    if not _is_chain(record):
        return None
    names = [record.trained_key(argument) for argument in record.nodes[0].args[1:]]
    if None in names or set(filter(None, names)) != set(record.parameters):
        return None
    form = LinearForm(names[0] or "", names[1] if len(names) > 1 else None)
    outputs = record.result_of(record.output).elements
    shapes = {form.weight: (outputs, record.features)} | ({form.bias: (outputs,)} if form.bias else {})
    return form if all(record.parameters[name].shape == shape for name, shape in shapes.items()) else None


def _is_chain(record: GraphRecord) -> bool:
    """Whether the graph is a linear layer of the input, followed by nothing but operators that only reshape."""
    if not record.nodes or record.nodes[0].op != "aten.linear.default" or record.nodes[0].args[0] != Ref(value=0):
        return False
    last = record.first_node + len(record.nodes) - 1
    return record.output == last and all(
        node.op in SHAPES_ONLY and node.args[0] == Ref(value=record.first_node + position)
        for position, node in enumerate(record.nodes[1:])
    )


def clipped_sum(
    form: LinearForm,
    weights: Mapping[str, Array],
    features: Array,
    labels: Labels,
    loss: Loss,
    max_grad_norm: float,
    rows: Labels | None = None,
    *,
    lengths: Array | None = None,
) -> dict[str, Array]:
    """Sum over persons of their clipped gradients; a person's gradient is the mean over their rows.

    Args:
        form: which weight is which.
        weights: by name.
        features: ``[rows, d]`` as the model is fed, a person's rows next to each other.
        labels: ``[rows]``.
        loss: the model's loss.
        max_grad_norm: L2 bound of one person's gradient over all parameters.
        rows: ``[persons]``, how many rows each person has; None where each has one.
        lengths: ``[rows]``, what :func:`lengths_of` the features is, where it is known already.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        residual = residuals(logits_of(form, weights, features), labels, loss)
        if rows is None or not (rows > 1).any():
            return _of_one_row(
                form, residual, features, lengths_of(features) if lengths is None else lengths, max_grad_norm
            )
        return _of_several_rows(form, residual, features, rows, max_grad_norm)


def _of_one_row(
    form: LinearForm, residual: Array, features: Array, lengths: Array, max_grad_norm: float
) -> dict[str, Array]:
    norms = lengths_of(residual) * np.hypot(lengths, 1.0 if form.bias else 0.0)
    factors = np.minimum(1.0, max_grad_norm / norms)
    # whoever's gradient is not finite counts as zero, and never poisons the sum
    usable = np.isfinite(norms) & np.isfinite(factors) & np.isfinite(residual).all(axis=1)
    shares = np.where(usable[:, None], residual * np.where(usable, factors, 0.0)[:, None], 0.0)
    # a share of zero times a feature that is not finite would not be zero
    result = {form.weight: shares.T @ np.where(usable[:, None], features, 0.0)}
    if form.bias:
        result[form.bias] = shares.sum(axis=0)
    return result


def _of_several_rows(
    form: LinearForm, residual: Array, features: Array, rows: Labels, max_grad_norm: float
) -> dict[str, Array]:
    """Persons with equally many rows at a time, each person's gradient written out: the mean of outer products."""
    outputs, inputs = residual.shape[1], features.shape[1]
    total = np.zeros((outputs, inputs + 1))
    starts = np.cumsum(rows) - rows
    for count in np.unique(rows):
        begins = starts[rows == count]
        for part in chunks(len(begins), max(1, _NUMBERS_AT_ONCE // (outputs * (inputs + 1)))):
            places = begins[part, None] + np.arange(count)
            fed = np.concatenate([features[places], np.full((*places.shape, 1), 1.0 if form.bias else 0.0)], axis=2)
            means = (residual[places].transpose(0, 2, 1) @ fed).reshape(len(places), -1) / count
            norms = lengths_of(means)
            factors = np.minimum(1.0, max_grad_norm / norms)
            usable = np.isfinite(norms) & np.isfinite(factors)
            total += (np.where(usable, factors, 0.0) @ np.where(usable[:, None], means, 0.0)).reshape(total.shape)
    result = {form.weight: total[:, :-1]}
    return result | ({form.bias: total[:, -1]} if form.bias else {})


def logits_of(form: LinearForm, weights: Mapping[str, Array], features: Array) -> Array:
    """Logits ``[n, outputs]``."""
    with np.errstate(over="ignore", invalid="ignore"):
        logits: Array = filled(features) @ weights[form.weight].T + (weights[form.bias] if form.bias else 0.0)
    return logits[: len(features)]


def residuals(logits: Array, labels: Labels, loss: Loss) -> Array:
    """Derivative of each row's loss by its logits ``[n, outputs]``; labels ``[n]``."""
    if loss == "binary_cross_entropy":
        return 0.5 * (1.0 + np.tanh(logits / 2)) - labels[:, None]
    if loss == "mse":
        return 2.0 * (logits - labels[:, None])
    residual: Array = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    residual -= np.arange(logits.shape[1])[None, :] == labels[:, None]
    return residual


def lengths_of(rows: Array) -> Array:
    """L2 norm of each row, of tiny and of huge numbers too: a square that underflows would hide a gradient."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    unit = np.where(largest > 0, largest, 1.0)
    length: Array = largest * np.sqrt(np.square(rows / unit[:, None]).sum(axis=1))
    return length
