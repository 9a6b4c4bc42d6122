"""A trained model with its scaling inside: an ordinary torch module for raw feature rows and images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flip_sdk.contract.features import AnyFeature
from flip_sdk.contract.graph import Loss
from flip_sdk.contract.images import AnyImages, SeriesImages
from flip_sdk.contract.jobs import Scaling
from flip_sdk.errors import ModelError


class KeptModel(nn.Module):
    """``inner`` behind the same steps that a Trust takes before training.

    A missing value (NaN) becomes the middle of its public bounds, every value is clamped to its bounds, then shifted
    and scaled as the Trusts agreed; a row that is longer than they agreed is shortened.

    An image's intensities are those after the job's transforms: they are clamped to its public bounds, which become
    [-1, 1]. ``flip.images(…).preview(…)`` makes images that are in [-1, 1] already: give those with ``prepared=True``.

    Attributes:
        inner: the trained network, for scaled rows: features, then an image's numbers.
        features: what the columns of a row are, in order.
        images: what it is shown beside them; None for a model of features alone.
        scaling: the shared shift and scale.
        loss: what it was trained for.
    """

    low: Tensor
    high: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        inner: nn.Module,
        features: Sequence[AnyFeature],
        scaling: Scaling,
        loss: Loss,
        images: AnyImages | None = None,
    ) -> None:
        super().__init__()
        self.inner = inner
        self.features = tuple(features)
        self.images = images
        self.scaling = scaling
        self.loss = loss
        for name, values in (
            ("low", [feature.low for feature in features]),
            ("high", [feature.high for feature in features]),
            ("shift", scaling.shift),
            ("scale", scaling.scale),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))

    def forward(self, rows: Tensor | None = None, images: Tensor | None = None, *, prepared: bool = False) -> Tensor:
        """The network's outputs for raw rows of shape (persons, features), or images, or both.

        Args:
            rows: of a model with features.
            images: (persons, channels, *size), of a model with images; the channel may be left out where it is one.
            prepared: the images are in [-1, 1], as ``flip.images(…).preview(…)`` gives them.

        Raises:
            ModelError: a row or an image has another number of values, or is missing.
        """
        parts = [self._told(rows)] if self.features else []
        if self.images is not None:
            parts.append(self._shown(self.images, images, prepared))
        outputs: Tensor = self.inner(torch.cat(parts, dim=-1))
        return outputs

    @torch.no_grad()
    def probabilities(
        self, rows: Tensor | None = None, images: Tensor | None = None, *, prepared: bool = False
    ) -> Tensor:
        """How likely the label is, between 0 and 1, shape (persons,); of several classes each, (persons, classes)."""
        outputs: Tensor = self(rows, images, prepared=prepared)
        if self.loss == "cross_entropy":
            each = outputs.softmax(-1)
            return each[..., 1] if each.shape[-1] == 2 else each
        outputs = outputs.reshape(len(outputs))
        return outputs.sigmoid() if self.loss == "binary_cross_entropy" else outputs.clamp(0, 1)

    def _told(self, rows: Tensor | None) -> Tensor:
        if rows is None or rows.shape[-1] != len(self.features):
            names = ", ".join(feature.name or feature.kind for feature in self.features[:5])
            have = "none are given" if rows is None else f"these rows have {rows.shape[-1]}"
            raise ModelError(
                f"The model takes {len(self.features)} values for each person, {have}.",
                f"Give them in the order of model.features ({names} …).",
            )
        rows = rows.to(torch.float64)
        rows = torch.where(torch.isnan(rows), (self.low + self.high) / 2, rows)
        scaled = (rows.clamp(self.low, self.high) - self.shift) / self.scale
        if self.scaling.max_norm is not None:
            norms = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
            scaled = scaled * (self.scaling.max_norm / norms).clamp(max=1.0)
        return scaled.to(torch.float32)

    def _shown(self, asked: AnyImages, images: Tensor | None, prepared: bool) -> Tensor:
        if images is None or not len(images) or images[0].numel() != asked.values:
            have = "none are given" if images is None else f"these are {tuple(images.shape)}"
            shape = ", ".join(map(str, asked.shape))
            raise ModelError(f"The model takes images of shape (persons, {shape}), {have}.", "Give images=….")
        flat = images.reshape(len(images), -1).to(torch.float32)
        low, high = (-1.0, 1.0) if prepared else bounds_of(asked)
        return (flat.clamp(low, high) - low) * (2 / (high - low)) - 1


def bounds_of(images: AnyImages) -> tuple[float, float]:
    """What becomes -1 and 1 in the model's input: a series' public bounds, a picture's black and white."""
    return (images.low, images.high) if isinstance(images, SeriesImages) else (0.0, 255.0)
