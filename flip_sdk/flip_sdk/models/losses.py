"""The loss of every person by themselves, from their logits and labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from flip_sdk.contract.graph import Loss


def _binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype), reduction="none")


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    # by a mask and not by an index, so that no label can be out of range
    chosen = torch.arange(logits.shape[1], device=logits.device) == labels.unsqueeze(1)
    return -(functional.log_softmax(logits, dim=1) * chosen).sum(dim=1)


def _mse(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits[:, 0] - labels.to(logits.dtype)).square()


ROW_LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "binary_cross_entropy": _binary_cross_entropy,
    "cross_entropy": _cross_entropy,
    "mse": _mse,
}
"""Each takes logits ``[rows, outputs]`` and labels ``[rows]``, and returns ``[rows]``."""


def _of_one(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    def one(logits: Tensor, label: Tensor) -> Tensor:
        return ROW_LOSSES[loss](logits.reshape(1, -1), label.reshape(1))[0]

    return one


LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {loss: _of_one(loss) for loss in ROW_LOSSES}
"""Each takes one person's logits ``[1, outputs]`` and label (a scalar tensor), and returns a scalar."""
