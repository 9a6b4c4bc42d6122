"""Layers whose parameters get their per-person gradients from what goes in and what comes back.

Each builder looks at a site whose parameters are trained and returns how to run it and keep the books, or None where
it does not fit; its parameters are then copied for each person, which is right for any use of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from flip_sdk.contract.graph import Ref
from flip_sdk.mechanisms.bookkeeping.sink import Factored, Rows, Sink
from flip_sdk.mechanisms.bookkeeping.sites import Site, elements


@dataclass
class Tape:
    """What is noted down while the rows go forward.

    Attributes:
        sink: where gradients go when they come back.
        weights: the model's tensors as they are, by value number.
        roots: where the backward pass ends.
    """

    sink: Sink
    weights: Sequence[Tensor]
    roots: list[Tensor]

    def keep(self, output: Tensor, handle: Callable[[Tensor], None]) -> None:
        """Call ``handle`` with the gradient of the loss by ``output`` once it is known."""
        if not output.requires_grad:
            output.requires_grad_()
            self.roots.append(output)
        output.register_hook(handle)  # type: ignore[no-untyped-call]


KeptRun = Callable[[list[Any], int, Tape], Tensor]


@dataclass(frozen=True)
class Kept:
    """A layer that keeps the books.

    Attributes:
        run: takes all values, the number of rows and the tape.
        parameters: value numbers of the parameters whose gradients it hands to the sink.
        held: how many numbers of one person's gradient it writes out.
    """

    run: KeptRun
    parameters: tuple[int, ...]
    held: int = 0


@dataclass(frozen=True)
class KeptSite:
    """A site with trained parameters.

    Attributes:
        site: the site.
        alone: value numbers of the parameters that nothing else uses.
    """

    site: Site
    alone: frozenset[int]

    def key(self, argument: Any) -> str | None:
        """The name of a trained parameter; None for anything else."""
        return self.site.record.trained_key(argument)

    def parameters(self, *arguments: Any) -> tuple[int, ...]:
        """The trained parameters among some arguments."""
        return tuple(argument.value for argument in arguments if self.key(argument) is not None)

    def has_shape(self, argument: Any, *shape: int) -> bool:
        """Whether an argument is missing, or a weight of this shape."""
        if argument is None:
            return True
        within = type(argument) is Ref and 1 <= argument.value < self.site.record.first_node
        return within and self.site.spec(argument).shape == shape


def weight_of(tape: Tape, argument: Any) -> Any:
    """The weight itself, the same for all persons."""
    return None if argument is None else tape.weights[argument.value - 1]


def add_matrix(sink: Sink, key: str, left: Tensor, right: Tensor, *, alone: bool) -> None:
    """The gradient ``leftᵀ · right`` of a matrix, in the cheaper form.

    Args:
        sink: where to.
        key: the parameter.
        left: ``[persons, t, a]``.
        right: ``[persons, t, b]``.
        alone: whether this is all of the parameter's gradient.
    """
    if alone and not sink.whole and _better_factored(left.shape[1], left.shape[2], right.shape[2]):
        sink.hold(key, Factored(left, right))
    else:
        sink.add(key, torch.bmm(left.transpose(1, 2), right))


def _better_factored(positions: int, a: int, b: int) -> bool:
    return positions == 1 or 2 * positions * positions * (a + b) < a * b


def linear(kept: KeptSite) -> Kept | None:
    """``x · Wᵀ + b``, with W ``[outputs, inputs]``, and ``x · W`` of matrix products, with W ``[inputs, outputs]``."""
    site = kept.site
    added = site.node.op == "aten.addmm.default"
    plain = site.node.op == "aten.linear.default"
    x, weight = site.args[1:3] if added else site.args[:2]
    bias = site.args[0] if added else (site.argument(2) if plain else None)
    shape = site.spec(weight).shape
    inputs, outputs = site.spec(x).shape[-1:], site.result.shape[-1:]
    expected = (*outputs, *inputs) if plain else (*inputs, *outputs)
    fits = site.is_own(x) and len(shape) == 2 and shape == expected and site.spec(x).dtype == "float32"
    if not fits or not kept.has_shape(weight, *shape) or not kept.has_shape(bias, *outputs) or site.step.named:
        return None
    if bias is not None and bias == weight:
        return None
    key, bias_key, alone = kept.key(weight), kept.key(bias), weight.value in kept.alone
    together = alone and bias is not None and bias.value in kept.alone

    def run(values: list[Any], _: int, tape: Tape) -> Tensor:
        held = weight_of(tape, weight)
        given = values[x.value]
        output = functional.linear(given, held if plain else held.T, weight_of(tape, bias))

        def handle(gradient: Tensor) -> None:
            sink = tape.sink
            back, went_in = sink.by_person(gradient.float(), *outputs), sink.by_person(given.detach().float(), *inputs)
            left, right = (back, went_in) if plain else (went_in, back)
            if key is not None and bias_key is not None and together and back.shape[1] == 1 and not sink.whole:
                sink.hold(key, Factored(left, right, bias_key, bias_of_left=plain))
                return
            if key is not None:
                add_matrix(sink, key, left, right, alone=alone)
            if bias_key is not None:
                sink.add(bias_key, back.sum(dim=1))

        tape.keep(output, handle)
        return output

    positions = elements(site.result.shape[:-1])
    factored = alone and _better_factored(positions, *shape)
    return Kept(run, kept.parameters(weight, bias), 0 if factored else elements(shape))


def group_norm(kept: KeptSite) -> Kept | None:
    """Group and instance norm: channels of all rows become channels of one, each with its own weight.

    So torch's own kernel answers with the gradient of every row's weights.
    """
    site = kept.site
    group = site.node.op == "aten.group_norm.default"
    x, weight, bias = site.args[0], site.argument(2 if group else 1), site.argument(3 if group else 2)
    spec = site.spec(x)
    if not site.is_own(x) or len(spec.shape) < 3 or weight == bias:
        return None
    batch, channels = spec.shape[:2]
    if not kept.has_shape(weight, channels) or not kept.has_shape(bias, channels):
        return None
    groups = site.args[1] if group else channels
    eps = site.argument(4, 1e-5) if group else site.args[7]

    def run(values: list[Any], rows: int, tape: Tape) -> Tensor:
        def spread(argument: Any) -> Tensor | None:
            if argument is None:
                return None
            own: Tensor = weight_of(tape, argument).repeat(rows * batch)
            key = kept.key(argument)
            if key is not None:
                tape.keep(own, lambda back: tape.sink.add(key, tape.sink.by_person(back.float(), channels).sum(dim=1)))
            return own

        one = values[x.value].reshape(1, rows * batch * channels, *spec.shape[2:])
        result = torch.group_norm(one, rows * batch * groups, spread(weight), spread(bias), eps)
        return result.reshape(rows, *spec.shape)

    return Kept(run, kept.parameters(weight, bias))


def layer_norm(kept: KeptSite) -> Kept | None:
    """Layer and RMS norm: normalised without weights first, then scaled by them."""
    site = kept.site
    rms = site.node.op == "aten.rms_norm.default"
    x, shape, weight = site.args[0], tuple(site.args[1]), site.argument(2)
    bias = None if rms else site.argument(3)
    if not site.is_own(x) or not kept.has_shape(weight, *shape) or not kept.has_shape(bias, *shape) or weight == bias:
        return None
    key, bias_key = kept.key(weight), kept.key(bias)

    def run(values: list[Any], _: int, tape: Tape) -> Tensor:
        given, scale, shift = values[x.value], weight_of(tape, weight), weight_of(tape, bias)
        if rms:
            unit = torch.rms_norm(given, shape, None, site.argument(3))
        else:
            unit = torch.layer_norm(given, shape, None, None, site.argument(4, 1e-5))
        output = unit * scale if scale is not None else unit.clone()
        output = output + shift if shift is not None else output

        def handle(gradient: Tensor) -> None:
            back = gradient.float()
            if key is not None:
                tape.sink.add(key, tape.sink.by_person(back * unit.detach(), *shape).sum(dim=1))
            if bias_key is not None:
                tape.sink.add(bias_key, tape.sink.by_person(back, *shape).sum(dim=1))

        tape.keep(output, handle)
        return output

    return Kept(run, kept.parameters(weight, bias))


def embedding(kept: KeptSite) -> Kept | None:
    """A table looked up by index: the gradients of one person's equal indices are added before anything is squared."""
    site = kept.site
    weight, indices = site.args[:2]
    key, shape = kept.key(weight), site.spec(weight).shape
    if key is None or not site.is_own(indices) or len(shape) != 2 or weight == indices:
        return None
    alone = weight.value in kept.alone
    count, width = shape
    positions = max(1, elements(site.spec(indices).shape))

    def run(values: list[Any], _: int, tape: Tape) -> Tensor:
        chosen = values[indices.value].clamp(0, count - 1)
        output = functional.embedding(chosen, weight_of(tape, weight))

        def handle(gradient: Tensor) -> None:
            sink = tape.sink
            back = gradient.float().reshape(-1, width)
            person = torch.arange(sink.persons, device=back.device).repeat_interleave(sink.rows * positions)
            cells = person * count + chosen.reshape(-1)
            if not alone or sink.whole or count <= 4 * sink.rows * positions:
                whole = back.new_zeros(sink.persons * count, width).index_add_(0, cells, back)
                sink.add(key, whole.reshape(sink.persons, count, width))
                return
            found, segment = torch.unique(cells, return_inverse=True)
            # as many segments as there are positions, so that time and memory do not tell how many indices are equal
            found = functional.pad(found, (0, len(cells) - len(found)))
            rows = back.new_zeros(len(cells), width).index_add_(0, segment, back)
            sink.hold(key, Rows(rows, found // count, found % count, (count, width), sink.persons))

        tape.keep(output, handle)
        return output

    return Kept(run, (weight.value,), min(elements(shape), 4 * positions * width))
