"""One node of a graph as the batched interpreter sees it: which of its arguments are each person's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flip_sdk.contract.graph import GraphRecord, Node, Ref, TensorSpec
from flip_sdk.models.program import Step, fill

Run = Callable[[list[Any], int], Any]
"""Takes all values and the number of rows, and returns the node's value for all rows: ``[rows, *shape]``."""


@dataclass(frozen=True)
class Site:
    """A node with what is known of it before anything is computed.

    Attributes:
        record: the graph.
        node: the node in it.
        step: the node ready to be called on one person's values.
        own: for each value so far whether it is each person's own, held as ``[rows, *shape]``, or the same for all,
            held as it is.
    """

    record: GraphRecord
    node: Node
    step: Step
    own: Sequence[bool]

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments."""
        return self.step.args

    @property
    def result(self) -> TensorSpec:
        """Shape and dtype of the first result, for one person."""
        return self.node.results[0]

    def argument(self, position: int, default: Any = None) -> Any:
        """A positional argument, or the default where it was left out."""
        return self.args[position] if position < len(self.args) else default

    def is_own(self, argument: Any) -> bool:
        """Whether an argument is a value that is each person's own."""
        return type(argument) is Ref and self.own[argument.value]

    def is_shared(self, argument: Any) -> bool:
        """Whether an argument is no tensor of a person's own, nor a list with one."""
        items = argument if isinstance(argument, list) else [argument]
        return not any(self.is_own(item) for item in items)

    def spec(self, argument: Ref) -> TensorSpec:
        """Shape and dtype of an argument, for one person."""
        return self.record.result_of(argument.value)

    def tensors(self) -> Iterator[Ref]:
        """All values that are arguments, those within lists included."""
        for argument in self.args:
            yield from (item for item in (argument if isinstance(argument, list) else [argument]) if type(item) is Ref)


def merged(x: Tensor, spec: TensorSpec) -> Tensor:
    """``[rows, batch, …]`` as ``[rows · batch, …]``."""
    return x.reshape(x.shape[0] * spec.shape[0], *spec.shape[1:])


def aligned(x: Tensor, spec: TensorSpec, rank: int) -> Tensor:
    """``[rows, *shape]`` with ones put in, so that it is broadcast as one person's tensor is in ``rank`` dimensions."""
    missing = rank - len(spec.shape)
    return x.reshape(x.shape[0], *(1,) * missing, *spec.shape) if missing else x


def one_by_one(site: Site) -> Run:
    """Any operator, by ``torch.vmap``: each person's own values by themselves, randomness drawn for each."""
    own = [ref.value for ref in dict.fromkeys(site.tensors()) if site.own[ref.value]]
    args, named, function = site.args, site.step.named, site.step.function

    def run(values: list[Any], rows: int) -> Any:
        def one(_: Tensor, *mine: Tensor) -> Any:
            held = list(values)
            for number, value in zip(own, mine, strict=True):
                held[number] = value
            result = function(*(fill(argument, held) for argument in args), **named)
            return tuple(result) if isinstance(result, list | tuple) else result

        device = values[own[0]].device if own else values[0].device
        # the first argument makes every row its own, also where only the randomness is
        counter = torch.zeros(rows, device=device)
        return torch.func.vmap(one, randomness="different")(counter, *(values[number] for number in own))

    return run


def elements(shape: Sequence[int]) -> int:
    """How many numbers a tensor of this shape holds."""
    return math.prod(shape)
