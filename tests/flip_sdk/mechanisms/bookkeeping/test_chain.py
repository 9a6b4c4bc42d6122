"""A chain of layers is recognised for what it is, and leaves what it is given as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.bookkeeping import run
from flip_sdk.mechanisms.bookkeeping.plan import Plan
from flip_sdk.mechanisms.bookkeeping.sink import LARGEST_FINE
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.models import export_model
from flip_sdk.models.importing import read_weights
from torch import nn

from tests.flip_sdk.mechanisms.bookkeeping.test_book_keeping import CLIP, DEEP, assert_same
from tests.flip_sdk.mechanisms.test_gradients import built, ready
from tests.flip_sdk.models.zoo import FEATURES


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, 1)

    def forward(self, x):
        return self.two(x + self.one(x))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, 1)

    def forward(self, x):
        return self.two(self.one(self.one(x).relu()))


class Transposed(nn.Module):
    """Each of a person's numbers is a row of the layer by itself."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(1, 4), nn.Linear(4 * FEATURES, 1)

    def forward(self, x):
        return self.two(self.one(x.unsqueeze(2)).relu().flatten(1))


def chain(*layers):
    return lambda: nn.Sequential(nn.Linear(FEATURES, 4), *layers)


@pytest.mark.parametrize(
    ("make", "is_one"),
    [
        (chain(nn.ReLU(), nn.Linear(4, 1)), True),
        (chain(nn.Linear(4, 1)), True),
        (chain(nn.Flatten(), nn.Tanh(), nn.Linear(4, 1, bias=False)), True),
        (chain(nn.ReLU(), nn.Tanh(), nn.Linear(4, 1)), False),
        (chain(nn.GELU(), nn.Linear(4, 1)), False),
        (chain(nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 1)), False),
        (lambda: nn.Sequential(nn.Linear(FEATURES, 1), nn.ReLU()), False),
        (Skipping, False),
        (Shared, False),
        (Transposed, False),
    ],
)
def test_a_chain_is_recognised(make, is_one):
    torch.manual_seed(0)
    exported = export_model(make(), FEATURES, "binary_cross_entropy")
    from flip_sdk.mechanisms.model import rebuild

    assert (rebuild(exported.graph, FEATURES).learner.chain is not None) == is_one


def test_frozen_layers_are_no_chain():
    assert built("frozen", dropout=False).learner.chain is None


@pytest.mark.parametrize("clip", [1e-12, CLIP, 1e4])
@pytest.mark.parametrize("width", [8, 1 + LARGEST_FINE // FEATURES], ids=["in float64", "in float32"])
def test_it_agrees_with_the_general_way(monkeypatch, clip, width):
    torch.manual_seed(0)
    exported = export_model(
        nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, 2)), FEATURES, "cross_entropy"
    )
    model = rebuild(exported.graph, FEATURES)
    weights, (_, _, x, labels, loss) = read_weights(model.record, exported.weights), ready("chain", 70)
    by_hand = run.clipped_sum(model.learner, weights, x, labels, None, loss, clip)
    plan = Plan(model.training, learning=True)
    monkeypatch.setattr(plan, "chain", None)
    general = run.clipped_sum(plan, weights, x, labels, None, loss, clip)
    assert_same({k: v / clip for k, v in by_hand.items()}, {k: v / clip for k, v in general.items()})


@pytest.mark.parametrize("name", DEEP)
def test_what_a_model_is_fed_stays_as_it_was(name):
    """The people of a cohort are kept for the next round, those whose gradient counts as zero too."""
    model, weights, x, labels, loss = ready(name, 32)
    sick = x.astype(np.float32)
    sick[3] = np.inf
    before = sick.copy()
    run.clipped_sum(model.learner, weights, sick, labels, None, loss, CLIP)
    assert np.array_equal(sick, before)
