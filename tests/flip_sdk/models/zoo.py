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


def _chain():
    """Linear layers and activations alone."""
    layers = (nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, 7, bias=False), nn.Tanh(), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(7, 5), nn.Sigmoid(), nn.Linear(5, 2))


def _conv1d():
    first = (nn.Unflatten(1, (1, FEATURES)), nn.Conv1d(1, 2, 3), nn.AvgPool1d(2), nn.Softplus())
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(28, 1))


def _frozen():
    model = nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, 1))
    model[0].requires_grad_(False)
    return model


class UNet3d(nn.Module):
    """Two resolutions, a transposed convolution up, a skip connection, and one answer for the whole volume."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU())
        self.bottom = nn.Sequential(nn.Conv3d(4, 8, 3, padding=1), nn.InstanceNorm3d(8, affine=True), nn.LeakyReLU())
        self.up = nn.ConvTranspose3d(8, 4, 2, stride=2)
        self.joined = nn.Sequential(nn.Conv3d(8, 4, 3, padding=1), nn.GroupNorm(4, 4), nn.SiLU())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        volume = nn.functional.pad(x, (0, 64 - FEATURES)).reshape(-1, 1, 4, 4, 4)
        wide = self.down(volume)
        narrow = self.bottom(nn.functional.max_pool3d(wide, 2))
        both = self.joined(torch.cat([wide, self.up(narrow)], 1))
        return self.head(both.amax((2, 3, 4)))


class DenseNet(nn.Module):
    """Every layer sees all before it; a transition halves channels and resolution."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        widths = (4, 7, 10)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(1, width), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1, bias=False))
            for width in widths
        )
        self.transition = nn.Sequential(nn.GroupNorm(1, 13), nn.ReLU(), nn.Conv2d(13, 6, 1), nn.AvgPool2d(2))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        held = self.first(x.reshape(-1, 1, 5, 6))
        for layer in self.layers:
            held = torch.cat([held, layer(held)], 1)
        return self.head(self.transition(held).mean((2, 3)))


class Residual(nn.Module):
    """A residual block with a strided shortcut, then one that is separable and dilated."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.GroupNorm(3, 6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1)
        )
        self.shortcut = nn.Conv2d(1, 6, 1, stride=2)
        self.deep = nn.Conv2d(6, 12, 3, padding=2, dilation=2, groups=3)
        self.activation = nn.PReLU(12)
        self.head = nn.Linear(12, 1)

    def forward(self, x):
        image = x.reshape(-1, 1, 5, 6)
        block = torch.relu(self.body(image) + self.shortcut(image))
        return self.head(self.activation(self.deep(block)).mean((2, 3)))


class Words(nn.Module):
    """Codes as words: two tables, of which one is small, positions, an RMS norm, attention without dropout."""

    def __init__(self):
        super().__init__()
        self.table, self.kinds = nn.Embedding(400, 8), nn.Embedding(3, 8)
        self.position = nn.Parameter(0.1 * torch.randn(10, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.RMSNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        codes = (100 * x[:, :10].abs()).long()
        words = self.table(codes) + self.kinds(codes.clamp(0, 2)) + self.position
        attended, _ = self.attention(words, words, words, need_weights=False)
        return self.head(self.norm(words + attended).mean(1))


class Tied(nn.Module):
    """One layer used twice, its weight once more transposed by hand, a scale, and transposed convolutions."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(FEATURES, FEATURES)
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.up = nn.ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.over = nn.ConvTranspose2d(1, 2, (2, 3), dilation=(2, 1))
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        twice = self.layer(torch.tanh(self.layer(x)))
        back = torch.matmul(self.scale * twice, self.layer.weight.t())
        line = self.up(back.reshape(-1, 2, 15)).sum(2)
        plane = self.over(twice.reshape(-1, 1, 5, 6)).flatten(2).logsumexp(2)
        return self.head(torch.cat([line, plane, line[:, :2] * plane], 1))


GOOD = {
    "linear": (lambda: nn.Linear(FEATURES, 1), "binary_cross_entropy"),
    "linear without bias": (lambda: nn.Linear(FEATURES, 1, bias=False), "mse"),
    "softmax": (lambda: nn.Sequential(nn.Linear(FEATURES, 4), nn.Flatten()), "cross_entropy"),
    "mlp": (_mlp, "cross_entropy"),
    "chain": (_chain, "cross_entropy"),
    "cnn": (_cnn, "cross_entropy"),
    "cnn3d": (_cnn3d, "cross_entropy"),
    "conv1d": (_conv1d, "binary_cross_entropy"),
    "attention": (Attention, "mse"),
    "mixed": (Mixed, "binary_cross_entropy"),
    "frozen": (_frozen, "binary_cross_entropy"),
    "unet3d": (UNet3d, "cross_entropy"),
    "densenet": (DenseNet, "cross_entropy"),
    "residual": (Residual, "binary_cross_entropy"),
    "words": (Words, "cross_entropy"),
    "tied": (Tied, "mse"),
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
    "error of its own": (Stubborn, "model(torch.zeros(1, "),
    "other features": (lambda: nn.Linear(7, 1), "model(torch.zeros(1, "),
    "double": (lambda: nn.Linear(FEATURES, 1).double(), "float"),
    "weights that are not numbers": (_nan, "-1e9"),
    "two outputs for one": (lambda: nn.Linear(FEATURES, 2), "last layer"),
    "lazy": (lambda: nn.LazyLinear(1), "model(torch.zeros(1, "),
}
