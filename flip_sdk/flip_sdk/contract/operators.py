"""The tensor operations a model may be made of, and what each of their arguments may be.

An allow-list, never a deny-list: PyTorch has more than 2,000 operators, among them ones that open files. Each row says
what may stand at each position, so that a graph is checked argument by argument without torch. What is here

- reads and writes nothing but its arguments (no files, no devices, no mutation, no random numbers but dropout's),
- treats one person at a time under ``torch.func.vmap``, and
- cannot fail on a *value*: an operator that raised an error for some measurement (an index out of range, a matrix that
  cannot be inverted) would tell, outside differential privacy, that somebody has it. Indices are clamped by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DTYPES = ("float32", "float64", "int64", "bool")
MEMORY_FORMATS = ("contiguous_format", "preserve_format", "channels_last")
WORDS = ("none", "tanh", "same", "valid", "constant", "reflect", "replicate")
"""Every string that may stand in a graph: dtypes, memory formats and these modes of an operator."""

TENSOR, TENSOR_OR_NULL, TENSOR_OR_NUMBER, TENSORS = "tensor", "tensor?", "tensor|number", "tensors"
INT, INT_OR_NULL, INTS, INTS_OR_NULL = "int", "int?", "ints", "ints?"
NUMBER, NUMBER_OR_NULL, BOOL, DTYPE, DTYPE_OR_NULL = "number", "number?", "bool", "dtype", "dtype?"
MEMORY, WORD, NULL = "memory_format?", "word", "null"

_SHORT = {
    "t": TENSOR, "t?": TENSOR_OR_NULL, "tn": TENSOR_OR_NUMBER, "ts": TENSORS, "i": INT, "i?": INT_OR_NULL,
    "is": INTS, "is?": INTS_OR_NULL, "n": NUMBER, "n?": NUMBER_OR_NULL, "b": BOOL, "d": DTYPE, "d?": DTYPE_OR_NULL,
    "m": MEMORY, "w": WORD, "z": NULL,
}  # fmt: skip


@dataclass(frozen=True)
class Operator:
    """One allowed operator.

    Attributes:
        name: as PyTorch writes it, ``aten.linear.default``.
        positions: kind of each positional argument; trailing ones may be left out.
        named: kind of each keyword argument.
        required: how many positional arguments there are at least.
        many: whether it returns several tensors (read by ``getitem``).
    """

    name: str
    positions: tuple[str, ...]
    required: int
    named: dict[str, str] = field(default_factory=dict)
    many: bool = False


def _read(row: str) -> Operator:
    """``aten.add.Tensor  t tn ; alpha=n``: name, positions (``[`` before the first optional one), named arguments."""
    left, _, right = row.partition(";")
    name, *kinds = left.split()
    many = name.endswith("->many")
    required = kinds.index("[") if "[" in kinds else len(kinds)
    positions = tuple(_SHORT[kind] for kind in kinds if kind != "[")
    named = {key: _SHORT[kind] for key, kind in (item.split("=") for item in right.split())}
    return Operator(name.removesuffix("->many"), positions, required, named, many)


GETITEM = "getitem"
"""Takes one tensor out of what an operator with several results returned: (reference, index)."""

_ROWS = """
aten.linear.default t t [ t?
aten.addmm.default t t t ; beta=n alpha=n
aten.mm.default t t
aten.bmm.default t t
aten.matmul.default t t
aten.baddbmm.default t t t ; beta=n alpha=n
aten.conv1d.default t t [ t? is is is i
aten.conv2d.default t t [ t? is is is i
aten.conv3d.default t t [ t? is is is i
aten.conv1d.padding t t [ t? is w is i
aten.conv2d.padding t t [ t? is w is i
aten.conv3d.padding t t [ t? is w is i
aten.conv_transpose1d.default t t [ t? is is is i is
aten.conv_transpose2d.input t t [ t? is is is i is
aten.conv_transpose3d.input t t [ t? is is is i is
aten.embedding.default t t [ i b b
aten.scaled_dot_product_attention.default t t t [ t? n b ; scale=n?
aten.layer_norm.default t is [ t? t? n b
aten.group_norm.default t i [ t? t? n b
aten.instance_norm.default t t? t? z z b n n b
aten.rms_norm.default t is [ t? n?
aten.dropout.default t n b
aten.feature_dropout.default t n b
aten.native_dropout.default->many t n b
aten.max_pool1d.default t is [ is is is b
aten.max_pool2d.default t is [ is is is b
aten.max_pool3d.default t is [ is is is b
aten.avg_pool1d.default t is [ is is b b
aten.avg_pool2d.default t is [ is is b b i?
aten.avg_pool3d.default t is [ is is b b i?
aten.adaptive_avg_pool1d.default t is
aten.adaptive_avg_pool2d.default t is
aten.adaptive_avg_pool3d.default t is
aten.relu.default t
aten.relu6.default t
aten.sigmoid.default t
aten.tanh.default t
aten.gelu.default t ; approximate=w
aten.silu.default t
aten.mish.default t
aten.elu.default t [ n n n
aten.selu.default t
aten.celu.default t [ n
aten.leaky_relu.default t [ n
aten.prelu.default t t
aten.softplus.default t [ n n
aten.log_sigmoid.default t
aten.hardtanh.default t [ n n
aten.hardsigmoid.default t
aten.hardswish.default t
aten.glu.default t [ i
aten.softmax.int t i [ d?
aten._softmax.default t i b
aten.log_softmax.int t i [ d?
aten._log_softmax.default t i b
aten.abs.default t
aten.neg.default t
aten.exp.default t
aten.expm1.default t
aten.log.default t
aten.log1p.default t
aten.sqrt.default t
aten.rsqrt.default t
aten.square.default t
aten.reciprocal.default t
aten.sign.default t
aten.sin.default t
aten.cos.default t
aten.erf.default t
aten.clamp.default t [ n? n?
aten.clamp_min.default t n
aten.clamp_max.default t n
aten.add.Tensor t tn ; alpha=n
aten.add.Scalar t n [ n
aten.sub.Tensor t tn ; alpha=n
aten.sub.Scalar t n [ n
aten.rsub.Scalar t n [ n
aten.mul.Tensor t tn
aten.mul.Scalar t n
aten.div.Tensor t tn
aten.div.Scalar t n
aten.pow.Tensor_Scalar t n
aten.pow.Tensor_Tensor t t
aten.maximum.default t t
aten.minimum.default t t
aten.gt.Scalar t n
aten.ge.Scalar t n
aten.lt.Scalar t n
aten.le.Scalar t n
aten.eq.Scalar t n
aten.ne.Scalar t n
aten.gt.Tensor t t
aten.ge.Tensor t t
aten.lt.Tensor t t
aten.le.Tensor t t
aten.eq.Tensor t t
aten.ne.Tensor t t
aten.logical_not.default t
aten.logical_and.default t t
aten.logical_or.default t t
aten.where.self t t t
aten.masked_fill.Scalar t t n
aten.sum.default t
aten.sum.dim_IntList t is? [ b
aten.mean.default t
aten.mean.dim t is? [ b
aten.amax.default t [ is b
aten.amin.default t [ is b
aten.max.dim->many t i [ b
aten.min.dim->many t i [ b
aten.var.correction t [ is? ; correction=n? keepdim=b
aten.std.correction t [ is? ; correction=n? keepdim=b
aten.logsumexp.default t is [ b
aten.linalg_vector_norm.default t [ n is? b
aten.cumsum.default t i
aten.view.default t is
aten.reshape.default t is
aten._unsafe_view.default t is
aten.flatten.using_ints t [ i i
aten.unflatten.int t i is
aten.squeeze.default t
aten.squeeze.dim t i
aten.squeeze.dims t is
aten.unsqueeze.default t i
aten.transpose.int t i i
aten.t.default t
aten.permute.default t is
aten.movedim.int t i i
aten.expand.default t is
aten.repeat.default t is
aten.contiguous.default t ; memory_format=m
aten.clone.default t ; memory_format=m
aten.detach.default t
aten.alias.default t
aten.select.int t i i
aten.slice.Tensor t [ i i? i? i
aten.narrow.default t i i i
aten.cat.default ts [ i
aten.stack.default ts [ i
aten.split.Tensor->many t i [ i
aten.split_with_sizes.default->many t is [ i
aten.chunk.default->many t i [ i
aten.unbind.int->many t [ i
aten.flip.default t is
aten.roll.default t is [ is
aten.index_select.default t i t
aten.pad.default t is [ w n?
aten.constant_pad_nd.default t is [ n
aten.tril.default t [ i
aten.triu.default t [ i
aten.full.default is n ; dtype=d
aten.zeros.default is ; dtype=d
aten.ones.default is ; dtype=d
aten.arange.default n ; dtype=d
aten.zeros_like.default t ; dtype=d
aten.ones_like.default t ; dtype=d
aten.full_like.default t n ; dtype=d
aten.to.dtype t d [ b b m
aten._to_copy.default t ; dtype=d
"""

OPERATORS: dict[str, Operator] = {
    operator.name: operator for operator in (_read(row) for row in _ROWS.strip().splitlines())
}
