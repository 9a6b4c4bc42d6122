"""The allowed operators as torch callables. The only names looked up are the constants of ``contract.operators``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from flip_sdk.contract.operators import GETITEM, OPERATORS

DTYPE = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64, "bool": torch.bool}
NAME_OF_DTYPE = {dtype: name for name, dtype in DTYPE.items()}
MEMORY_FORMAT = {
    "contiguous_format": torch.contiguous_format,
    "preserve_format": torch.preserve_format,
    "channels_last": torch.channels_last,
}
NAME_OF_MEMORY_FORMAT = {memory_format: name for name, memory_format in MEMORY_FORMAT.items()}


def overload(name: str) -> Any:
    """The torch operator of a row of ``contract.operators.OPERATORS``; never called with a name from outside."""
    _, packet, variant = OPERATORS[name].name.split(".")
    return getattr(getattr(torch.ops.aten, packet), variant)


def _reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    # under vmap a tensor may not be laid out as it was when the graph was made, so a view has to be allowed to copy
    return torch.reshape(x, tuple(shape))


def _embedding(weight: Tensor, indices: Tensor, *_: object) -> Tensor:
    # an index out of range would raise for one person's value and so tell that it is there
    return torch.nn.functional.embedding(indices.clamp(0, weight.shape[0] - 1), weight)


def _index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    return torch.index_select(x, dim, index.clamp(0, x.shape[dim] - 1))


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
) -> Tensor:
    """The textbook form: torch's fused kernel has no rule for vmap and would run person by person."""
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        ones = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(~ones.tril(), -1e9)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9) if mask.dtype == torch.bool else scores + mask
    return torch.dropout(torch.softmax(scores, dim=-1), dropout, dropout > 0) @ value


def _instance_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Tensor:
    *_, eps, _cudnn = rest
    return torch.group_norm(x, x.shape[1], weight, bias, eps)


def _same(x: Tensor, **_: object) -> Tensor:
    return x


def _full(size: Sequence[int], value: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.full(tuple(size), value, dtype=dtype)


def _zeros(size: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(tuple(size), dtype=dtype)


def _ones(size: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.ones(tuple(size), dtype=dtype)


def _arange(end: float, dtype: torch.dtype = torch.float32) -> Tensor:
    # the overload itself would not follow ``with device``, and so have no shape on meta tensors
    return torch.arange(end, dtype=dtype)


def _getitem(values: Sequence[Tensor], index: int) -> Tensor:
    return values[index]


TABLE: dict[str, Callable[..., Any]] = {name: overload(name) for name in OPERATORS} | {
    GETITEM: _getitem,
    "aten.view.default": _reshape,
    "aten.reshape.default": _reshape,
    "aten._unsafe_view.default": _reshape,
    "aten.embedding.default": _embedding,
    "aten.index_select.default": _index_select,
    "aten.scaled_dot_product_attention.default": _attention,
    "aten.instance_norm.default": _instance_norm,
    "aten.contiguous.default": _same,
    "aten.clone.default": _same,
    "aten.alias.default": _same,
    "aten.full.default": _full,
    "aten.zeros.default": _zeros,
    "aten.ones.default": _ones,
    "aten.arange.default": _arange,
}

QUIET: dict[str, tuple[int, object]] = {
    "aten.dropout.default": (2, False),
    "aten.feature_dropout.default": (2, False),
    "aten.native_dropout.default": (2, False),
    "aten.scaled_dot_product_attention.default": (4, 0.0),
}
"""Which argument to replace, and by what, where a model is evaluated instead of trained."""
