"""One person's loss, from the logits of one person and their label."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from flip_sdk.contract.graph import Loss


def _binary_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits.reshape(()), label.to(logits.dtype))


def _cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    # by a mask and not by an index, so that no label can be out of range
    chosen = torch.arange(logits.shape[-1]) == label
    return -(functional.log_softmax(logits.reshape(-1), dim=0) * chosen).sum()


def _mse(logits: Tensor, label: Tensor) -> Tensor:
    return (logits.reshape(()) - label.to(logits.dtype)).square()


LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "binary_cross_entropy": _binary_cross_entropy,
    "cross_entropy": _cross_entropy,
    "mse": _mse,
}
"""Each takes logits ``[1, outputs]`` and a label (a scalar tensor), and returns a scalar."""
