"""A model's graph as a listing that a person can read: what goes in, what is learnt, and each step in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flip_sdk.contract.graph import GraphRecord, Ref, TensorSpec

MOST_LINES = 400


@dataclass(frozen=True)
class Listing:
    """A model in words.

    Attributes:
        inputs: shape of what it is told of one person.
        learnt: how many numbers training changes.
        fixed: how many numbers stay as they came.
        lines: the steps.
        more: how many steps are left out.
        operators: how often each operation is done, the most frequent first.
        tensors: name, shape and count of each tensor of numbers, and whether training changes it.
    """

    inputs: str
    learnt: int
    fixed: int
    lines: Sequence[str]
    more: int
    operators: Sequence[tuple[str, int]] = ()
    tensors: Sequence[tuple[str, str, int, bool]] = ()


def listing(graph: GraphRecord) -> Listing:
    """A model's graph in words."""
    lines = [
        f"{_value(graph, number, node.results[0])} = {_operator(node.op)}"
        f"({', '.join(_given(graph, node.args, node.named))})"
        for number, node in enumerate(graph.nodes, start=graph.first_node)
    ]
    learnt = sum(weight.elements for weight in graph.weights if weight.trained)
    fixed = sum(weight.elements for weight in graph.weights if not weight.trained)
    return Listing(
        _shape(graph.input),
        learnt,
        fixed,
        lines[:MOST_LINES],
        max(0, len(lines) - MOST_LINES),
        Counter(_operator(node.op) for node in graph.nodes).most_common(),
        [(one.key, " × ".join(map(str, one.shape)) or "1", one.elements, one.trained) for one in graph.weights],
    )


def _operator(name: str) -> str:
    return name.removeprefix("aten.").removesuffix(".default")


def _value(graph: GraphRecord, number: int, spec: TensorSpec) -> str:
    name = "answer" if number == graph.output else f"v{number}"
    return f"{name} [{_shape(spec)}]"


def _given(graph: GraphRecord, args: Sequence[object], named: Mapping[str, object]) -> list[str]:
    return [*(_one(graph, arg) for arg in args), *(f"{name}={_one(graph, arg)}" for name, arg in named.items())]


def _one(graph: GraphRecord, argument: object) -> str:
    match argument:
        case Ref(value=0):
            return "person"
        case Ref(value=number) if number < graph.first_node:
            return graph.weights[number - 1].key
        case Ref(value=number):
            return f"v{number}"
        case tuple():
            return f"({', '.join(_one(graph, item) for item in argument)})"
        case None:
            return "none"
        case _:
            return str(argument)


def _shape(spec: TensorSpec) -> str:
    return " × ".join(map(str, spec.shape[1:])) or "1"
