"""Networks that are a chain of linear layers and activations, back-propagated by hand on the processor.

A network over a table's columns is small: in the general way most of a step would go into preparing the backward pass,
copies and calls, not into products. Here each layer is three products: forward, back to its input, and the weighted
sum. Persons have one row each, so everybody's gradient of a layer is one outer product, whose norm is the product of
two. Norms and clipping are the sink's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flip_sdk.contract.graph import GraphRecord, Loss, Node, Ref
from flip_sdk.mechanisms.bookkeeping.sink import LARGEST_FINE, shares_of, squared_rows
from flip_sdk.mechanisms.closed_form import SHAPES_ONLY, residuals
from flip_sdk.mechanisms.fed import Indices

Array = npt.NDArray[np.float64]
_aten = torch.ops.aten
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Activation:
    """Forward, and back: from the gradient by the result to that by what went in, given the result; both in place."""

    forward: Callable[[Tensor], object]
    back: Callable[[Tensor, Tensor], object]


@dataclass(frozen=True)
class _Linear:
    """Names of a layer's weight ``[outputs, inputs]`` and bias, and how many numbers the weight has."""

    key: str
    bias: str | None
    numbers: int


@dataclass(frozen=True)
class Chain:
    """Linear layers, some with an activation behind them; every parameter is trained and used once.

    Attributes:
        layers: as they come; the last one has no activation.
    """

    layers: tuple[tuple[_Linear, _Activation | None], ...]

    def add_clipped(
        self,
        sums: dict[str, Array],
        weights: Mapping[str, Tensor],
        x: Rows,
        labels: Indices,
        loss: Loss,
        max_grad_norm: float,
        counted: int,
        *,
        fine: bool,
    ) -> None:
        """Add the clipped gradients of the first ``counted`` persons to float64 sums.

        Args:
            sums: a sum for each parameter, or nothing yet.
            weights: by name, float32.
            x: ``[persons, features]``, left as it is.
            labels: ``[persons]``.
            loss: the model's loss.
            max_grad_norm: the clip.
            counted: how many of the first persons count; whoever's gradient is not finite does not either.
            fine: add up everything in float64.
        """
        with np.errstate(all="ignore"), torch.no_grad():
            went_in, back = self._passes(weights, x, labels, loss)
            squares, coarse = np.zeros(len(x)), [layer.numbers > LARGEST_FINE for layer, _ in self.layers]
            for (layer, _), given, gradient, is_coarse in zip(self.layers, went_in, back, coarse, strict=True):
                of_input = squared_rows(given, coarse=is_coarse)
                of_input += layer.bias is not None
                of_input *= squared_rows(gradient, coarse=is_coarse)
                squares += of_input
            shares = shares_of(squares, max_grad_norm, counted, coarse=any(coarse))
            # a share of zero times what is not finite would not be zero
            unusable = np.flatnonzero(shares == 0)
            went_in[0] = x.copy()
            for rows in (*went_in, *back):
                rows[unusable] = 0.0
            for (layer, _), given, gradient, is_coarse in zip(self.layers, went_in, back, coarse, strict=True):
                _add(sums, layer, given, gradient, shares, max_grad_norm, in_float64=fine or not is_coarse)

    def _passes(
        self, weights: Mapping[str, Tensor], x: Rows, labels: Indices, loss: Loss
    ) -> tuple[list[Rows], list[Rows]]:
        """What went into each layer, and the gradient that came back to it."""
        went_in, answer = [], torch.from_numpy(x)
        for layer, activation in self.layers:
            went_in.append(answer)
            weight = weights[layer.key].T
            answer = answer @ weight if layer.bias is None else torch.addmm(weights[layer.bias], answer, weight)
            if activation is not None:
                activation.forward(answer)
        gradient = torch.from_numpy(residuals(answer.double().numpy(), labels, loss)).float()
        back = [gradient]
        for place in range(len(self.layers) - 1, 0, -1):
            gradient = gradient @ weights[self.layers[place][0].key]
            activation = self.layers[place - 1][1]
            if activation is not None:
                activation.back(gradient, went_in[place])
            back.append(gradient)
        return [rows.numpy() for rows in went_in], [rows.numpy() for rows in reversed(back)]


def _add(
    sums: dict[str, Array],
    layer: _Linear,
    given: Rows,
    gradient: Rows,
    shares: Array,
    max_grad_norm: float,
    *,
    in_float64: bool,
) -> None:
    kind: type[np.floating[Any]] = np.float64 if in_float64 else np.float32
    weight: npt.NDArray[Any] = shares.astype(kind)
    back: npt.NDArray[Any] = gradient.astype(kind, copy=False)
    found = {layer.key: (back * weight[:, None]).T @ given.astype(kind, copy=False)}
    if layer.bias is not None:
        found[layer.bias] = weight @ back
    for key, total in found.items():
        scaled = np.multiply(total, max_grad_norm, dtype=np.float64)
        sums[key] = sums[key] + scaled if key in sums else scaled


def chain_of(record: GraphRecord) -> Chain | None:
    """Recognise a chain, give or take changes of shape that keep a row's numbers in order; None for any other graph."""
    layers: list[tuple[_Linear, _Activation | None]] = []
    last = 0
    for place, node in enumerate(record.nodes, record.first_node):
        if not node.args or node.args[0] != Ref(value=last) or node.named:
            return None
        last = place
        linear = _linear(record, node)
        if linear is not None:
            layers.append((linear, None))
        elif node.op in _ACTIVATIONS and layers and layers[-1][1] is None:
            layers[-1] = layers[-1][0], _ACTIVATIONS[node.op]
        elif node.op not in SHAPES_ONLY:
            return None
    keys = [key for layer, _ in layers for key in (layer.key, layer.bias) if key is not None]
    once = len(set(keys)) == len(keys) == len(record.weights)
    return Chain(tuple(layers)) if once and layers and layers[-1][1] is None and record.output == last else None


def _linear(record: GraphRecord, node: Node) -> _Linear | None:
    """A linear layer of all of a row's numbers at once."""
    if node.op != "aten.linear.default":
        return None
    given, weight, *more = node.args
    bias = more[0] if more else None
    key, bias_key = record.trained_key(weight), record.trained_key(bias)
    if key is None or (bias_key is None) != (bias is None) or not isinstance(given, Ref):
        return None
    inputs, outputs = record.result_of(given.value), node.results[0]
    flat = inputs.elements == inputs.shape[-1] and outputs.elements == outputs.shape[-1]
    shapes = {key: (outputs.elements, inputs.elements)} | ({bias_key: (outputs.elements,)} if bias_key else {})
    if not flat or any(record.parameters[name].shape != shape for name, shape in shapes.items()):
        return None
    return _Linear(key, bias_key, inputs.elements * outputs.elements)


_ACTIVATIONS = {
    "aten.relu.default": _Activation(
        torch.relu_, lambda gradient, y: _aten.threshold_backward.grad_input(gradient, y, 0, grad_input=gradient)
    ),
    "aten.tanh.default": _Activation(
        torch.tanh_, lambda gradient, y: _aten.tanh_backward.grad_input(gradient, y, grad_input=gradient)
    ),
    "aten.sigmoid.default": _Activation(
        torch.sigmoid_, lambda gradient, y: _aten.sigmoid_backward.grad_input(gradient, y, grad_input=gradient)
    ),
}
