"""A torch module as an allow-listed graph: traced by ``torch.export``, written as our own plain JSON.

``torch.export``'s own file format is never written or read: loading it can run what is inside it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Node as FxNode

from flip_sdk.contract.graph import GraphRecord, Loss, Node, Ref, TensorSpec, Weight, check_output, parse_graph
from flip_sdk.contract.operators import GETITEM, OPERATORS
from flip_sdk.errors import ModelError
from flip_sdk.models import ExportedModel
from flip_sdk.models.importing import GraphModel, read_weights
from flip_sdk.models.losses import LOSSES
from flip_sdk.models.operators import NAME_OF_DTYPE, NAME_OF_MEMORY_FORMAT, overload
from flip_sdk.models.program import Program

_BATCH_NORM = (
    "BatchNorm mixes the people of a batch, so that no one person's part in a gradient can be bounded.",
    "Use GroupNorm or LayerNorm: opacus.validators.ModuleValidator.fix(model) replaces it.",
)
_IGNORED = "aten._assert_tensor_metadata.default"
_LARGEST = 2**40
"""The largest integer that a graph may hold."""
_DROPPED = ("device", "layout", "pin_memory", "requires_grad")


def export(module: nn.Module, features: int, loss: Loss) -> ExportedModel:
    """See :func:`flip_sdk.models.export_model`."""
    if not isinstance(module, nn.Module):
        made = " It is a class: call it." if isinstance(module, type) else ""
        raise ModelError(f"That is no torch module.{made}", "Give one such as torch.nn.Linear(len(features), 1).")
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise ModelError(f"{name or 'The model'} is a {type(part).__name__}. {_BATCH_NORM[0]}", _BATCH_NORM[1])
    if isinstance(module, GraphModel):
        # it came out of a graph: tracing it once more would take its operators apart
        return _checked(_as_it_came(module), features, loss)
    traced = _trace(module, features)
    writer = _Writer(traced)
    graph = writer.record().canonical()
    weights = save(writer.tensors)
    return _checked(ExportedModel(graph, weights), features, loss)


def _as_it_came(module: GraphModel) -> ExportedModel:
    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    tensors = {weight.key: held[weight.key].detach().cpu().contiguous() for weight in module.record.weights}
    return ExportedModel(module.record.canonical(), save(tensors))


def _trace(module: nn.Module, features: int) -> ExportedProgram:
    was_training = module.training
    module.train()
    try:
        with _quiet(), _out_of_place(module):
            program = torch.export.export(module, (torch.zeros(1, features),), strict=False)
            unknown = _unknown(program)
            if unknown:
                table = torch.export.default_decompositions()
                for name in OPERATORS:
                    table.pop(overload(name), None)  # type: ignore[no-untyped-call]
                program = program.run_decompositions(table)
    except Exception as error:
        # whatever the researcher's own forward() raises while it is traced comes out here
        raise _refusal(error, features) from error
    finally:
        module.train(was_training)
    _refuse_unknown(program)
    return program


def _refusal(error: Exception, features: int) -> ModelError:
    if "batch_norm" in str(error) or "Expected more than 1 value per channel when training" in str(error):
        return ModelError(*_BATCH_NORM)
    if "DataDependent" in type(error).__name__ or "data-dependent" in str(error).lower():
        return ModelError(
            "The model decides by Python control flow on the data (if, while, .item() of a tensor).",
            "Write both branches as tensors and choose with torch.where(condition, a, b).",
        )
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    return ModelError(
        f"The model could not be traced by torch.export on rows of {features} numbers: {first}",
        f"Its first layer has to take {features} numbers of a person, as there are features. Call "
        f"model(torch.zeros(1, {features})) to see the error where it happens.",
    )


def _unknown(program: ExportedProgram) -> list[str]:
    names = {_name(node) for node in _calls(program)}
    return sorted(name for name in names if name != GETITEM and name not in OPERATORS)


def _refuse_unknown(program: ExportedProgram) -> None:
    changed = [spec.target for spec in program.graph_signature.output_specs if spec.kind == OutputKind.BUFFER_MUTATION]
    unknown = _unknown(program)
    if any("batch_norm" in name for name in unknown):
        raise ModelError(*_BATCH_NORM)
    if changed:
        raise ModelError(
            f"The model changes its buffer {changed[0]} while it runs, so that people would influence each other.",
            "Keep no running statistics: track_running_stats=False, or another layer.",
        )
    if unknown:
        raise ModelError(
            f"The model uses {', '.join(unknown[:5])}, which the Trusts do not run.",
            "Build it of linear, convolution, GroupNorm, LayerNorm, attention, pooling and element-wise layers.",
        )


def _calls(program: ExportedProgram) -> list[FxNode]:
    return [node for node in program.graph.nodes if node.op == "call_function" and _name(node) != _IGNORED]


def _name(node: FxNode) -> str:
    if getattr(node.target, "__name__", "") == "getitem" and getattr(node.target, "__module__", "") == "_operator":
        return GETITEM
    return str(node.target)


class _Writer:
    """Numbers the values of a traced program and writes its nodes down."""

    def __init__(self, program: ExportedProgram) -> None:
        self._program = program
        self._numbers: dict[FxNode, int] = {}
        self.tensors: dict[str, Tensor] = {}

    def record(self) -> GraphRecord:
        placeholders = {node.name: node for node in self._program.graph.nodes if node.op == "placeholder"}
        weights, given = [], None
        for spec in self._program.graph_signature.input_specs:
            node = placeholders[spec.arg.name]
            if spec.kind == InputKind.USER_INPUT:
                given = node
                continue
            weights.append(self._weight(spec.kind, str(spec.target)))
            self._numbers[node] = len(weights)
        if given is None:
            raise ModelError("The model does not use its input.", "Let forward(x) use x.")
        self._numbers[given] = 0
        nodes = [self._node(node) for node in _calls(self._program)]
        return GraphRecord(input=_spec(given), weights=tuple(weights), nodes=tuple(nodes), output=self._output())

    def _weight(self, kind: InputKind, key: str) -> Weight:
        if kind not in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            raise ModelError(f"The model needs {key}, which is no tensor.", "Keep only tensors in the model.")
        held = self._program.state_dict.get(key, self._program.constants.get(key))
        if not isinstance(held, Tensor) or held.dtype not in NAME_OF_DTYPE:
            raise ModelError(f"{key} is not a tensor of float32, int64 or bool.", "Convert the model: model.float().")
        trained = kind == InputKind.PARAMETER and held.requires_grad
        if trained and held.dtype != torch.float32:
            raise ModelError(f"{key} is {held.dtype}; parameters are float32.", "Call model.float().")
        self.tensors[key] = held.detach().to("cpu").clone().contiguous()
        return Weight(key=key, shape=tuple(held.shape), dtype=NAME_OF_DTYPE[held.dtype], trained=trained)

    def _node(self, node: FxNode) -> Node:
        self._numbers[node] = len(self._numbers)
        name = _name(node)
        if name == GETITEM:
            return Node(op=name, args=tuple(map(self._argument, node.args)), results=(_spec(node),))
        args, named = self._bind(node)
        value = node.meta["val"]
        results = tuple(map(_spec_of, value)) if isinstance(value, list | tuple) else (_spec_of(value),)
        if "dtype" in OPERATORS[name].named:
            named["dtype"] = results[0].dtype
        return Node(op=name, args=args, named=named, results=results)

    def _bind(self, node: FxNode) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments in the order of the operator's schema, whichever way the program gave them."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for position, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
            given = position < len(node.args) or argument.name in node.kwargs
            value = node.args[position] if position < len(node.args) else node.kwargs.get(argument.name)
            if argument.kwarg_only:
                if given and argument.name not in _DROPPED and value not in (None, argument.default_value):
                    named[argument.name] = self._argument(value)
            else:
                positional.append((given, self._argument(value if given else argument.default_value)))
        while positional and not positional[-1][0]:
            positional.pop()
        return tuple(value for _, value in positional), named

    def _argument(self, value: Any) -> Any:
        match value:
            case FxNode():
                return Ref(value=self._numbers[value])
            case list() | tuple():
                return tuple(map(self._argument, value))
            case torch.dtype():
                return NAME_OF_DTYPE.get(value, str(value)[:30])
            case torch.memory_format():
                return NAME_OF_MEMORY_FORMAT.get(value, "preserve_format")
            case float() if not math.isfinite(value):
                raise ModelError("The model uses a constant that is not finite.", "Use -1e9 instead of minus infinity.")
            case int() if value > _LARGEST:
                # the end of x[:, 1:]: any number beyond the tensor's own end means the end
                return _LARGEST
            case bool() | int() | float() | str() | None:
                return value
        raise ModelError(
            f"The model passes a {type(value).__name__} to an operator.", "Pass tensors and plain numbers."
        )

    def _output(self) -> int:
        (last,) = (node for node in self._program.graph.nodes if node.op == "output")
        outputs = last.args[0]
        if len(outputs) != 1 or not isinstance(outputs[0], FxNode):
            raise ModelError("The model answers more than one tensor.", "Let forward(x) return the logits alone.")
        return self._numbers[outputs[0]]


def _spec(node: FxNode) -> TensorSpec:
    return _spec_of(node.meta["val"])


def _spec_of(value: object) -> TensorSpec:
    if not isinstance(value, Tensor) or value.dtype not in NAME_OF_DTYPE:
        what = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise ModelError(f"The model computes with {what}.", "Use float32, float64, int64 and bool tensors.")
    return TensorSpec(shape=tuple(int(size) for size in value.shape), dtype=NAME_OF_DTYPE[value.dtype])


def _checked(model: ExportedModel, features: int, loss: Loss) -> ExportedModel:
    """The Trust's own checks, here first, so that a researcher hears of them before a job is sent."""
    record = parse_graph(model.graph)
    problems = check_output(record, features, loss)
    if problems:
        raise ModelError(" ".join(problems), "Change the last layer or the loss.")
    weights = read_weights(record, model.weights)
    GraphModel(record, weights)  # so that no layer's name stops the result from being read back
    program = Program(record, training=True)
    program.check_shapes()
    try:
        _gradients(program, record, weights, loss)
    except RuntimeError as error:
        raise ModelError(
            f"Gradients of single people cannot be computed: {str(error).splitlines()[0][:300]}",
            "Leave out the layer that it names, or write it with layers of docs/models.md.",
        ) from error
    return model


def _gradients(program: Program, record: GraphRecord, weights: dict[str, Tensor], loss: Loss) -> None:
    trained = {key: weights[key] for key in record.parameters}
    constants = {key: tensor for key, tensor in weights.items() if key not in trained}

    def one(parameters: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        return LOSSES[loss](program({**parameters, **constants}, x.unsqueeze(0)), label)

    people, labels = torch.zeros(2, record.features), torch.tensor([0, 1])
    torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0), randomness="different")(trained, people, labels)


@contextmanager
def _out_of_place(module: nn.Module) -> Iterator[None]:
    """``ReLU(inplace=True)`` and its like computes the same out of place, where it is one operator of the list."""
    in_place = [part for part in module.modules() if getattr(part, "inplace", None) is True]
    for part in in_place:
        setattr(part, "inplace", False)  # noqa: B010
    try:
        yield
    finally:
        for part in in_place:
            setattr(part, "inplace", True)  # noqa: B010 - a plain attribute, which mypy takes for a tensor


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch prints its whole trace to stderr where a model cannot be traced; our error says it in a line."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(before)
