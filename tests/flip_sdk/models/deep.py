"""The two kinds of networks that imaging is mostly done with, small, over any even number of measurements."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet3d(nn.Module):
    """Measurements as a volume of features x 4 x 4: down, up again, and a skip connection between."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.down = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(inplace=True))
        self.bottom = nn.Sequential(nn.MaxPool3d(2), nn.Conv3d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU())
        self.up = nn.ConvTranspose3d(8, 4, 2, stride=2)
        self.joined = nn.Sequential(nn.Conv3d(8, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU())
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.down(x.reshape(-1, 1, self.features, 1, 1).expand(-1, 1, self.features, 4, 4))
        both = self.joined(torch.cat([wide, self.up(self.bottom(wide))], 1))
        return self.head(both.amax((2, 3, 4)))


class DenseNet(nn.Module):
    """Measurements as an image with two columns; every layer sees all before it, and a transition narrows them."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        widths = (4, 8, 12)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(1, width), nn.ReLU(), nn.Conv2d(width, 4, 3, padding=1)) for width in widths
        )
        self.transition = nn.Sequential(nn.GroupNorm(4, 16), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        held = self.first(x.reshape(-1, 1, self.features // 2, 2))
        for layer in self.layers:
            held = torch.cat([held, layer(held)], 1)
        return self.head(self.transition(held))
