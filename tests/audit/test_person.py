"""One person, with up to ten records that say whatever does most harm, moves a result by no more than was promised.

Found by search: hypothesis makes up the records, the scaling that the hub sends, and the size of the weights. Nothing
of it may raise an error either: a refusal that depends on what one person has would tell it, outside of all noise.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from flip_sdk.contract.jobs import Scaling
from flip_sdk.contract.prepare import longest
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.moments import SENSITIVITY_OF_STATISTICS
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from torch import nn

WIDTH, MOST_RECORDS = 4, 10
SLACK = 1 + 1e-9
EXTREME = (math.nan, math.inf, -math.inf, 1e308, -1e308, 1e38, 1e-45, 5e-324, -0.0, 0.0, 1.0)
NUMBER = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(EXTREME))
BOUNDS = st.sampled_from([(-3.0, 3.0), (0.0, 1.0), (-1e308, 1e308), (0.0, 5e-324), (1.0, 1 + 2**-52), (1e-300, 1e300)])
SHIFT = st.sampled_from([0.0, 0.5, 1e308, -1e308, 5e-324])
SCALE = st.sampled_from([1.0, 0.01, 5e-324, 1e-300, 1e-160, 1e300])
SCALING = st.one_of(
    st.none(),
    st.builds(
        Scaling,
        shift=st.tuples(*[SHIFT] * WIDTH),
        scale=st.tuples(*[SCALE] * WIDTH),
        max_norm=st.sampled_from([None, 1.0, 1e-200, 1e300]),
    ),
)
HEIGHT = st.sampled_from([1.0, 0.0, 1e-30, 1e10, 1e25, 3e37])
CLIP = st.sampled_from([1e-200, 1e-6, 0.1, 1.0, 1e4])


class Looked(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(50, 3), nn.Linear(12, 1)

    def forward(self, x):
        return self.last(self.table((8 * (x + 3)).long()).flatten(1))


MODELS = {
    "linear": (lambda: nn.Linear(WIDTH, 1), "binary_cross_entropy"),
    "softmax": (lambda: nn.Linear(WIDTH, 3), "cross_entropy"),
    "squares": (lambda: nn.Linear(WIDTH, 1, bias=False), "mse"),
    "mlp": (lambda: nn.Sequential(nn.Linear(WIDTH, 6), nn.Tanh(), nn.LayerNorm(6), nn.Linear(6, 1)), "mse"),
    "convolution": (
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, WIDTH)),
            nn.Conv1d(1, 4, 3, padding=1),
            nn.GroupNorm(2, 4),
            nn.Flatten(),
            nn.Linear(16, 1),
        ),
        "binary_cross_entropy",
    ),
    "table": (Looked, "binary_cross_entropy"),
}


@cache
def exported(name):
    make, loss = MODELS[name]
    torch.manual_seed(4)
    model = export_model(make(), WIDTH, loss)
    return model.graph, load(model.weights), loss


@st.composite
def crowds(draw):
    """Five people, and a sixth one with the worst records."""
    counts = [*draw(st.lists(st.integers(1, 3), min_size=5, max_size=5)), draw(st.integers(1, MOST_RECORDS))]
    random = np.random.default_rng(draw(st.integers(0, 3)))
    features = random.normal(size=(sum(counts), WIDTH))
    worst = draw(st.lists(NUMBER, min_size=WIDTH * counts[-1], max_size=WIDTH * counts[-1]))
    features[sum(counts[:-1]) :] = np.reshape(worst, (-1, WIDTH))
    labels = random.integers(0, 2, sum(counts))
    labels[sum(counts[:-1]) :] = draw(st.sampled_from([0, 1, 2, -1, 2**40, -(2**62)]))
    bounds = np.array(draw(st.tuples(*[BOUNDS] * WIDTH)))
    return Snapshot(features, labels, np.repeat(np.arange(6), counts)), bounds


def without_the_last(people):
    keep = people.persons < 5
    return Snapshot(people.features[keep], people.labels[keep], people.persons[keep])


def moved(people, bounds, compute, graph=None):
    """What the last person adds to each number of a result; all of them are finite."""
    everybody, others = (compute(Computation(some, bounds, graph)) for some in (people, without_the_last(people)))
    assert all(np.isfinite(value).all() for value in everybody.values())
    return np.concatenate([(everybody[name] - others[name]).ravel() for name in everybody])


@settings(max_examples=60, deadline=None)
@given(crowds(), SCALING, HEIGHT, CLIP, st.sampled_from(list(MODELS)))
def test_the_sum_of_gradients_moves_by_no_more_than_the_clip(crowd, scaling, height, clip, name):
    graph, weights, loss = exported(name)
    high = save({key: value * np.float32(height) for key, value in weights.items()})
    change = moved(*crowd, lambda engine: engine.gradient(high, scaling, loss, clip), graph)
    assert np.linalg.norm(change / clip) <= SLACK


@settings(max_examples=60, deadline=None)
@given(crowds())
def test_statistics_move_by_no_more_than_their_sensitivity(crowd):
    change = moved(*crowd, lambda engine: engine.statistics(1.5))
    assert np.linalg.norm(change) <= math.hypot(1.5, longest(WIDTH)) * SLACK


@settings(max_examples=60, deadline=None)
@given(crowds(), SCALING, st.sampled_from(["linear", "softmax", "squares"]))
def test_sufficient_statistics_move_by_no_more_than_theirs(crowd, scaling, name):
    graph, _, loss = exported(name)
    change = moved(*crowd, lambda engine: engine.sufficient_statistics(scaling, loss), graph)
    assert np.linalg.norm(change) <= SENSITIVITY_OF_STATISTICS * SLACK


@settings(max_examples=60, deadline=None)
@given(crowds(), SCALING, HEIGHT, st.sampled_from(list(MODELS)))
def test_one_cell_of_the_scores_moves_by_one(crowd, scaling, height, name):
    graph, weights, _ = exported(name)
    high = save({key: value * np.float32(height) for key, value in weights.items()})
    change = moved(*crowd, lambda engine: engine.scores(high, scaling, 7), graph)
    assert np.abs(change).sum() == 1


@pytest.mark.parametrize("name", MODELS)
def test_more_records_of_one_person_weigh_no_more(name):
    """Ten equal records are one."""
    graph, weights, loss = exported(name)
    row, label = np.array([[0.3, -2.0, 1.0, 0.1]]), np.array([1])
    one = Snapshot(row, label)
    ten = Snapshot(np.repeat(row, 10, axis=0), np.repeat(label, 10), np.zeros(10, dtype=np.int64))
    bounds = np.tile([-3.0, 3.0], (WIDTH, 1))
    sums = [Computation(p, bounds, graph).gradient(save(weights), None, loss, 0.1) for p in (one, ten)]
    for key, value in sums[0].items():
        assert np.allclose(sums[1][key], value, atol=1e-6)
