"""Small models of every kind that crosses the boundary, and of every kind that does not. All take 30 features."""

from __future__ import annotations

import torch
from torch import nn

FEATURES = 30


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.2)
        self.head = nn.Linear(8, 1)
        self.register_buffer("position", torch.linspace(-1, 1, FEATURES * 8).reshape(FEATURES, 8))

    def forward(self, x):
        return self.head(self.block(self.embed(x.unsqueeze(-1)) + self.position).mean(1))


class Mixed(nn.Module):
    """chunk, where, embedding by a data-dependent index, max over a dimension, constants, einsum."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 10)
        self.last = nn.Parameter(torch.full((10, 1), 0.1))

    def forward(self, x):
        a, b, c = x.chunk(3, 1)
        chosen = torch.where(a > 0, a, 0.5 * b)
        best = self.embedding(x[:, 0].long()).max(1).values.unsqueeze(-1)
        return torch.einsum("bi,ij->bj", chosen + c.abs() + best, self.last) + torch.full((1,), 3.0)


def _cnn():
    return nn.Sequential(
        nn.Unflatten(1, (1, 5, 6)),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.2),
        nn.Flatten(),
        nn.Linear(24, 3),
    )


def _cnn3d():
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 2, 5)),
        nn.Conv3d(1, 4, 3, padding="same"),
        nn.InstanceNorm3d(4, affine=True),
        nn.ELU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


def _mlp():
    return nn.Sequential(
        nn.Linear(FEATURES, 8), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2)
    )


def _conv1d():
    first = (nn.Unflatten(1, (1, FEATURES)), nn.Conv1d(1, 2, 3), nn.AvgPool1d(2), nn.Softplus())
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(28, 1))


def _frozen():
    model = nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, 1))
    model[0].requires_grad_(False)
    return model


GOOD = {
    "linear": (lambda: nn.Linear(FEATURES, 1), "binary_cross_entropy"),
    "linear without bias": (lambda: nn.Linear(FEATURES, 1, bias=False), "mse"),
    "softmax": (lambda: nn.Sequential(nn.Linear(FEATURES, 4), nn.Flatten()), "cross_entropy"),
    "mlp": (_mlp, "cross_entropy"),
    "cnn": (_cnn, "cross_entropy"),
    "cnn3d": (_cnn3d, "cross_entropy"),
    "conv1d": (_conv1d, "binary_cross_entropy"),
    "attention": (Attention, "mse"),
    "mixed": (Mixed, "binary_cross_entropy"),
    "frozen": (_frozen, "binary_cross_entropy"),
}


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(FEATURES, 1)

    def forward(self, x):
        return self.linear(x) if x.sum() > 0 else -self.linear(x)


class Counting(Branching):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        return self.linear(x)


class Fourier(Branching):
    def forward(self, x):
        return self.linear(torch.fft.fft(x).real)


class Infinite(Branching):
    def forward(self, x):
        return self.linear(x.masked_fill(x > 3, float("-inf")))


class TwoAnswers(Branching):
    def forward(self, x):
        return self.linear(x), x


class Stubborn(Branching):
    def forward(self, x):
        raise KeyError("no such thing")


def _nan():
    model = nn.Linear(FEATURES, 1)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
    return model


def _batch_norm():
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))


BAD = {
    "batch norm": (_batch_norm, "ModuleValidator.fix"),
    "control flow": (Branching, "torch.where"),
    "buffer that changes": (Counting, "track_running_stats"),
    "operator outside the list": (Fourier, "GroupNorm"),
    "infinite constant": (Infinite, "-1e9"),
    "two answers": (TwoAnswers, "logits"),
    "error of its own": (Stubborn, "model(torch.zeros(1, features))"),
    "other features": (lambda: nn.Linear(7, 1), "model(torch.zeros(1, features))"),
    "double": (lambda: nn.Linear(FEATURES, 1).double(), "float"),
    "weights that are not numbers": (_nan, "-1e9"),
    "two outputs for one": (lambda: nn.Linear(FEATURES, 2), "last layer"),
    "lazy": (lambda: nn.LazyLinear(1), "model(torch.zeros(1, features))"),
}
