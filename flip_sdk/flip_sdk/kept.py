"""A trained model with its feature scaling inside: an ordinary torch module for raw feature rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flip_sdk.contract.features import AnyFeature
from flip_sdk.contract.graph import Loss
from flip_sdk.contract.jobs import Scaling
from flip_sdk.errors import ModelError


class KeptModel(nn.Module):
    """``inner`` behind the same steps that a Trust takes before training.

    A missing value (NaN) becomes the middle of its public bounds, every value is clamped to its bounds, then shifted
    and scaled as the Trusts agreed; a row that is longer than they agreed is shortened.

    Attributes:
        inner: the trained network, for scaled features.
        features: what the columns of a row are, in order.
        scaling: the shared shift and scale.
        loss: what it was trained for.
    """

    low: Tensor
    high: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, inner: nn.Module, features: Sequence[AnyFeature], scaling: Scaling, loss: Loss) -> None:
        super().__init__()
        self.inner = inner
        self.features = tuple(features)
        self.scaling = scaling
        self.loss = loss
        for name, values in (
            ("low", [feature.low for feature in features]),
            ("high", [feature.high for feature in features]),
            ("shift", scaling.shift),
            ("scale", scaling.scale),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def forward(self, rows: Tensor) -> Tensor:
        """The network's outputs for raw rows of shape (persons, features).

        Raises:
            ModelError: a row has another number of values.
        """
        if rows.shape[-1] != len(self.features):
            names = ", ".join(feature.name or feature.kind for feature in self.features[:5])
            raise ModelError(
                f"The model takes {len(self.features)} values for each person, these rows have {rows.shape[-1]}.",
                f"Give them in the order of model.features ({names} …).",
            )
        rows = rows.to(torch.float64)
        rows = torch.where(torch.isnan(rows), (self.low + self.high) / 2, rows)
        scaled = (rows.clamp(self.low, self.high) - self.shift) / self.scale
        if self.scaling.max_norm is not None:
            norms = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
            scaled = scaled * (self.scaling.max_norm / norms).clamp(max=1.0)
        outputs: Tensor = self.inner(scaled.to(torch.float32))
        return outputs

    @torch.no_grad()
    def probabilities(self, rows: Tensor) -> Tensor:
        """How likely the label is for each raw row, between 0 and 1, shape (persons,)."""
        outputs: Tensor = self(rows)
        if self.loss == "cross_entropy":
            return outputs.softmax(-1)[..., 1]
        outputs = outputs.reshape(len(rows))
        return outputs.sigmoid() if self.loss == "binary_cross_entropy" else outputs.clamp(0, 1)
