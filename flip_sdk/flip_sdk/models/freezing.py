"""A pre-trained feature extractor that stays as it is, and a head that is trained behind it."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class FixedNorm(nn.Module):
    """A BatchNorm layer in evaluation as what it then is: a factor and a summand for each channel."""

    factor: Tensor
    summand: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = (norm.running_var + norm.eps).rsqrt()
        if norm.affine:
            factor = factor * norm.weight.detach()
        shift = norm.bias.detach() if norm.affine else torch.zeros_like(factor)
        self.register_buffer("factor", factor)
        self.register_buffer("summand", shift - norm.running_mean * factor)

    def forward(self, x: Tensor) -> Tensor:
        """The same for every person, whoever else is there."""
        shape = (1, -1, *(1,) * (x.dim() - 2))
        return x * self.factor.reshape(shape) + self.summand.reshape(shape)


class Extractor(nn.Module):
    """A network that always runs as in evaluation, and whose weights never change."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = _without_batches(deepcopy(network)).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - whatever is asked, it is not trained
        """Stay in evaluation: its dropout drops nothing."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Features of each row."""
        features: Tensor = self.network(x)
        return features


def frozen(extractor: nn.Module, head: nn.Module) -> nn.Module:
    """See :func:`flip_sdk.models.frozen`."""
    return nn.Sequential(OrderedDict(extractor=Extractor(extractor), head=head))


def _without_batches(network: nn.Module) -> nn.Module:
    """The network with every BatchNorm that keeps running statistics replaced by what it does in evaluation."""
    if isinstance(network, _BatchNorm) and network.running_mean is not None:
        return FixedNorm(network)
    for name, part in network.named_children():
        setattr(network, name, _without_batches(part))
    return network
