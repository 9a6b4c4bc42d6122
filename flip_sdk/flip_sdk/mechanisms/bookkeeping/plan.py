"""How a graph is run for many rows at once: decided once for each model, from its graph alone.

Every value is either each person's own, held as ``[rows, *shape]``, or the same for all. Layers of the table keep the
books; a parameter that is used in any other way (added, multiplied, tied, transposed by hand) is copied for each row,
and its per-person gradient is simply that of the copies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flip_sdk.contract.graph import Ref
from flip_sdk.mechanisms.bookkeeping.batched import run_of
from flip_sdk.mechanisms.bookkeeping.chain import chain_of
from flip_sdk.mechanisms.bookkeeping.convolution import convolution
from flip_sdk.mechanisms.bookkeeping.layers import Kept, KeptSite, Tape, embedding, group_norm, layer_norm, linear
from flip_sdk.mechanisms.bookkeeping.sites import Run, Site
from flip_sdk.models.program import Program, Step


@dataclass(frozen=True)
class _Keeper:
    """Which layer keeps the books of an operator, and at which positions its parameters stand."""

    build: Callable[[KeptSite], Kept | None]
    positions: tuple[int, ...]


_CONVOLUTIONS = (
    *(f"aten.conv{n}d.{variant}" for n in (1, 2, 3) for variant in ("default", "padding")),
    *("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input"),
)
KEEPERS: dict[str, _Keeper] = {
    "aten.linear.default": _Keeper(linear, (1, 2)),
    "aten.addmm.default": _Keeper(linear, (0, 2)),
    "aten.mm.default": _Keeper(linear, (1,)),
    "aten.matmul.default": _Keeper(linear, (1,)),
    **dict.fromkeys(_CONVOLUTIONS, _Keeper(convolution, (1, 2))),
    "aten.group_norm.default": _Keeper(group_norm, (2, 3)),
    "aten.instance_norm.default": _Keeper(group_norm, (1, 2)),
    "aten.layer_norm.default": _Keeper(layer_norm, (2, 3)),
    "aten.rms_norm.default": _Keeper(layer_norm, (2,)),
    "aten.embedding.default": _Keeper(embedding, (0,)),
}
_RANDOM = {
    "aten.dropout.default": (1, 2),
    "aten.feature_dropout.default": (1, 2),
    "aten.native_dropout.default": (1, 2),
    "aten.scaled_dot_product_attention.default": (4,),
}
"""At which positions the share of what is dropped stands, and whether it is dropped at all."""


@dataclass(frozen=True)
class _Planned:
    """A node: how to run it, once for all or for all rows, and which values nothing needs after it."""

    step: Step
    run: Run | None
    kept: Kept | None
    done_with: tuple[int, ...]

    @property
    def own(self) -> bool:
        """Whether its value is each person's own."""
        return self.run is not None or self.kept is not None


class Plan:
    """A graph, ready for any number of rows.

    Args:
        program: the graph as a program; with dropout or without.
        learning: whether per-person gradients are wanted; without, a parameter is a tensor like any other.

    Attributes:
        record: the graph.
        row_bytes: estimated working memory of one row.
        chain: the graph as a chain of layers, where it is one and learns.
    """

    def __init__(self, program: Program, *, learning: bool) -> None:
        self.record = record = program.record
        self._keys = tuple(weight.key for weight in record.weights)
        trained = {1 + place for place, weight in enumerate(record.weights) if weight.trained and learning}
        own = [True, *(False for _ in record.weights)]
        self._copied = _Copied(own, trained)
        sites = [Site(record, node, step, own) for node, step in zip(record.nodes, program.steps, strict=True)]
        fitting: dict[int, KeptSite] = {}
        uses: Counter[int] = Counter()
        for place, site in enumerate(sites):
            kept = self._copied.unless_kept(site)
            if kept is not None:
                fitting[place] = KeptSite(site, frozenset())
                uses.update(kept.parameters)
            own.append(any(own[ref.value] for ref in site.tensors()) or _draws(site))
        self._copied.see(record.output)
        alone = frozenset(number for number, count in uses.items() if count == 1) - self._copied.numbers
        done_with = _done_with(sites, record.first_node, record.output)
        self._planned = []
        for place, site in enumerate(sites):
            kept = KEEPERS[site.node.op].build(KeptSite(site, alone)) if place in fitting else None
            run = run_of(site) if own[record.first_node + place] and kept is None else None
            self._planned.append(_Planned(site.step, run, kept, done_with[place]))
        self.row_bytes = self._estimate()
        self.chain = chain_of(record) if learning else None

    def shared(self, weights: Mapping[str, Tensor], device: torch.device) -> list[Any]:
        """Every value that is the same for all persons, computed once; None in the place of the others."""
        values: list[Any] = [None, *(weights[key].to(device) for key in self._keys)]
        if all(planned.own for planned in self._planned):
            return values + [None] * len(self._planned)
        with device, torch.no_grad():
            for planned in self._planned:
                values.append(None if planned.own else planned.step.run(values))
        return values

    def forward(self, shared: list[Any], x: Tensor, tape: Tape | None) -> Tensor:
        """Logits ``[rows, outputs]`` of ``x`` ``[rows, features]``.

        Args:
            shared: from :meth:`shared`.
            x: what the model is fed, float32.
            tape: where to keep the books; None where no gradients are wanted.
        """
        rows = len(x)
        values = list(shared)
        values[0] = x.unsqueeze(1)
        if tape is not None:
            for number in sorted(self._copied.numbers):
                values[number] = self._copy(number, shared[number], rows, tape)
        for place, planned in enumerate(self._planned, self.record.first_node):
            if planned.kept is not None and tape is not None:
                values[place] = planned.kept.run(values, rows, tape)
            elif planned.run is not None:
                values[place] = planned.run(values, rows)
            for number in planned.done_with:
                values[number] = None
        output: Tensor = values[self.record.output]
        if not self._copied.own[self.record.output]:
            output = output.expand(rows, *output.shape)
        return output.reshape(rows, -1)

    def _copy(self, number: int, weight: Tensor, rows: int, tape: Tape) -> Tensor:
        key = self._keys[number - 1]
        own = weight.expand(rows, *weight.shape).clone()

        def handle(gradient: Tensor) -> None:
            tape.sink.add(key, tape.sink.by_person(gradient.float(), *weight.shape).sum(dim=1))

        tape.keep(own, handle)
        return own

    def _estimate(self) -> int:
        nodes = zip(self._planned, self.record.nodes, strict=True)
        values = sum(spec.bytes for planned, node in nodes if planned.own for spec in node.results)
        held = sum(planned.kept.held for planned in self._planned if planned.kept is not None)
        copied = sum(self.record.result_of(number).elements for number in self._copied.numbers)
        return 2 * values + 8 * held + 16 * copied


class _Copied:
    """Which parameters have a use that no layer keeps the books of."""

    def __init__(self, own: list[bool], trained: set[int]) -> None:
        self.own, self._trained = own, trained
        self.numbers: set[int] = set()

    def see(self, number: int) -> None:
        """A value is used by itself."""
        if number in self._trained:
            self.numbers.add(number)
            self.own[number] = True

    def unless_kept(self, site: Site) -> Kept | None:
        """The layer that keeps the books of a site's parameters; those for which there is none are copied."""
        keeper = KEEPERS.get(site.node.op)
        places = keeper.positions if keeper is not None else ()
        candidates = [site.argument(place) for place in places]
        apart = [argument for place, argument in enumerate(site.args) if place not in places]
        for argument in apart:
            for item in argument if isinstance(argument, list) else [argument]:
                if type(item) is Ref:
                    self.see(item.value)
        mine = [argument.value for argument in candidates if type(argument) is Ref and argument.value in self._trained]
        kept = keeper.build(KeptSite(site, frozenset())) if keeper is not None and mine else None
        for number in mine if kept is None else ():
            self.see(number)
        return kept


def _draws(site: Site) -> bool:
    """Whether a node draws random numbers, which are every row's own."""
    places = _RANDOM.get(site.node.op, ())
    return bool(places) and all(site.argument(place, 0) for place in places)


def _done_with(sites: list[Site], first: int, output: int) -> list[tuple[int, ...]]:
    """For each node the nodes' values that nothing needs after it."""
    last = {ref.value: place for place, site in enumerate(sites) for ref in site.tensors()}
    found: list[list[int]] = [[] for _ in sites]
    for number, place in last.items():
        if number >= first and number != output:
            found[place].append(number)
    return [tuple(numbers) for numbers in found]
