"""The engine itself, for every allowed operator: what one person has changes nothing of what another one counts.

A sum is all that the engine gives, so a person's part in it is a difference: with others beside them, it has to be what
it is without. ``test_company`` asks the same of the operators alone, one gradient beside the other.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.blocks import BLOCK
from flip_sdk.mechanisms.fed import Fed
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
        return clipped_sum(model, weights, Fed(people, labels, rows), "mse", CLIP)["w"]

    return sums


def crowd(count):
    return np.random.default_rng(count).normal(size=(count, WIDTH))


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" not in name])
def test_what_a_person_adds_does_not_depend_on_the_others(name):
    sums, people = engine(name), crowd(BLOCK + 3)
    # each hostile number is another person's
    sick = 5 + np.arange(len(HOSTILE))
    people[sick, ::2] = np.array(HOSTILE)[:, None]
    own = np.array([sums(people[one : one + 1]) for one in sick])
    assert np.sqrt(np.square(own).reshape(len(own), -1).sum(axis=1)).max() <= CLIP * (1 + 1e-9)
    expected = sums(np.delete(people, sick, axis=0)) + own.sum(axis=0)
    assert np.abs(sums(people) - expected).max() < 1e-11


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" not in name])
def test_nor_do_several_rows(name):
    """Four rows of one person count as one person, whatever they say, and whoever else is in the same micro-batch."""
    sums, people = engine(name), crowd(4 * (2 + len(HOSTILE)))
    own = []
    for start, poison in zip(range(4, len(people), 4), HOSTILE, strict=False):
        people[start + 1 : start + 3, 1::2] = poison
        own.append(sums(people[start : start + 4], np.array([4])))
    assert np.sqrt(np.square(own).reshape(len(own), -1).sum(axis=1)).max() <= CLIP * (1 + 1e-9)
    healthy = np.concatenate([people[:4], people[-4:]])
    expected = sums(healthy, np.full(2, 4)) + np.sum(own, axis=0)
    assert np.abs(sums(people, np.full(len(people) // 4, 4)) - expected).max() < 1e-11


@pytest.mark.parametrize("name", [name for name in NAMES if "dropout" in name])
def test_where_chance_drops_something_the_bound_holds(name):
    sums, people = engine(name), crowd(BLOCK)
    for poison in HOSTILE:
        people[5, ::2] = poison
        assert np.isfinite(sums(people)).all()
        assert np.sqrt(np.square(sums(people[5:6])).sum()) <= CLIP * (1 + 1e-9)
        torch.manual_seed(1)
