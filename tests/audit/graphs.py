"""Each use of an operator as a model graph: the uses of ``operators`` are run on values that write themselves down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from flip_sdk.contract.operators import OPERATORS
from flip_sdk.models.operators import NAME_OF_DTYPE, TABLE
from safetensors.numpy import save

from tests.audit.operators import USES, WIDTH


@dataclass
class Writer:
    """Numbers values, and notes down the nodes that make them. Value 0 is the input, the weights come next."""

    weights: int = 1
    nodes: list[dict] = field(default_factory=list)

    def call(self, op: str, *args: Any, **named: Any) -> Any:
        result = TABLE[op](*(_of(arg, lambda v: v.meta) for arg in args), **named)
        results = list(result) if isinstance(result, list | tuple) else [result]
        if op.endswith("_like.default") or op in _NEED_DTYPE:
            named.setdefault("dtype", results[0].dtype)
        specs = [{"shape": list(one.shape), "dtype": NAME_OF_DTYPE[one.dtype]} for one in results]
        written = {"op": op, "args": [_written(arg) for arg in args], "results": specs}
        self.nodes.append(written | {"named": {key: _written(value) for key, value in named.items()}})
        return Several(self, self.last, results) if op in _MANY else Value(self, self.last, results[0])

    @property
    def last(self) -> int:
        """The number of the value that the last node makes."""
        return self.weights + len(self.nodes)


_KEYS = ("w", "before")
_MANY = {name for name, row in OPERATORS.items() if row.many}
_NEED_DTYPE = {"aten.full.default", "aten.zeros.default", "aten.ones.default"}


@dataclass
class Value:
    """A tensor of one person, known by its number and its shape."""

    writer: Writer
    number: int
    meta: torch.Tensor

    def __mul__(self, other: Value) -> Value:
        return self.writer.call("aten.mul.Tensor", self, other)

    __rmul__ = __mul__

    def __add__(self, other: Value) -> Value:
        return self.writer.call("aten.add.Tensor", self, other)

    def __gt__(self, number: float) -> Value:
        return self.writer.call("aten.gt.Scalar", self, number)

    def __getitem__(self, index: Any) -> Value:
        first, *rest = index if isinstance(index, tuple) else (index,)
        if isinstance(first, slice):
            taken = self.writer.call("aten.slice.Tensor", self, 0, first.start, first.stop)
        else:
            taken = self.writer.call("aten.select.int", self, 0, first)
        return taken[tuple(rest)] if rest else taken

    def reshape(self, *shape: Any) -> Value:
        given = list(shape[0] if isinstance(shape[0], tuple) else shape)
        return self.writer.call("aten.view.default", self, given)

    def long(self) -> Value:
        return self.writer.call("aten.to.dtype", self, torch.int64)


@dataclass
class Several:
    """What an operator with several results returned."""

    writer: Writer
    number: int
    metas: list[torch.Tensor]

    def __getitem__(self, index: int) -> Value:
        spec = {"shape": list(self.metas[index].shape), "dtype": NAME_OF_DTYPE[self.metas[index].dtype]}
        args = [{"value": self.number}, index]
        self.writer.nodes.append({"op": "getitem", "args": args, "named": {}, "results": [spec]})
        return Value(self.writer, self.writer.last, self.metas[index])


def graph_of(name: str, *, deep: bool = False) -> bytes:
    """A model graph ``[1, 8] → [1, 1]`` that uses the operator, and a plain product beside it.

    A deep one has a linear layer of its own before the operator, which the gradient has to go back through.
    """
    writer = Writer(1 + deep)
    with torch.device("meta"):
        x, weight = Value(writer, 0, torch.empty(1, WIDTH)), Value(writer, 1, torch.empty(WIDTH, WIDTH))
        fed = x
        if deep:
            fed = writer.call("aten.linear.default", x, Value(writer, 2, torch.empty(WIDTH, WIDTH)))
        result = USES[name.removeprefix("aten.")](lambda *args, **named: writer.call(name, *args, **named), fed, weight)
        if result.meta.dtype != torch.float32:
            result = writer.call("aten.to.dtype", result, torch.float32)
        # a cumulated sum, summed: every number counts differently
        flat = writer.call("aten.cumsum.default", result.reshape(-1), 0)
        answer = writer.call("aten.sum.default", flat) + writer.call(
            "aten.sum.default", writer.call("aten.mm.default", x, weight)
        )
        output = answer.reshape(1, 1)
    spec = {"trained": True, "shape": [WIDTH, WIDTH], "dtype": "float32"}
    weights = [spec | {"key": key} for key in _KEYS[: writer.weights]]
    record = {"input": {"shape": [1, WIDTH], "dtype": "float32"}, "weights": weights, "nodes": writer.nodes}
    return json.dumps(record | {"schema_version": 1, "output": output.number}).encode()


def weights_of(*, deep: bool = False) -> bytes:
    """Weights for such a graph."""
    random = np.random.default_rng(1)
    return save({key: random.normal(size=(WIDTH, WIDTH)).astype(np.float32) for key in _KEYS[: 1 + deep]})


def _of(argument: Any, what: Any) -> Any:
    if isinstance(argument, list):
        return [_of(item, what) for item in argument]
    return what(argument) if isinstance(argument, Value) else argument


def _written(argument: Any) -> Any:
    if isinstance(argument, torch.dtype):
        return NAME_OF_DTYPE[argument]
    return _of(argument, lambda value: {"value": value.number})
