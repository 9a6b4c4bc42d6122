"""Attacks on floating point: a climber looks for the person and the weights that move a sum furthest beyond the clip.

Models are made so that something can go wrong in them: terms that cancel, squares that overflow or underflow, tiny
numbers that a processor may take for zero. The climber knows what the attacker knows, which is everything. That it can
find something is shown on an engine whose norms are in float32.

A release's own low bits are the other way in: what textbook noise in floating point can come to depends on the number
that it hides (Mironov, CCS 2012). Sums out of the ring of integers are in ``test_shares``.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.bookkeeping.sink import Factored
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.gradients import clipped_sum
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.mechanisms.noise import gaussian, grid
from flip_sdk.models import export_model
from flip_sdk.models.importing import read_weights
from flip_trust.disclosure import protect
from torch import Tensor, nn

from tests.audit.canaries import crowd

WIDTH, CLIP, SLACK = 64, 1e-3, 1 + 1e-9
POSITIONS = 2


class Positions(nn.Module):
    """One layer at two positions, one answer off the other: a gradient of two terms, which cancel."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(WIDTH // POSITIONS, 80, bias=False)
        self.register_buffer("sides", torch.tensor([[1.0], [-1.0]]))
        self.last = nn.Linear(80, 1, bias=False).requires_grad_(False)

    def forward(self, x):
        return self.last((self.layer(x.reshape(1, POSITIONS, -1)) * self.sides).sum(1))


class Powers(nn.Module):
    """Exponentials and quotients, which overflow and underflow."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 8), nn.Linear(8, 1)

    def forward(self, x):
        y = self.first(x)
        return self.last(y.exp() / (1e-30 + y.abs()) + y * 1e-30 * 1e30)


class Squeezed(nn.Module):
    """Norms of rows that hardly vary: what is small is divided by its own size."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(WIDTH, 8), nn.LayerNorm(8, eps=1e-30), nn.Linear(8, 1)

    def forward(self, x):
        return self.last(self.norm(self.first(x)))


def _convolution():
    first = (nn.Unflatten(1, (1, WIDTH)), nn.Conv1d(1, 4, 3, padding=1), nn.GroupNorm(2, 4, eps=1e-30))
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(4 * WIDTH, 1))


MODELS = {
    "linear": lambda: nn.Linear(WIDTH, 1),
    "positions": Positions,
    "powers": Powers,
    "squeezed": Squeezed,
    "convolution": _convolution,
}


class Engine:
    """One model, and how far a person moves its sum beside nine others."""

    def __init__(self, make) -> None:
        torch.manual_seed(6)
        exported = export_model(make(), WIDTH, "mse")
        self.model = rebuild(exported.graph, WIDTH)
        self.weights = read_weights(self.model.record, exported.weights)
        self.others = np.random.default_rng(0).normal(size=(9, WIDTH))

    def sum(self, people, weights) -> np.ndarray:
        labels = np.zeros(len(people), dtype=np.int64)
        found = clipped_sum(self.model, weights, Fed(people, labels), "mse", CLIP)
        return np.concatenate([found[name].ravel() for name in sorted(found)])

    def moved(self, person: np.ndarray, weights: dict[str, Tensor]) -> float:
        everybody = self.sum(np.concatenate([self.others, person[None]]), weights)
        assert np.isfinite(everybody).all()
        return float(np.linalg.norm(everybody - self.sum(self.others, weights)) / CLIP)


def changed(random, values: np.ndarray) -> np.ndarray:
    """One of the changes by which floating point is brought into trouble."""
    values, some = values.copy(), random.integers(0, values.size, 1 + random.integers(8))
    half = values.size // 2
    with np.errstate(over="ignore", under="ignore"):
        match random.integers(6):
            case 0:
                values *= 10.0 ** random.integers(-12, 13)
            case 1:
                values[some] *= 10.0 ** random.integers(-30, 31)
            case 2:
                values[half : 2 * half] = values[:half]
            case 3:
                values[half : 2 * half] = values[:half] * (1 + 1e-7 * random.normal())
            case 4:
                values[some] = random.choice([0.0, -0.0, 1e-45, 1e-38, 3e38, -3e38, 1e19, 1.0])
            case _:
                values += random.normal(size=values.size) * np.abs(values) * 10.0 ** random.integers(-7, 1)
    return np.clip(np.nan_to_num(values), -3e38, 3e38)


def climbed(engine: Engine, steps: int, seed: int) -> float:
    """The furthest that a person was made to move the sum, in clips."""
    random = np.random.default_rng(seed)
    person, weights, best = random.normal(size=WIDTH), engine.weights, 0.0
    for _ in range(steps):
        other, heavier = changed(random, person), weights
        if random.random() < 0.4:
            name = random.choice(sorted(weights))
            flat = changed(random, weights[name].numpy().ravel().astype(np.float64))
            heavier = weights | {name: torch.from_numpy(flat.astype(np.float32)).reshape(weights[name].shape)}
        moved = engine.moved(other, heavier)
        if moved >= best:
            person, weights, best = other, heavier, moved
    return best


@pytest.mark.parametrize("name", MODELS)
def test_no_climber_gets_beyond_the_clip(name):
    engine = Engine(MODELS[name])
    assert 0.5 < max(climbed(engine, 50, seed) for seed in range(2)) <= SLACK


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_nor_does_one_that_takes_its_time(name):
    engine = Engine(MODELS[name])
    assert max(climbed(engine, 3000, seed) for seed in range(5)) <= SLACK


def test_the_climber_finds_a_norm_in_which_terms_cancel(monkeypatch):
    """Ghost norms in float32, as they are usually written."""

    def coarse(self):
        grams = self.left @ self.left.transpose(1, 2) * (self.right @ self.right.transpose(1, 2))
        return grams.sum(dim=(1, 2)).clamp(min=0.0).double()

    monkeypatch.setattr(Factored, "squares", coarse)
    assert any(climbed(Engine(Positions), 100, seed) > 1.01 for seed in range(4))


def off_the_grid(bench):
    """How many of a release's numbers, hiding sums that are on no grid, are not whole steps of the noise's own."""
    released = bench.release(bench.session(crowd(np.arange(bench.count) < bench.count // 2)), 1)
    return np.count_nonzero(released % grid(bench.noise))


def test_the_low_bits_of_a_release_tell_nothing(bench):
    assert off_the_grid(bench("full_batch")) == 0


def test_those_of_textbook_noise_would(bench, monkeypatch):
    monkeypatch.setattr(protect, "add_gaussian", lambda exact, scale: exact + gaussian(exact.shape, scale))
    assert off_the_grid(bench("full_batch")) > bench("full_batch").count // 2
