"""The engine itself, for every allowed operator: what one person has changes nothing of what another one counts.

A sum is all that the engine gives, so a person's part in it is a difference: with others beside them, it has to be what
it is without. ``test_company`` asks the same of the operators alone, one gradient beside the other.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.blocks import BLOCK
from flip_sdk.mechanisms.gradients import clipped_sum
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.models.importing import read_weights

from tests.audit.graphs import graph_of, weights_of
from tests.audit.operators import NAMES, WIDTH

HOSTILE = (np.nan, np.inf, 3e38, -1e19, 1e-45)
CLIP = 0.5


def engine(name):
    model = rebuild(graph_of(name), WIDTH)
    weights = read_weights(model.record, weights_of())

    def sums(people, rows=None):
        labels = (people[:, 0] > 0).astype(np.int64)
        return clipped_sum(model, weights, people, labels, "mse", CLIP, rows)["w"]

    return sums


def crowd(count):
    return np.random.default_rng(count).normal(size=(count, WIDTH))


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" not in name])
def test_what_a_person_adds_does_not_depend_on_the_others(name):
    sums, people = engine(name), crowd(BLOCK + 3)
    others = np.delete(people, 5, axis=0)
    expected = sums(others)
    for poison in HOSTILE:
        changed = people.copy()
        changed[5, ::2] = poison
        own = sums(changed[5:6])
        assert np.sqrt(np.square(own).sum()) <= CLIP * (1 + 1e-9)
        assert np.abs(sums(changed) - own - expected).max() < 1e-11, poison


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" not in name])
def test_nor_do_several_rows(name):
    """Ten rows of one person count as one person, whatever they say."""
    sums, people = engine(name), crowd(17)
    rows = np.array([2, 10, 5])
    for poison in HOSTILE:
        changed = people.copy()
        changed[4:9, 1::2] = poison
        own = sums(changed[2:12], np.array([10]))
        assert np.sqrt(np.square(own).sum()) <= CLIP * (1 + 1e-9)
        rest = sums(np.delete(changed, np.s_[2:12], axis=0), rows[[0, 2]])
        assert np.abs(sums(changed, rows) - own - rest).max() < 1e-11, poison


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" in name])
def test_where_chance_drops_something_the_bound_holds(name):
    sums, people = engine(name), crowd(BLOCK)
    for poison in HOSTILE:
        people[5, ::2] = poison
        assert np.isfinite(sums(people)).all()
        assert np.sqrt(np.square(sums(people[5:6])).sum()) <= CLIP * (1 + 1e-9)
        torch.manual_seed(1)
