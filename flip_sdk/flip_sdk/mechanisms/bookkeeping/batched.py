"""Operators on all rows at once: the same operator with one more dimension in front, where that comes to the same.

Each builder looks at a site and returns how to run it, or None where it does not fit; the site then goes through
``torch.vmap`` (:func:`flip_sdk.mechanisms.bookkeeping.sites.one_by_one`), which fits always and is slower. So that this
table is about speed alone, tests compare each of its operators with ``torch.vmap``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flip_sdk.contract.graph import Ref
from flip_sdk.contract.operators import GETITEM
from flip_sdk.mechanisms.bookkeeping.sites import Run, Site, aligned, merged, one_by_one
from flip_sdk.models.program import fill

Builder = Callable[[Site], Run | None]


def run_of(site: Site) -> Run:
    """How to run a node of which something is each person's own."""
    builder = BUILDERS.get(site.node.op)
    run = builder(site) if builder is not None else None
    return run if run is not None else one_by_one(site)


def _first_alone(site: Site) -> bool:
    """Whether the first argument is each person's own and nothing else is."""
    return site.is_own(site.args[0]) and all(site.is_shared(argument) for argument in site.args[1:])


def _call(site: Site, values: list[Any], first: Any) -> Any:
    """The operator with another first argument."""
    rest = (fill(argument, values) for argument in site.args[1:])
    return site.step.function(first, *rest, **site.step.named)


def _trailing(site: Site) -> Run | None:
    """Operators that work on each element, or on dimensions counted from the last."""
    if not _first_alone(site):
        return None
    source: Ref = site.args[0]
    return lambda values, _: _call(site, values, values[source.value])


def _element_by_element(site: Site) -> Run | None:
    """Operators of several tensors that are broadcast against each other."""
    rank = len(site.result.shape)
    own = [ref for ref in site.tensors() if site.is_own(ref)]
    kinds = {site.spec(ref).dtype for ref in site.tensors()}
    # a number without dimensions follows other rules of which dtype wins
    if len(kinds) > 1 and any(not site.spec(ref).shape for ref in own) and rank:
        return None
    step = site.step

    def run(values: list[Any], _: int) -> Any:
        args = [
            aligned(values[argument.value], site.spec(argument), rank)
            if site.is_own(argument)
            else fill(argument, values)
            for argument in site.args
        ]
        return step.function(*args, **step.named)

    return run


def _reshaped(site: Site) -> Run | None:
    if not site.is_own(site.args[0]):
        return None
    shape, source = site.result.shape, site.args[0].value
    return lambda values, rows: values[source].reshape(rows, *shape)


def _expanded(site: Site) -> Run | None:
    if not site.is_own(site.args[0]):
        return None
    source, shape = site.args[0], site.result.shape
    spec = site.spec(source)
    return lambda values, rows: aligned(values[source.value], spec, len(shape)).expand(rows, *shape)


def _along(position: int = 1, default: Any = None, *, more: int = 0) -> Builder:
    """Operators with one or several dimensions at a position; ``more``: so many dimensions the result has more."""

    def build(site: Site) -> Run | None:
        given = site.argument(position, default)
        listed = isinstance(given, list)
        dims = given if listed else [given]
        if not _first_alone(site) or not dims or not all(type(dim) is int for dim in dims):
            return None
        rank = len(site.spec(site.args[0]).shape) + more
        if not rank:
            return None
        shifted = [dim % rank + 1 for dim in dims]
        args = [*site.args[1:position], shifted if listed else shifted[0], *site.args[position + 1 :]]
        source, step = site.args[0].value, site.step

        def run(values: list[Any], _: int) -> Any:
            result = step.function(values[source], *args, **step.named)
            return tuple(result) if isinstance(result, list | tuple) else result

        return run

    return build


def _transposed(site: Site) -> Run | None:
    rank = len(site.spec(site.args[0]).shape)
    first, second = (dim % rank + 1 for dim in site.args[1:3]) if rank else (0, 0)
    source = site.args[0].value
    return (lambda values, _: values[source].transpose(first, second)) if rank else None


def _permuted(site: Site) -> Run | None:
    dims = [0, *(dim % len(site.args[1]) + 1 for dim in site.args[1])]
    source = site.args[0].value
    return lambda values, _: values[source].permute(dims)


def _joined(site: Site) -> Run | None:
    """``cat`` and ``stack``: what is the same for all is repeated for each row."""
    refs: list[Ref] = site.args[0]
    shapes = [site.spec(ref).shape for ref in refs]
    more = int(site.node.op == "aten.stack.default")
    if len({len(shape) for shape in shapes}) > 1 or not len(shapes[0]) + more:
        return None
    dim = site.argument(1, 0) % (len(shapes[0]) + more) + 1
    function = torch.stack if more else torch.cat

    def run(values: list[Any], rows: int) -> Tensor:
        given = [
            values[ref.value] if site.is_own(ref) else values[ref.value].expand(rows, *shape)
            for ref, shape in zip(refs, shapes, strict=True)
        ]
        return function(given, dim)

    return run


def _merging(*ranks: int) -> Builder:
    """Operators on a batch, as ``[batch, channels, …]``: rows and batch become one dimension."""

    def build(site: Site) -> Run | None:
        if not _first_alone(site) or len(site.spec(site.args[0]).shape) not in ranks:
            return None
        source = site.args[0]
        spec, shape = site.spec(source), site.result.shape

        def run(values: list[Any], rows: int) -> Tensor:
            result: Tensor = _call(site, values, merged(values[source.value], spec))
            return result.reshape(rows, *shape)

        return run

    return build


def _dropped(site: Site) -> Run | None:
    """Dropout of single numbers: each row has its own, also of a value that is the same for all."""
    source = site.args[0]
    shape = site.spec(source).shape

    def run(values: list[Any], rows: int) -> Any:
        value = values[source.value]
        return _call(site, values, value if site.is_own(source) else value.expand(rows, *shape))

    return run


def _multiplied(site: Site) -> Run | None:
    """Products of matrices, or of stacks of them."""
    ranks = [len(site.spec(ref).shape) for ref in site.args[:2]]
    if min(ranks) < 2:
        return None

    def run(values: list[Any], _: int) -> Tensor:
        left, right = (
            aligned(values[ref.value], site.spec(ref), max(ranks)) if site.is_own(ref) else values[ref.value]
            for ref in site.args[:2]
        )
        return torch.matmul(left, right)

    return run


def _layer(site: Site) -> Run | None:
    """A linear layer with constant weights; without dimensions it would see the rows as one of its own."""
    return _trailing(site) if site.spec(site.args[0]).shape and len(site.spec(site.args[1]).shape) == 2 else None


def _normalised(site: Site) -> Run | None:
    return _merging(len(site.spec(site.args[0]).shape))(site) if len(site.spec(site.args[0]).shape) >= 2 else None


def _attended(site: Site) -> Run | None:
    ranks = {len(site.spec(ref).shape) for ref in site.args[:3]}
    if len(ranks) > 1 or not all(map(site.is_own, site.args[:3])) or not site.is_shared(site.argument(3)):
        return None
    return lambda values, _: site.step.function(*(fill(argument, values) for argument in site.args), **site.step.named)


def _padded(site: Site) -> Run | None:
    mode = site.argument(2, "constant") if site.node.op == "aten.pad.default" else "constant"
    return _trailing(site) if mode == "constant" else None


def _looked_up(site: Site) -> Run | None:
    weight, indices = site.args[:2]
    if not site.is_own(indices) or site.is_own(weight):
        return None
    return lambda values, _: site.step.function(values[weight.value], values[indices.value])


def _taken(site: Site) -> Run:
    source, index = site.args
    return lambda values, _: values[source.value][index]


_EACH = (
    "relu relu6 sigmoid tanh gelu silu mish elu selu celu leaky_relu softplus log_sigmoid hardtanh hardsigmoid "
    "hardswish abs neg exp expm1 log log1p sqrt rsqrt square reciprocal sign sin cos erf clamp clamp_min clamp_max "
    "logical_not detach zeros_like ones_like full_like _to_copy contiguous clone alias"
)
_BROADCAST = (
    "add.Tensor sub.Tensor mul.Tensor div.Tensor pow.Tensor_Tensor maximum.default minimum.default gt.Tensor ge.Tensor "
    "lt.Tensor le.Tensor eq.Tensor ne.Tensor logical_and.default logical_or.default where.self masked_fill.Scalar"
)
_WITH_NUMBER = (
    "add.Scalar sub.Scalar rsub.Scalar mul.Scalar div.Scalar pow.Tensor_Scalar gt.Scalar ge.Scalar lt.Scalar le.Scalar "
    "eq.Scalar ne.Scalar to.dtype tril.default triu.default layer_norm.default rms_norm.default"
)
_SHAPES = (
    "view.default reshape.default _unsafe_view.default flatten.using_ints unflatten.int squeeze.default squeeze.dim "
    "squeeze.dims unsqueeze.default"
)
_ALONG = (
    "softmax.int _softmax.default log_softmax.int _log_softmax.default sum.dim_IntList mean.dim amax.default "
    "amin.default max.dim min.dim logsumexp.default cumsum.default select.int narrow.default flip.default "
    "var.correction std.correction"
)


def _named(names: str, builder: Builder, suffix: str = "") -> dict[str, Builder]:
    return {f"aten.{name}{suffix}": builder for name in names.split()}


BUILDERS: dict[str, Builder] = {
    **_named(_EACH, _trailing, ".default"),
    **_named(_WITH_NUMBER, _trailing),
    **_named(_BROADCAST, _element_by_element),
    **_named(_SHAPES, _reshaped),
    **_named(_ALONG, _along()),
    **_named("glu.default", _along(1, -1)),
    **_named("slice.Tensor unbind.int", _along(1, 0)),
    **_named("split.Tensor split_with_sizes.default chunk.default", _along(2, 0)),
    **_named("roll.default", _along(2)),
    **_named("conv1d.default conv1d.padding conv_transpose1d.default", _merging(3)),
    **_named("conv2d.default conv2d.padding conv_transpose2d.input", _merging(4)),
    **_named("conv3d.default conv3d.padding conv_transpose3d.input", _merging(5)),
    **_named("max_pool1d avg_pool1d adaptive_avg_pool1d", _merging(3), ".default"),
    **_named("max_pool2d avg_pool2d adaptive_avg_pool2d", _merging(4), ".default"),
    **_named("max_pool3d avg_pool3d adaptive_avg_pool3d", _merging(5), ".default"),
    **_named("group_norm instance_norm feature_dropout", _normalised, ".default"),
    **_named("dropout native_dropout", _dropped, ".default"),
    **_named("mm bmm matmul", _multiplied, ".default"),
    **_named("pad constant_pad_nd", _padded, ".default"),
    GETITEM: _taken,
    "aten.expand.default": _expanded,
    "aten.transpose.int": _transposed,
    "aten.permute.default": _permuted,
    "aten.cat.default": _joined,
    "aten.stack.default": _joined,
    "aten.linear.default": _layer,
    "aten.embedding.default": _looked_up,
    "aten.scaled_dot_product_attention.default": _attended,
}
