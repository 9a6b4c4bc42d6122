"""An audit that can fail: the engine's own releases are attacked, and broken engines have to be caught.

Orthogonal canaries (a linear model; canary i = 100·eᵢ, so that its clipped gradient is C·eᵢ), each included by a fair
coin. Under Gaussian noise of multiplier σ the scores of those in and out are a distance of μ = 1/σ apart. The verdict
is the 99.9 % lower bound of the measured μ against the claimed one.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.noise import add_gaussian
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model

CANARIES, CLIP, NOISE = 1000, 0.1, 0.8
CLAIMED = 1 / NOISE


@pytest.fixture(scope="module")
def exported():
    layer = torch.nn.Linear(CANARIES, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    return export_model(layer, CANARIES, "binary_cross_entropy")


def released(exported, included, clip, add_noise, copies=1):
    """The noisy sum of clipped gradients over the included canaries, each of label 1."""
    people = np.repeat(100 * np.eye(CANARIES)[included], copies, axis=0)
    snapshot = Snapshot(people, np.ones(len(people), dtype=np.int64))
    engine = Computation(snapshot, np.tile([-100.0, 100.0], (CANARIES, 1)), exported.graph)
    exact = engine.gradient(exported.weights, None, "binary_cross_entropy", clip)
    return -add_noise(exact["weight"])[0]


def flagged(scores, included):
    inside, outside = scores[included], scores[~included]
    spread = max(outside.std(ddof=1), 1e-12)
    measured = (inside.mean() - outside.mean()) / spread
    error = np.sqrt(1 / len(inside) + 1 / len(outside) + measured**2 / (2 * len(outside)))
    return measured - 3.09 * error > CLAIMED


def honest(exact):
    return add_gaussian(exact, NOISE * CLIP)


def same_noise_everywhere(exact):
    return exact + add_gaussian(np.zeros(1), NOISE * CLIP)


MUTANTS = {
    "no noise": (CLIP, lambda exact: exact, 1),
    "half the noise": (CLIP, lambda exact: add_gaussian(exact, NOISE * CLIP / 2), 1),
    "one draw for all": (CLIP, same_noise_everywhere, 1),
    "clip twice as large": (2 * CLIP, honest, 1),
    "ten records of one person clipped one by one": (CLIP, honest, 10),
}


def test_the_engine_is_not_flagged(exported):
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(20):
        included = random.random(CANARIES) < 0.5
        alarms += flagged(released(exported, included, CLIP, honest), included)
    assert alarms <= 1


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_broken_engine_is(exported, mutant):
    clip, noise, copies = MUTANTS[mutant]
    included = np.random.default_rng(1).random(CANARIES) < 0.5
    assert flagged(released(exported, included, clip, noise, copies), included)


def test_noise_of_two_releases_is_not_correlated(exported):
    nobody = np.zeros(CANARIES, dtype=bool)
    first, second = (released(exported, nobody, CLIP, honest) for _ in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(CANARIES)
