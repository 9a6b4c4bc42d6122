"""Micro-batches of persons through a plan: memory is bounded whatever the batch, and every person is clipped once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flip_sdk.contract.graph import Loss
from flip_sdk.mechanisms.blocks import BLOCK, filled
from flip_sdk.mechanisms.bookkeeping.layers import Tape
from flip_sdk.mechanisms.bookkeeping.plan import Plan
from flip_sdk.mechanisms.bookkeeping.sink import Sink
from flip_sdk.mechanisms.devices import CPU, Device
from flip_sdk.mechanisms.fed import Features, Indices
from flip_sdk.models.losses import ROW_LOSSES

Array = npt.NDArray[np.float64]
AT_ONCE_BYTES = 96 * 1024 * 1024
"""Memory that one micro-batch may take where it may choose: more gains no speed, less costs calls."""
BLOCK_BYTES = 1024 * 1024 * 1024
"""Memory that one block of rows may take; beyond that, it is one person at a time, which is several times slower."""
MOST_BYTES = 1024 * 1024 * 1024
"""Memory that the rows of one person may take; beyond that, a person's gradient is added up of parts."""
MOST_ROWS = 512
MOST_COARSE = 8192
"""Persons up to whom the rounding of float32 sums stays within the room that is left for it."""


@dataclass(frozen=True)
class _Batch:
    """Persons with equally many rows each; behind ``persons`` of them, others of zeros only fill a block."""

    features: Features
    labels: Indices
    rows: int
    persons: int


def clipped_sum(
    plan: Plan,
    weights: Mapping[str, Tensor],
    features: Features,
    labels: Indices,
    rows: Indices | None,
    loss: Loss,
    max_grad_norm: float,
    device: Device = CPU,
) -> dict[str, Array]:
    """Sum over persons of their clipped gradients; a person's gradient is the mean over their rows.

    Args:
        plan: the model's plan.
        weights: parameters and constants by name.
        features: ``[rows, d]`` as the model is fed, a person's rows next to each other.
        labels: ``[rows]``.
        rows: ``[persons]``, how many rows each person has; None where each has one.
        loss: the model's loss.
        max_grad_norm: L2 bound of one person's gradient over all parameters together.
        device: where to compute.
    """
    fine = len(features) > MOST_COARSE
    if plan.chain is not None and device == CPU and len(labels) and (rows is None or not (rows > 1).any()):
        added: dict[str, Array] = {}
        for batch in _batches(plan, features, labels, None):
            fed = batch.features.astype(np.float32, copy=False)
            plan.chain.add_clipped(added, weights, fed, batch.labels, loss, max_grad_norm, batch.persons, fine=fine)
        return added
    runner = _Runner(plan, weights, loss, device, fine=fine)
    sums = {
        key: torch.zeros(spec.shape, dtype=torch.float64, device=device.torch)
        for key, spec in plan.record.parameters.items()
    }
    for batch in _batches(plan, features, labels, rows):
        runner.gradients(batch).add_clipped(sums, max_grad_norm, batch.persons)
    return {key: total.cpu().numpy() for key, total in sums.items()}


def logits(plan: Plan, weights: Mapping[str, Tensor], features: Features, device: Device = CPU) -> Array:
    """Logits ``[rows, outputs]`` of a plan without gradients."""
    shared = plan.shared(weights, device.torch)
    labels = np.zeros(len(features), dtype=np.int64)
    parts = []
    for batch in _batches(plan, features, labels, None):
        with torch.no_grad(), device.precision():
            answer = plan.forward(shared, _tensor(batch.features, device), None)
        parts.append(answer[: batch.persons].double().cpu())
    outputs = plan.record.result_of(plan.record.output).elements
    return torch.cat(parts).numpy() if parts else np.zeros((0, outputs))


class _Runner:
    """One model with one set of weights."""

    def __init__(self, plan: Plan, weights: Mapping[str, Tensor], loss: Loss, device: Device, *, fine: bool) -> None:
        self._plan, self._loss, self._device, self._fine = plan, ROW_LOSSES[loss], device, fine
        self._shared = plan.shared(weights, device.torch)

    def gradients(self, batch: _Batch) -> Sink:
        """Every person's gradient, held as the sink holds it."""
        persons = len(batch.features) // batch.rows
        part = max(1, MOST_BYTES // max(1, self._plan.row_bytes))
        if persons > 1 or batch.rows <= part:
            return self._pass(batch.features, batch.labels, Sink(persons, batch.rows, fine=self._fine), batch.rows)
        # one person with more rows than fit: parts of the sum over their rows are added
        total = Sink(1, batch.rows, whole=True, fine=self._fine)
        for start in range(0, batch.rows, part):
            features = batch.features[start : start + part]
            found = self._pass(
                features, batch.labels[start : start + part], Sink(1, len(features), whole=True), batch.rows
            )
            for key, gradient in found.gradients.items():
                total.add(key, gradient)
        return total

    def _pass(self, features: Features, labels: Indices, sink: Sink, rows: int) -> Sink:
        tape = Tape(sink, self._shared[1:], [])
        with torch.enable_grad(), self._device.precision():
            # a copy: the sink puts zeros where a person counts as zero, and what went in is kept for the next round
            answer = self._plan.forward(self._shared, _tensor(features.copy(), self._device), tape)
            losses = self._loss(answer.float(), torch.from_numpy(labels).to(self._device.torch))
            total = losses.sum() / rows
        if total.requires_grad:
            torch.autograd.grad(total, tape.roots, allow_unused=True)
        return sink


def _tensor(features: Features, device: Device) -> Tensor:
    return torch.from_numpy(features.astype(np.float32, copy=False)).to(device.torch)


def _batches(plan: Plan, features: Features, labels: Indices, rows: Indices | None) -> Iterator[_Batch]:
    """Persons in micro-batches, each of persons with equally many rows, filled up to whole blocks of rows."""
    row = max(1, plan.row_bytes)
    most = max(1, AT_ONCE_BYTES // row, BLOCK if BLOCK * row <= BLOCK_BYTES else 1)
    if rows is None or not (rows > 1).any():
        yield from _equal(features, labels, 1, most)
        return
    starts = np.cumsum(rows) - rows
    for count in np.unique(rows):
        places = (starts[rows == count][:, None] + np.arange(count)).ravel()
        yield from _equal(features[places], labels[places], int(count), most)


def _equal(features: Features, labels: Indices, rows: int, most: int) -> Iterator[_Batch]:
    block = BLOCK // math.gcd(BLOCK, rows)
    # whole blocks, or one person at a time: in anything between, some places are left over and round otherwise
    size = min(most, max(MOST_ROWS, block * rows)) // rows // block * block or 1
    block = min(block, size)
    for start in range(0, len(features), size * rows):
        part = features[start : start + size * rows]
        held = filled(part, block * rows), filled(labels[start : start + size * rows], block * rows)
        yield _Batch(*held, rows, len(part) // rows)
