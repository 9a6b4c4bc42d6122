"""Convolutions, also transposed ones: a person's gradient of the kernel is one product of matrices.

For an offset o within the kernel, the gradient is Σ over positions of what came back at a position times what went in
at that position shifted by o; the shifted inputs are laid out beside each other. For a transposed convolution the two
change places. Where the product is large enough to be worth a call by itself, torch's own kernel is asked person by
person instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from flip_sdk.mechanisms.bookkeeping.layers import Kept, KeptSite, Tape, weight_of
from flip_sdk.mechanisms.bookkeeping.sink import Sink
from flip_sdk.mechanisms.bookkeeping.sites import Site, elements, merged

_WORTH_A_CALL = 2_000_000
"""Multiplications of one person's gradient from which a call for each person costs less than copying shifted inputs."""
_TRANSPOSED = {1: "aten.conv_transpose1d.default", 2: "aten.conv_transpose2d.input", 3: "aten.conv_transpose3d.input"}


@dataclass(frozen=True)
class _Geometry:
    """A convolution's numbers, one for each spatial dimension; ``before``/``after``: zeros put around the input."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int
    transposed: bool

    @property
    def dimensions(self) -> int:
        return len(self.kernel)


def convolution(kept: KeptSite) -> Kept | None:
    """A convolution over a batch ``[batch, channels, …]`` with trained kernel, bias or both."""
    site = kept.site
    x, weight, bias = site.args[0], site.args[1], site.argument(2)
    spec, shape = site.spec(x), site.spec(weight).shape
    if len(spec.shape) != len(shape) or not site.is_own(x) or not kept.has_shape(weight, *shape) or weight == bias:
        return None
    geometry, channels = _geometry(site), site.result.shape[1]
    if not kept.has_shape(bias, channels):
        return None
    key, bias_key = kept.key(weight), kept.key(bias)

    def run(values: list[Any], rows: int, tape: Tape) -> Tensor:
        given = merged(values[x.value], spec)
        output: Tensor = site.step.function(given, weight_of(tape, weight), weight_of(tape, bias), *site.args[3:])

        def handle(gradient: Tensor) -> None:
            back = gradient.float()
            if key is not None:
                held = weight_of(tape, weight)
                tape.sink.add(key, kernel_gradients(tape.sink, given.detach().float(), back, held, geometry))
            if bias_key is not None:
                by_person = tape.sink.by_person(back.flatten(2).sum(dim=2), channels)
                tape.sink.add(bias_key, by_person.sum(dim=1))

        tape.keep(output, handle)
        return output.reshape(rows, *site.result.shape)

    laid_out = elements(shape[2:]) * elements((site.result if geometry.transposed else spec).shape)
    return Kept(run, kept.parameters(weight, bias), 2 * elements(shape) + min(laid_out, _WORTH_A_CALL) // 2)


def kernel_gradients(sink: Sink, given: Tensor, back: Tensor, weight: Tensor, geometry: _Geometry) -> Tensor:
    """``[persons, *weight.shape]`` from what went in and what came back, each ``[rows · batch, channels, …]``."""
    if any(geometry.before) or any(geometry.after):
        around = zip(reversed(geometry.before), reversed(geometry.after), strict=True)
        zeros = [amount for pair in around for amount in pair]
        if geometry.transposed:
            # what a transposed convolution leaves off its output came back as nothing
            back = functional.pad(back, zeros)
        else:
            given = functional.pad(given, zeros)
    work = elements(weight.shape) * elements((given if geometry.transposed else back).shape[2:])
    if back.is_cuda:
        return _mapped(sink, given, back, weight, geometry)
    if work * (len(back) // sink.persons) >= _WORTH_A_CALL:
        return _called(sink, given, back, weight, geometry)
    return _shifted(sink, given, back, weight, geometry)


def _shifted(sink: Sink, given: Tensor, back: Tensor, weight: Tensor, geometry: _Geometry) -> Tensor:
    wide, fixed = (back, given) if geometry.transposed else (given, back)
    left = _by_group(sink, fixed, geometry.groups)
    right = _by_group(sink, _windows(wide, geometry, fixed.shape[2:]), geometry.groups)
    # [persons · groups, fixed / group, wide / group · offsets]; the weight has one group's channels after the other
    return torch.bmm(left, right.transpose(1, 2)).reshape(sink.persons, *weight.shape)


def _windows(wide: Tensor, geometry: _Geometry, positions: tuple[int, ...]) -> Tensor:
    """The padded input once for each offset in the kernel: ``[rows · batch, channels · offsets, positions]``."""
    apart = wide.stride()
    offsets = (step * dilation for step, dilation in zip(apart[2:], geometry.dilation, strict=True))
    moves = (step * stride for step, stride in zip(apart[2:], geometry.stride, strict=True))
    seen = wide.as_strided((*wide.shape[:2], *geometry.kernel, *positions), (*apart[:2], *offsets, *moves))
    return seen.reshape(len(wide), wide.shape[1] * elements(geometry.kernel), -1)


def _by_group(sink: Sink, x: Tensor, groups: int) -> Tensor:
    """``[persons · per person, channels, …]`` as ``[persons · groups, channels / group, all positions]``."""
    per_person = len(x) // sink.persons
    split = x.reshape(sink.persons, per_person, groups, x.shape[1] // groups, -1)
    return split.permute(0, 2, 3, 1, 4).reshape(sink.persons * groups, x.shape[1] // groups, -1)


def _called(sink: Sink, given: Tensor, back: Tensor, weight: Tensor, geometry: _Geometry) -> Tensor:
    pairs = zip(given.chunk(sink.persons), back.chunk(sink.persons), strict=True)
    return torch.stack([_kernel_gradient(mine, returned, weight, geometry) for mine, returned in pairs])


def _mapped(sink: Sink, given: Tensor, back: Tensor, weight: Tensor, geometry: _Geometry) -> Tensor:
    def one(mine: Tensor, returned: Tensor) -> Tensor:
        return _kernel_gradient(mine, returned, weight, geometry)

    by_person = given.reshape(sink.persons, -1, *given.shape[1:]), back.reshape(sink.persons, -1, *back.shape[1:])
    answer: Tensor = torch.func.vmap(one)(*by_person)
    return answer


def _kernel_gradient(given: Tensor, back: Tensor, weight: Tensor, geometry: _Geometry) -> Tensor:
    """Torch's own gradient of the kernel, of inputs that have their zeros around them already."""
    none = [0] * geometry.dimensions
    _, gradient, _ = torch.ops.aten.convolution_backward(
        back,
        given,
        weight,
        None,
        list(geometry.stride),
        none,
        list(geometry.dilation),
        geometry.transposed,
        list(geometry.output_padding),
        geometry.groups,
        [False, True, False],
    )
    return gradient  # type: ignore[no-any-return]


def _geometry(site: Site) -> _Geometry:
    kernel = site.spec(site.args[1]).shape[2:]
    dimensions = len(kernel)
    transposed = site.node.op == _TRANSPOSED[dimensions]

    def numbers(position: int, default: int) -> tuple[int, ...]:
        given = site.argument(position) or [default]
        return tuple(given) if len(given) == dimensions else (given[0],) * dimensions

    dilation = numbers(7 if transposed else 5, 1)
    padding = site.argument(4, [0])
    if isinstance(padding, str):
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, kernel, strict=True)]
        before, after = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    else:
        before = after = numbers(4, 0)
    return _Geometry(
        kernel,
        numbers(3, 1),
        dilation,
        before,
        after,
        numbers(5, 0) if transposed else (0,) * dimensions,
        site.argument(6, 1),
        transposed,
    )
