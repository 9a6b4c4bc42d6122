"""How people are put together into micro-batches tells nothing: one person more or less changes nobody else's part.

Memory decides how large a micro-batch may be and size decides in which precision it is added up, so that there are
thresholds; these are models and numbers of people on both sides of each.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.blocks import BLOCK
from flip_sdk.mechanisms.bookkeeping import run
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from safetensors.numpy import save
from torch import nn

from tests.flip_sdk.models.zoo import FEATURES
from tests.trust.engine.cases import BOUNDS, graph, node, value

SLACK, CLIP = 1 + 1e-9, 1e-3


def people_of(rows, low=-3.0):
    """Persons with so many rows each, of values that no two share; with a ``low`` near 3 they are much alike."""
    random = np.random.default_rng(0)
    persons = np.repeat(np.arange(len(rows)), rows)
    features = random.uniform(low, 3, size=(len(persons), FEATURES))
    labels = random.integers(0, 2, len(persons)) if low < 0 else np.ones(len(persons), dtype=np.int64)
    return Snapshot(features, labels, persons if max(rows) > 1 else None)


def without(people, person):
    persons = people.persons if people.persons is not None else np.arange(len(people.labels))
    keep = persons != person
    left = persons[keep]
    renumbered = (left - (left > person)).astype(np.int64)
    return Snapshot(people.features[keep], people.labels[keep], renumbered if people.persons is not None else None)


def moved(people, content, *persons):
    """How far one of these persons moves the sum at most, in clips."""
    model, weights, loss = content

    def total(some):
        found = Computation(some, BOUNDS, model).gradient(weights, None, loss, CLIP)
        return np.concatenate([found[name].ravel() for name in sorted(found)])

    everybody = total(people)
    return max(np.linalg.norm(everybody - total(without(people, one))) for one in persons) / CLIP


def one_sine():
    """The sine of 10⁷ times one number: where a product has a single column, kernels are least regular."""
    nodes = [
        node("aten.linear.default", [value(0), value(1)], (1, 1)),
        node("aten.mul.Tensor", [value(3), 1e7], (1, 1)),
        node("aten.sin.default", [value(4)], (1, 1)),
        node("aten.pow.Tensor_Scalar", [value(5), 3.0], (1, 1)),
        node("aten.linear.default", [value(6), value(2)], (1, 1)),
    ]
    random = np.random.default_rng(2)
    shapes = {"w": (1, FEATURES), "v": (1, 1)}
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return json.dumps(graph(nodes, 7, weights=list(shapes.items()))).encode(), save(weights), "mse"


class Table(nn.Module):
    """A table of 5,000 rows, looked up by ten of the features."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5000, 4)
        self.last = nn.Linear(40, 1)

    def forward(self, x):
        return self.last(self.table((800 * (x[:, :10] + 3)).long()).flatten(1))


def wide():
    return nn.Sequential(nn.Linear(FEATURES, 700), nn.ReLU(), nn.Linear(700, 1))


@cache
def exported(make):
    torch.manual_seed(5)
    model = export_model(make(), FEATURES, "binary_cross_entropy")
    return model.graph, model.weights, "binary_cross_entropy"


@pytest.mark.parametrize("at_once", [1, pytest.param(3, marks=pytest.mark.slow), 5, 17, 40])
@pytest.mark.parametrize("rows", [[1] * 37, [1, 2, 3, 3, 3, 1, 2] * 5], ids=["one row each", "several rows"])
def test_where_memory_is_short(monkeypatch, at_once, rows):
    content = one_sine()
    room = rebuild(content[0], FEATURES).learner.row_bytes
    monkeypatch.setattr(run, "AT_ONCE_BYTES", at_once * room)
    monkeypatch.setattr(run, "BLOCK_BYTES", 0)
    assert moved(people_of(rows), content, 0, 1, 18, len(rows) - 1) <= SLACK


@pytest.mark.parametrize("make", [wide, Table])
@pytest.mark.parametrize("count", [64, 65, 66])
def test_where_sums_change_their_precision(monkeypatch, make, count):
    monkeypatch.setattr(run, "MOST_COARSE", 65)
    assert moved(people_of([1] * count, low=2.9), exported(make), 3) <= SLACK


@pytest.mark.parametrize("make", [wide, Table])
@pytest.mark.parametrize("count", [1, 2, BLOCK, BLOCK + 1, run.MOST_ROWS, run.MOST_ROWS + 1])
def test_where_a_micro_batch_is_full(make, count):
    assert moved(people_of([1] * count, low=2.9), exported(make), 0) <= SLACK


def test_where_one_person_alone_has_several_rows():
    content = one_sine()
    for rows in ([1] * 40 + [2], [2] + [1] * 40, [3, 3, 3, 1]):
        assert moved(people_of(rows), content, 0, len(rows) - 1) <= SLACK
