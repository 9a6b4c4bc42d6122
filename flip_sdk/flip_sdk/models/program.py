"""A checked graph as a function of (weights, one person's input): a small interpreter over the table of operators.

No code is generated and nothing is looked up by a name from outside. It runs under ``torch.func.vmap`` and ``grad``,
and on meta tensors, which is how its true shapes are known before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flip_sdk.contract.graph import Argument, GraphRecord, Node, Ref, TensorSpec
from flip_sdk.contract.operators import OPERATORS
from flip_sdk.errors import ModelError
from flip_sdk.models.operators import DTYPE, MEMORY_FORMAT, NAME_OF_DTYPE, QUIET, TABLE

_TORCH_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, AssertionError, ZeroDivisionError)


@dataclass(frozen=True)
class Step:
    """One operation, ready to be called; arguments may be :class:`Ref` to earlier values, also within a list."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    named: dict[str, Any]

    def run(self, values: list[Any]) -> Any:
        """Call it on earlier values."""
        args = [fill(argument, values) for argument in self.args]
        return self.function(*args, **self.named)


def fill(argument: Any, values: list[Any]) -> Any:
    """An argument with every reference replaced by its value."""
    if type(argument) is Ref:
        return values[argument.value]
    if type(argument) is list:
        return [fill(item, values) for item in argument]
    return argument


class Program:
    """A graph that can be run.

    Args:
        record: a graph that :func:`flip_sdk.contract.graph.parse_graph` has checked.
        training: whether dropout drops.

    Attributes:
        steps: its operations, one for each node of the graph.
    """

    def __init__(self, record: GraphRecord, *, training: bool) -> None:
        self.record = record
        self._keys = tuple(weight.key for weight in record.weights)
        self.steps = tuple(_step(node, training=training) for node in record.nodes)

    def __call__(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Answer ``[1, outputs]`` for one person's ``x`` of shape ``[1, features]``."""
        values: list[Any] = [x, *(weights[key] for key in self._keys)]
        for step in self.steps:
            values.append(step.run(values))
        output: Tensor = values[self.record.output]
        return output.reshape(1, -1)

    def check_shapes(self) -> None:
        """Compute every result's true shape and dtype, on meta tensors, and compare it with what the graph states.

        Raises:
            ModelError: an operator does not take its arguments, or the graph states another shape.
        """
        device = torch.device("meta")
        specs = [self.record.input, *self.record.weights]
        values: list[Any] = [torch.empty(spec.shape, dtype=DTYPE[spec.dtype], device=device) for spec in specs]
        with device, torch.no_grad():
            for node, step in zip(self.record.nodes, self.steps, strict=True):
                try:
                    result = step.run(values)
                except _TORCH_ERRORS as error:
                    raise ModelError(f"{node.op} does not take its arguments.", _AGAIN) from error
                if not _agrees(result, node.results):
                    raise ModelError(f"{node.op} gives other shapes than the graph states.", _AGAIN)
                values.append(result)


_AGAIN = "Export the model with flip_sdk again."


def _agrees(result: object, stated: tuple[TensorSpec, ...]) -> bool:
    results = list(result) if isinstance(result, list | tuple) else [result]
    return len(results) == len(stated) and all(
        isinstance(one, Tensor) and tuple(one.shape) == spec.shape and NAME_OF_DTYPE.get(one.dtype) == spec.dtype
        for one, spec in zip(results, stated, strict=True)
    )


def _step(node: Node, *, training: bool) -> Step:
    operator = OPERATORS.get(node.op)
    kinds = operator.positions if operator else ("tensor", "int")
    kinds_of_named = operator.named if operator else {}
    args = [_argument(kind, argument) for kind, argument in zip(kinds, node.args, strict=False)]
    if not training and node.op in QUIET:
        position, value = QUIET[node.op]
        if position < len(args):
            args[position] = value
    named = {name: _argument(kinds_of_named[name], argument) for name, argument in node.named.items()}
    return Step(TABLE[node.op], tuple(args), named)


def _argument(kind: str, argument: Argument) -> Any:
    if isinstance(argument, tuple):
        return list(argument)
    if isinstance(argument, str):
        if kind in ("dtype", "dtype?"):
            return DTYPE[argument]
        return MEMORY_FORMAT[argument] if kind == "memory_format?" else argument
    return argument
