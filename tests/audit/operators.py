"""For every allowed operator a small use of it on one person's ``x [1, 8]`` and on weights, as graphs have it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from flip_sdk.contract.operators import OPERATORS
from flip_sdk.models.operators import TABLE
from torch import Tensor

WIDTH = 8
Use = Callable[[Callable, Tensor, Tensor], Tensor]

ELEMENTWISE = """relu relu6 sigmoid tanh silu mish selu log_sigmoid hardsigmoid hardswish abs neg exp expm1 log log1p
sqrt rsqrt square reciprocal sign sin cos erf logical_not contiguous clone detach alias elu celu leaky_relu softplus
hardtanh gelu"""
WITH_A_NUMBER = """clamp clamp_min clamp_max add.Scalar sub.Scalar rsub.Scalar mul.Scalar div.Scalar pow.Tensor_Scalar
gt.Scalar ge.Scalar lt.Scalar le.Scalar eq.Scalar ne.Scalar full_like"""
OF_TWO = """add sub mul div pow.Tensor_Tensor maximum minimum gt ge lt le eq ne logical_and logical_or"""


_II, _III = [1, 1], [1, 1, 1]


def c(x: Tensor, *shape: int) -> Tensor:
    return x.reshape(shape)


USES: dict[str, Use] = {
    "linear.default": lambda f, x, w: f(x, w, w[0]),
    "addmm.default": lambda f, x, w: f(w[:1], x, w),
    "mm.default": lambda f, x, w: f(x, w),
    "bmm.default": lambda f, x, w: f(c(x, 2, 2, 2), c(x * w[0], 2, 2, 2)),
    "matmul.default": lambda f, x, w: f(x, w),
    "baddbmm.default": lambda f, x, w: f(c(x, 2, 2, 2), c(x, 2, 2, 2), c(w[0], 2, 2, 2)),
    "conv1d.default": lambda f, x, w: f(c(x, 1, 2, 4), c(w[:2], 4, 2, 2), w[0, :4], [1], [1], [1], 1),
    "conv2d.default": lambda f, x, w: f(c(x, 1, 2, 2, 2), c(w[:4], 4, 2, 2, 2), None, _II, _II, _II, 1),
    "conv3d.default": lambda f, x, w: f(c(x, 1, 1, 2, 2, 2), c(w[:2], 2, 1, 2, 2, 2), None, _III, _III, _III, 1),
    "conv1d.padding": lambda f, x, w: f(c(x, 1, 2, 4), c(w[:2], 4, 2, 2), None, [1], "same", [1], 1),
    "conv2d.padding": lambda f, x, w: f(c(x, 1, 2, 2, 2), c(w[:4], 4, 2, 2, 2), None, _II, "same", _II, 1),
    "conv3d.padding": lambda f, x, w: f(c(x, 1, 1, 2, 2, 2), c(w[:2], 2, 1, 2, 2, 2), None, _III, "same", _III, 1),
    "conv_transpose1d.default": lambda f, x, w: f(c(x, 1, 2, 4), c(w[:2], 2, 4, 2), None, [2], [0], [0], 1, [1]),
    "conv_transpose2d.input": lambda f, x, w: f(c(x, 1, 2, 2, 2), c(w[:4], 2, 4, 2, 2)),
    "conv_transpose3d.input": lambda f, x, w: f(c(x, 1, 1, 2, 2, 2), c(w[:2], 1, 2, 2, 2, 2)),
    "embedding.default": lambda f, x, w: f(w, x.long()),
    "scaled_dot_product_attention.default": lambda f, x, w: f(c(x, 1, 4, 2), c(x * w[0], 1, 4, 2), c(x, 1, 4, 2)),
    "layer_norm.default": lambda f, x, w: f(x, [WIDTH], w[0], w[1], 1e-5, False),
    "group_norm.default": lambda f, x, w: f(c(x, 1, 4, 2), 2, w[0, :4], w[1, :4], 1e-5, False),
    "instance_norm.default": lambda f, x, w: f(c(x, 1, 2, 4), w[0, :2], w[1, :2], None, None, True, 0.1, 1e-5, True),
    "rms_norm.default": lambda f, x, w: f(x, [WIDTH], w[0], 1e-6),
    "dropout.default": lambda f, x, w: f(x * w[0], 0.5, True),
    "feature_dropout.default": lambda f, x, w: f(c(x * w[0], 1, 4, 2), 0.5, True),
    "native_dropout.default": lambda f, x, w: f(x * w[0], 0.5, True)[0],
    "max_pool1d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 8), [2]),
    "max_pool2d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 2, 4), [2, 2]),
    "max_pool3d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 2, 2, 2), [2, 2, 2]),
    "avg_pool1d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 8), [2]),
    "avg_pool2d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 2, 4), [2, 2]),
    "avg_pool3d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 2, 2, 2), [2, 2, 2]),
    "adaptive_avg_pool1d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 8), [3]),
    "adaptive_avg_pool2d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 2, 4), [1, 3]),
    "adaptive_avg_pool3d.default": lambda f, x, w: f(c(x * w[0], 1, 1, 2, 2, 2), [1, 1, 2]),
    "prelu.default": lambda f, x, w: f(x, w[0, :1]),
    "glu.default": lambda f, x, w: f(x * w[0]),
    "softmax.int": lambda f, x, w: f(x * w[0], 1),
    "_softmax.default": lambda f, x, w: f(x * w[0], 1, False),
    "log_softmax.int": lambda f, x, w: f(x * w[0], 1),
    "_log_softmax.default": lambda f, x, w: f(x * w[0], 1, False),
    "where.self": lambda f, x, w: f(x > 0, x * w[0], w[:1]),
    "masked_fill.Scalar": lambda f, x, w: f(x * w[0], x > 0, 2.0),
    "sum.default": lambda f, x, w: f(x * w[0]),
    "sum.dim_IntList": lambda f, x, w: f(x * w[0], [1], True),
    "mean.default": lambda f, x, w: f(x * w[0]),
    "mean.dim": lambda f, x, w: f(x * w[0], [1], True),
    "amax.default": lambda f, x, w: f(x * w[0], [1], False),
    "amin.default": lambda f, x, w: f(x * w[0], [1], False),
    "max.dim": lambda f, x, w: f(x * w[0], 1)[0],
    "min.dim": lambda f, x, w: f(x * w[0], 1)[0],
    "var.correction": lambda f, x, w: f(x * w[0], [1], correction=1),
    "std.correction": lambda f, x, w: f(x * w[0], [1], correction=1),
    "logsumexp.default": lambda f, x, w: f(x * w[0], [1]),
    "linalg_vector_norm.default": lambda f, x, w: f(x * w[0], 3.0, [1], False),
    "cumsum.default": lambda f, x, w: f(x * w[0], 1),
    "view.default": lambda f, x, w: f(x * w[0], [2, 4]),
    "reshape.default": lambda f, x, w: f(x * w[0], [2, 4]),
    "_unsafe_view.default": lambda f, x, w: f(x * w[0], [2, 4]),
    "flatten.using_ints": lambda f, x, w: f(x * w[0], 0, 1),
    "unflatten.int": lambda f, x, w: f(x * w[0], 1, [2, 4]),
    "squeeze.default": lambda f, x, w: f(x * w[0]),
    "squeeze.dim": lambda f, x, w: f(x * w[0], 0),
    "squeeze.dims": lambda f, x, w: f(x * w[0], [0]),
    "unsqueeze.default": lambda f, x, w: f(x * w[0], 0),
    "transpose.int": lambda f, x, w: f(x * w[0], 0, 1),
    "t.default": lambda f, x, w: f(x * w[0]),
    "permute.default": lambda f, x, w: f(x * w[0], [1, 0]),
    "movedim.int": lambda f, x, w: f(x * w[0], 0, 1),
    "expand.default": lambda f, x, w: f(x * w[0], [3, 8]),
    "repeat.default": lambda f, x, w: f(x * w[0], [3, 2]),
    "select.int": lambda f, x, w: f(x * w[0], 1, -1),
    "slice.Tensor": lambda f, x, w: f(x * w[0], 1, 1, 7, 2),
    "narrow.default": lambda f, x, w: f(x * w[0], 1, 2, 3),
    "cat.default": lambda f, x, w: f([x * w[0], w[:2]], 0),
    "stack.default": lambda f, x, w: f([x * w[0], w[:1]], 1),
    "split.Tensor": lambda f, x, w: f(x * w[0], 3, 1)[2],
    "split_with_sizes.default": lambda f, x, w: f(x * w[0], [3, 5], 1)[1],
    "chunk.default": lambda f, x, w: f(x * w[0], 3, 1)[1],
    "unbind.int": lambda f, x, w: f(x * w[0], 1)[3],
    "flip.default": lambda f, x, w: f(x * w[0], [1]),
    "roll.default": lambda f, x, w: f(x * w[0], [3], [1]),
    "index_select.default": lambda f, x, w: f(w, 0, x.long().reshape(-1)),
    "pad.default": lambda f, x, w: f(x * w[0], [2, 1], "reflect"),
    "constant_pad_nd.default": lambda f, x, w: f(x * w[0], [2, 1], 3.0),
    "tril.default": lambda f, x, w: f(c(x * w[0], 2, 4)),
    "triu.default": lambda f, x, w: f(c(x * w[0], 2, 4)),
    "full.default": lambda f, x, w: f([1, 8], 2.0) * x * w[0],
    "zeros.default": lambda f, x, w: f([1, 8]) + x * w[0],
    "ones.default": lambda f, x, w: f([1, 8]) * x * w[0],
    "arange.default": lambda f, x, w: f(8, dtype=torch.float32) * x * w[0],
    "zeros_like.default": lambda f, x, w: f(x) + x * w[0],
    "ones_like.default": lambda f, x, w: f(x) * x * w[0],
    "to.dtype": lambda f, x, w: f(x * w[0], torch.int64),
    "_to_copy.default": lambda f, x, w: f(x * w[0], dtype=torch.float64),
}  # fmt: skip
USES |= {_name: lambda f, x, w: f(x * w[0]) for _name in (f"{n}.default" for n in ELEMENTWISE.split())}
USES |= {
    (name if "." in name else f"{name}.default"): lambda f, x, w: f(x * w[0], 2.0) for name in WITH_A_NUMBER.split()
}
USES |= {
    (name if "." in name else f"{name}.default" if name.endswith(("imum", "and", "or")) else f"{name}.Tensor"): (
        lambda f, x, w: f(x, w[:1])
    )
    for name in OF_TWO.split()
}


def answer(name: str, weight: Tensor, x: Tensor) -> Tensor:
    """One person's answer: a scalar out of the operator's result, in which each of its numbers counts differently."""
    result = USES[name.removeprefix("aten.")](TABLE[name], x.unsqueeze(0), weight).to(torch.float32)
    return (result.reshape(-1) * torch.arange(1.0, 1.0 + result.numel())).sum() + (x.float() @ weight.float()).sum()


NAMES = tuple(OPERATORS)
