"""The fast path is the product's own, and the table's rows are what they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.contract.jobs import DistributedNoise, LocalNoise
from flip_sdk.mechanisms.aggregate import Prepared, advance, current_weights, start, trained_weights
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from safetensors.numpy import load, save

from benchmarks import fast, utility


@pytest.fixture(scope="module")
def data():
    return utility.divided(2)


@pytest.mark.parametrize("trusts", [1, 4])
def test_the_same_noise_gives_the_same_weights_as_the_product(data, trusts):
    model = DistributedNoise() if trusts > 1 else LocalNoise()
    spec = utility.spec_of(3.0, "given", model)
    scaling, random = utility.given(data.train), np.random.default_rng(0)
    rows = fast.fed(data.train, utility.BOUNDS, scaling)
    noise = random.standard_normal((spec.rounds, len(rows), rows.shape[2]))
    persons = data.train.persons + 3.5
    found = fast.full_batch(data.train, rows, persons, spec, trusts, noise)
    for split in range(2):
        expected = by_the_product(data, split, spec, scaling[split], persons[split], noise[:, split], trusts)
        assert found[split] == pytest.approx(expected, abs=1e-4)


def by_the_product(data, split, spec, scaling, persons, noise, trusts):
    features, labels = data.train.each()[split]
    exported = export_model(torch.nn.Linear(30, 1), 30, spec.loss)
    zeros = save({key: np.zeros_like(value) for key, value in load(exported.weights).items()})
    engine = Computation(Snapshot(features, labels.astype(np.int64)), utility.BOUNDS, exported.graph)
    multiplier, clip = fast.noise_of(spec, "train", trusts), spec.privacy.mechanism.max_grad_norm
    state = start(zeros)
    for number in range(1, spec.rounds + 1):
        exact = engine.gradient(current_weights(state), scaling, spec.loss, clip)
        drawn = multiplier * clip * noise[number - 1]
        noisy = {"weight": exact["weight"] + drawn[:30], "bias": exact["bias"] + drawn[30:]}
        state, _ = advance(spec, state, {"all": Prepared(noisy, multiplier)}, {"all": persons}, number)
    trained = load(trained_weights(state))
    return np.concatenate([trained["weight"][0], trained["bias"]])


def test_every_person_goes_to_one_trust(data):
    for trusts in (4, 16):
        parts = data.at(trusts)
        assert sum(part.persons for part in parts) == pytest.approx(data.train.persons)
        sizes = np.array([part.persons for part in parts])
        assert (sizes.max(axis=0) - sizes.min(axis=0) <= 1).all()


def test_measured_scaling_is_near_the_true_one_where_there_is_little_noise(data):
    spec = utility.spec_of(8.0, "dp_statistics", DistributedNoise())
    measured = fast.scalings(data.train, utility.BOUNDS, spec, 4, np.random.default_rng(1))[0]
    true = utility.given(data.train)[0]
    off = (np.array(measured.shift) - np.array(true.shift)) / np.array(true.scale)
    assert np.abs(off).mean() < 0.25


def test_a_few_splits_give_every_row():
    rows = list(utility.run(3))
    assert len(rows) == 1 + len(utility.TRUSTS) * len(utility.EPSILONS) * 5
    assert all(40 < row.ours <= 100 and row.peer > 90 for row in rows)
