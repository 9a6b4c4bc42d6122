"""A model as data: a list of tensor operations out of an allow-list, with bounds on everything that is read.

No Python, pickle or expression crosses the boundary: arguments are references to earlier values, numbers, booleans,
null, dtypes and a few enumerated strings. Reading is pure JSON; only ``flip_sdk.models`` turns the list into torch
operations, by a table. Values are numbered: 0 is the input (one person), then the tensors of the weights blob, then
the nodes' results.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, ValidationError

from flip_sdk.contract.operators import DTYPES, GETITEM, MEMORY_FORMATS, OPERATORS, WORDS, Operator
from flip_sdk.contract.records import Line, Record
from flip_sdk.errors import ModelError, ModelTooLargeError

DType = Literal["float32", "float64", "int64", "bool"]
BYTES_OF = {"float32": 4, "float64": 8, "int64": 8, "bool": 1}
Loss = Literal["binary_cross_entropy", "cross_entropy", "mse"]
_MAX_INT = 2**40


@dataclass(frozen=True)
class Limits:
    """What a Trust reads at most.

    Attributes:
        graph_bytes: size of the graph's JSON.
        nodes: operations in the graph.
        tensors: parameters and constants together.
        parameters: numbers in all of them.
        elements: numbers in one intermediate tensor, for one person.
        dimensions: of one tensor.
        person_bytes: estimated working memory for one person's gradient.
        weights_bytes: size of the weights blob.
    """

    graph_bytes: int = 8 * 1024 * 1024
    nodes: int = 5_000
    tensors: int = 2_000
    parameters: int = 20_000_000
    elements: int = 16_000_000
    dimensions: int = 8
    person_bytes: int = 1024 * 1024 * 1024
    weights_bytes: int = 256 * 1024 * 1024


LIMITS = Limits()


class Ref(Record):
    """A reference to an earlier value by its number."""

    value: Annotated[StrictInt, Field(ge=0, le=20_000)]


Item = Ref | StrictBool | StrictInt | StrictFloat | None
Argument = Ref | StrictBool | StrictInt | StrictFloat | Annotated[str, Field(max_length=30)] | None | tuple[Item, ...]
Shape = Annotated[tuple[Annotated[StrictInt, Field(ge=0)], ...], Field(max_length=16)]


class TensorSpec(Record):
    """Shape and dtype of one tensor."""

    shape: Shape
    dtype: DType

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return self.elements * BYTES_OF[self.dtype]


class Weight(TensorSpec):
    """A tensor of the weights blob. ``trained`` ones are parameters; the others are constants and never change."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,200}$")]
    trained: StrictBool


class Node(Record):
    """One operation: its name, its arguments, and the shapes of its result(s) for one person."""

    op: Line
    args: Annotated[tuple[Argument, ...], Field(max_length=16)]
    named: Annotated[dict[Line, Argument], Field(max_length=8)] = Field(default_factory=dict)
    results: Annotated[tuple[TensorSpec, ...], Field(min_length=1, max_length=1024)]


class GraphRecord(Record):
    """A model's graph for one person (batch of 1)."""

    schema_version: Literal[1] = 1
    input: TensorSpec
    weights: tuple[Weight, ...]
    nodes: tuple[Node, ...]
    output: Annotated[StrictInt, Field(ge=0)]

    @property
    def first_node(self) -> int:
        """The number of the first node's value."""
        return 1 + len(self.weights)

    @property
    def features(self) -> int:
        """How many features the model takes."""
        return self.input.shape[1]

    @cached_property
    def parameters(self) -> dict[str, Weight]:
        """The trained tensors by their key."""
        return {weight.key: weight for weight in self.weights if weight.trained}

    def result_of(self, value: int) -> TensorSpec:
        """Shape and dtype of a value that is one tensor."""
        if value == 0:
            return self.input
        if value < self.first_node:
            return self.weights[value - 1]
        return self.nodes[value - self.first_node].results[0]

    def trained_key(self, argument: object) -> str | None:
        """The name of the trained tensor that an argument refers to; None for anything else."""
        if type(argument) is not Ref or not 1 <= argument.value < self.first_node:
            return None
        weight = self.weights[argument.value - 1]
        return weight.key if weight.trained else None

    @property
    def person_bytes(self) -> int:
        """Working memory for one person's gradient: values and their gradients, and the gradient in float64 twice."""
        values = sum(spec.bytes for node in self.nodes for spec in node.results)
        gradient = sum(weight.elements for weight in self.weights if weight.trained)
        return 3 * values + 20 * gradient


def parse_graph(content: bytes, limits: Limits = LIMITS) -> GraphRecord:
    """Read a graph from outside and check it wholly, without torch.

    Raises:
        ModelTooLargeError: it is over a limit.
        ModelError: it is not a graph, or breaks a rule; with every rule that it breaks.
    """
    if len(content) > limits.graph_bytes:
        raise ModelTooLargeError(
            f"The graph has {len(content)} bytes; {limits.graph_bytes} are allowed.", "Make the model smaller."
        )
    try:
        record = GraphRecord.model_validate_json(content)
    except (ValidationError, RecursionError) as error:
        raise ModelError("This is not a model graph.", "Export the model with flip_sdk again.") from error
    sizes = _sizes(record, limits)
    if sizes:
        raise ModelTooLargeError(" ".join(sizes), "Make the model smaller.")
    problems = check_graph(record, limits)
    if problems:
        raise ModelError("The model graph cannot be used: " + " ".join(problems[:20]), _ALLOWED)
    return record


def check_graph(record: GraphRecord, limits: Limits = LIMITS) -> list[str]:
    """Every rule that a graph breaks, in words; empty when it may be built."""
    sizes = _sizes(record, limits)
    if sizes:
        return sizes
    found = _weights(record)
    for position, node in enumerate(record.nodes):
        found += [f"Node {position} ({node.op[:60]}): {problem}" for problem in _node(record, position, node)]
    if not record.output < record.first_node + len(record.nodes):
        found.append("Its output is not one of its values.")
    return found


def check_output(record: GraphRecord, features: int, loss: Loss | None, classes: int = 2) -> list[str]:
    """Whether the model takes so many numbers and answers what loss and label need; what is wrong, in words.

    Args:
        record: the model.
        features: numbers of a row, those of an image included.
        loss: what it is trained for; None where it is scored only.
        classes: of the label.
    """
    found = []
    if record.input.shape != (1, features):
        found.append(f"The model takes {record.input.shape[1:]} numbers, and a row of the job has {features}.")
    spec = record.result_of(record.output)
    outputs = spec.elements
    if not spec.dtype.startswith("float") or spec.shape not in ((1,), (1, outputs)):
        return [*found, f"The model answers {spec.dtype} {spec.shape}; one person's answer has the shape (1, outputs)."]
    if loss == "cross_entropy" and outputs < 2:
        found.append("cross_entropy needs two or more outputs (logits); use binary_cross_entropy for one.")
    elif classes > 2 and outputs != classes:
        found.append(f"The label has {classes} classes, and the model answers {outputs} numbers.")
    if loss in ("binary_cross_entropy", "mse") and outputs != 1:
        found.append(f"{loss} needs one output, the model has {outputs}.")
    return found


def safetensors_specs(content: bytes, limits: Limits = LIMITS) -> dict[str, TensorSpec]:
    """Names, shapes and dtypes in a safetensors blob, from its header alone.

    Raises:
        ModelTooLargeError: more bytes than allowed.
        ModelError: not safetensors, or a dtype that models do not have.
    """
    names = {"F32": "float32", "F64": "float64", "I64": "int64", "BOOL": "bool"}
    if len(content) > limits.weights_bytes:
        raise ModelTooLargeError(
            f"The weights have {len(content)} bytes; {limits.weights_bytes} are allowed.", "Make the model smaller."
        )
    try:
        (length,) = struct.unpack("<Q", content[:8])
        if length > limits.graph_bytes:
            raise ValueError("header too long")
        header = json.loads(content[8 : 8 + length])
        return {
            key: TensorSpec(shape=tuple(entry["shape"]), dtype=names[entry["dtype"]])
            for key, entry in header.items()
            if key != "__metadata__"
        }
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            "The weights are not safetensors of float32, float64, int64 or bool.",
            "Export the model again, with such numbers.",
        ) from error


def check_weights(record: GraphRecord, content: bytes, limits: Limits = LIMITS) -> list[str]:
    """Whether a weights blob holds exactly the tensors the graph names; what is wrong, in words."""
    expected = {w.key: (w.shape, w.dtype) for w in record.weights}
    given = {key: (spec.shape, spec.dtype) for key, spec in safetensors_specs(content, limits).items()}
    missing, extra = sorted(expected.keys() - given.keys()), sorted(given.keys() - expected.keys())
    found = [f"The weights lack {', '.join(missing[:5])}."] if missing else []
    found += [f"The weights hold {', '.join(extra[:5])}, which the graph does not use."] if extra else []
    unlike = sorted(key for key in expected.keys() & given.keys() if expected[key] != given[key])
    return found + ([f"{', '.join(unlike[:5])} has another shape or dtype than in the graph."] if unlike else [])


_ALLOWED = "Build it of the operations in flip_sdk.contract.operators."


def _sizes(record: GraphRecord, limits: Limits) -> list[str]:
    specs = [record.input, *record.weights, *(spec for node in record.nodes for spec in node.results)]
    figures = {
        "nodes": (len(record.nodes), limits.nodes),
        "tensors": (len(record.weights), limits.tensors),
        "parameters": (sum(w.elements for w in record.weights), limits.parameters),
        "numbers in one tensor": (max(spec.elements for spec in specs), limits.elements),
        "dimensions": (max(len(spec.shape) for spec in specs), limits.dimensions),
        "bytes for one person": (record.person_bytes, limits.person_bytes),
    }
    return [
        f"The model is too large: {n} {what}, {most} are allowed." for what, (n, most) in figures.items() if n > most
    ]


def _weights(record: GraphRecord) -> list[str]:
    found = []
    if len(record.input.shape) != 2 or record.input.shape[0] != 1 or record.input.dtype != "float32":
        found.append("Its input is not float32 of shape (1, features).")
    if len({w.key for w in record.weights}) < len(record.weights):
        found.append("Two of its tensors have the same name.")
    if any(w.trained and w.dtype != "float32" for w in record.weights):
        found.append("A parameter is not float32.")
    if not record.parameters:
        found.append("It has no parameter to train.")
    return found


def _node(record: GraphRecord, position: int, node: Node) -> Iterator[str]:
    number = record.first_node + position
    if node.op == GETITEM:
        yield from _getitem(record, number, node)
        return
    operator = OPERATORS.get(node.op)
    if operator is None:
        yield "this operator is not on the list."
        return
    if not operator.required <= len(node.args) <= len(operator.positions):
        yield f"it takes {operator.required} to {len(operator.positions)} arguments, not {len(node.args)}."
        return
    if not operator.many and len(node.results) != 1:
        yield "it has one result."
    for kind, argument in zip(operator.positions, node.args, strict=False):
        if not _CHECKS[kind](argument) or not _backwards(record, number, argument):
            yield f"an argument is not a valid {kind}."
    yield from _named(record, number, operator, node)


def _named(record: GraphRecord, number: int, operator: Operator, node: Node) -> Iterator[str]:
    for name, argument in node.named.items():
        kind = operator.named.get(name)
        if kind is None or not _CHECKS[kind](argument) or not _backwards(record, number, argument):
            yield f"argument {name[:30]} is not valid."


def _getitem(record: GraphRecord, number: int, node: Node) -> Iterator[str]:
    match node.args:
        case (Ref(value=source), int(index)) if record.first_node <= source < number and not node.named:
            results = record.nodes[source - record.first_node].results
            if not _returns_many(record, source) or not 0 <= index < len(results) or node.results != (results[index],):
                yield "it takes a result that is not there."
        case _:
            yield "it takes a reference and an index."


def _returns_many(record: GraphRecord, value: int) -> bool:
    if value < record.first_node:
        return False
    operator = OPERATORS.get(record.nodes[value - record.first_node].op)
    return operator is not None and operator.many


def _backwards(record: GraphRecord, number: int, argument: Argument) -> bool:
    """Whether every reference in an argument is to an earlier single tensor."""
    items = argument if isinstance(argument, tuple) else (argument,)
    return all(item.value < number and not _returns_many(record, item.value) for item in items if isinstance(item, Ref))


def _is_int(argument: object) -> bool:
    return isinstance(argument, int) and not isinstance(argument, bool) and abs(argument) <= _MAX_INT


def _is_number(argument: object) -> bool:
    return _is_int(argument) or (isinstance(argument, float) and math.isfinite(argument))


def _list_of(check: Callable[[object], bool], most: int) -> Callable[[object], bool]:
    return lambda argument: isinstance(argument, tuple) and len(argument) <= most and all(map(check, argument))


def _or_null(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda argument: argument is None or check(argument)


def _is_ref(argument: object) -> bool:
    return isinstance(argument, Ref)


_IS_INTS = _list_of(_is_int, 1024)
_CHECKS: dict[str, Callable[[object], bool]] = {
    "tensor": _is_ref,
    "tensor?": _or_null(_is_ref),
    "tensor|number": lambda argument: _is_ref(argument) or _is_number(argument),
    "tensors": _list_of(_is_ref, 1024),
    "int": _is_int,
    "int?": _or_null(_is_int),
    "ints": _IS_INTS,
    "ints?": _or_null(_IS_INTS),
    "number": _is_number,
    "number?": _or_null(_is_number),
    "bool": lambda argument: isinstance(argument, bool),
    "dtype": lambda argument: argument in DTYPES,
    "dtype?": lambda argument: argument is None or argument in DTYPES,
    "memory_format?": lambda argument: argument is None or argument in MEMORY_FORMATS,
    "null": lambda argument: argument is None,
    "word": lambda argument: argument in WORDS,
}
