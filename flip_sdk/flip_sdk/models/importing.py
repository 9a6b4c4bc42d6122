"""A graph and weights as an ordinary ``torch.nn.Module``."""

from __future__ import annotations

from typing import Self

import torch
from safetensors.torch import load
from torch import Tensor, nn

from flip_sdk.contract.graph import GraphRecord, check_weights, parse_graph
from flip_sdk.errors import ModelError
from flip_sdk.models.program import Program


def read_weights(record: GraphRecord, content: bytes) -> dict[str, Tensor]:
    """Weights out of safetensors, checked against the graph.

    Raises:
        ModelError: names, shapes or dtypes are not the graph's, or a number is not finite.
    """
    problems = check_weights(record, content)
    if problems:
        raise ModelError(" ".join(problems), "Send the weights that were exported with this graph.")
    weights: dict[str, Tensor] = load(content)
    broken = sorted(key for key, tensor in weights.items() if not bool(torch.isfinite(tensor).all()))
    if broken:
        raise ModelError(f"{', '.join(broken[:5])} holds a number that is not finite.", "Use -1e9 for minus infinity.")
    return weights


class GraphModel(nn.Module):
    """A model read back from its graph. Takes ``[n, features]``, answers ``[n, outputs]``."""

    def __init__(self, record: GraphRecord, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self._programs = {mode: Program(record, training=mode) for mode in (True, False)}
        self.record = record
        for weight in record.weights:
            _place(self, weight.key, weights[weight.key], trained=weight.trained)

    @classmethod
    def read(cls, graph: bytes, weights: bytes) -> Self:
        """Read and check both parts.

        Raises:
            ModelError: one of them breaks a rule.
        """
        record = parse_graph(graph)
        return cls(record, read_weights(record, weights))

    def forward(self, x: Tensor) -> Tensor:
        """Answer for every row by itself, as the Trusts do."""
        weights = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        program = self._programs[self.training]

        def one(row: Tensor) -> Tensor:
            return program(weights, row.unsqueeze(0)).squeeze(0)

        answer: Tensor = torch.func.vmap(one, randomness="different")(x)
        return answer


def _place(module: nn.Module, key: str, tensor: Tensor, *, trained: bool) -> None:
    *path, name = key.split(".")
    try:
        for part in path:
            if part not in module._modules:
                module.add_module(part, nn.Module())
            module = module.get_submodule(part)
        if trained:
            module.register_parameter(name, nn.Parameter(tensor.clone()))
        else:
            module.register_buffer(name, tensor.clone())
    except (KeyError, AttributeError) as error:
        raise ModelError(f"A tensor cannot be called {key}.", "Give the layer another name.") from error
