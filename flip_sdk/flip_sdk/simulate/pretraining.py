"""Training on public or made-up data beforehand, without privacy and without a budget."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from flip_sdk.contract.graph import Loss
    from flip_sdk.contract.jobs import Scaling


@dataclass(frozen=True)
class Pretrained:
    """A model that has learned from public or made-up data.

    Attributes:
        model: to be given to ``project.train``, which goes on from there.
        scaling: of its inputs, for ``project.train(scaling=…, privacy=flip.Privacy(scaling="given"))``.
    """

    model: nn.Module
    scaling: Scaling


def pretrain(
    model: nn.Module,
    rows: Any,
    labels: Any,
    *,
    loss: Loss = "binary_cross_entropy",
    scaling: Scaling | None = None,
    steps: int = 300,
    learning_rate: float = 0.01,
) -> Pretrained:
    """Train a copy of a model on data that is nobody's secret: made-up (:func:`synthetic`) or public.

    No budget is spent, because nothing of a Trust is touched. What was learned is where a job then begins: useful where
    the data are like the Trusts', and forgotten in some rounds where they are not.

    Args:
        model: an ordinary module, from scaled features to logits.
        rows: raw features (persons × features); a missing one (NaN) counts as its column's mean.
        labels: 0 … classes - 1.
        loss: what is made small, by Adam on all rows at once.
        scaling: of the inputs; the rows' own means and spreads when left out.
        steps: how many.
        learning_rate: of each.
    """
    import torch

    from flip_sdk.mechanisms.aggregate import standard
    from flip_sdk.mechanisms.features import shortened
    from flip_sdk.models.losses import ROW_LOSSES

    raw = np.asarray(rows, dtype=np.float64)
    raw = np.where(np.isnan(raw), np.nanmean(raw, axis=0), raw)
    spread = np.maximum(raw.std(axis=0), 1e-6 * np.maximum(1.0, np.abs(raw).max(axis=0)))
    agreed = scaling or standard(raw.mean(axis=0), spread)
    fed = (raw - np.array(agreed.shift)) / np.array(agreed.scale)
    fed = fed if agreed.max_norm is None else shortened(fed, agreed.max_norm)
    x, y = torch.from_numpy(fed.astype(np.float32)), torch.from_numpy(np.asarray(labels).astype(np.int64))
    learner = deepcopy(model).train()
    optimiser = torch.optim.Adam([p for p in learner.parameters() if p.requires_grad], lr=learning_rate)
    for _ in range(steps):
        optimiser.zero_grad()
        ROW_LOSSES[loss](learner(x), y).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return Pretrained(learner, agreed)
