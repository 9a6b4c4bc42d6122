"""The unit is the person: whatever one person's rows hold and however many they are, they move one clip."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.jobs import DPSGD
from flip_sdk.mechanisms.computation import Computation, Descent
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.snapshot import Snapshot

from tests.flip_sdk.models.zoo import FEATURES, GOOD
from tests.trust.engine.cases import BOUNDS, model

CLIP = 0.3
WITHOUT_DROPOUT = sorted(set(GOOD) - {"mlp", "cnn", "attention"})


def visits(rows, extreme=None, seed=0):
    random = np.random.default_rng(seed)
    persons = np.repeat(np.arange(len(rows)), rows)
    features = random.normal(size=(len(persons), FEATURES))
    labels = random.integers(0, 2, len(rows))[persons]
    if extreme is not None:
        features[persons == extreme] *= 1e6
    return Snapshot(features, labels, persons)


def without(snapshot, person):
    keep = snapshot.persons != person
    persons = snapshot.persons[keep]
    return Snapshot(snapshot.features[keep], snapshot.labels[keep], persons - (persons > person))


@pytest.mark.parametrize("name", WITHOUT_DROPOUT)
def test_one_person_of_ten_records_moves_a_gradient_by_one_clip(name):
    exported, loss = model(name)
    everybody = visits([1, 10, 2, 3, 10, 1], extreme=1)
    sums = [
        Computation(people, BOUNDS, exported.graph).gradient(exported.weights, None, loss, CLIP)
        for people in (everybody, without(everybody, 1))
    ]
    moved = np.sqrt(sum(np.square(sums[0][key] - sums[1][key]).sum() for key in sums[0]))
    assert 0 < moved <= CLIP * (1 + 1e-9)


@pytest.mark.parametrize("name", ["linear", "unet3d"])
def test_equal_records_are_as_good_as_one(name):
    exported, loss = model(name)
    once = visits([1, 1, 1])
    many = Snapshot(np.repeat(once.features, 4, axis=0), np.repeat(once.labels, 4), np.repeat(once.persons, 4))
    found = [
        Computation(people, BOUNDS, exported.graph).gradient(exported.weights, None, loss, CLIP)
        for people in (once, many)
    ]
    assert all(np.allclose(found[0][key], found[1][key], atol=1e-6) for key in found[0])


def test_persons_are_sampled_with_all_their_rows():
    people = visits([1, 4, 2, 5])
    fed = Fed(people.features, people.labels, people.rows)
    drawn = fed.drawn(np.array([False, True, False, True]))
    assert fed.persons == 4
    assert drawn.rows.tolist() == [4, 5]
    assert np.array_equal(drawn.features, people.features[np.isin(people.persons, [1, 3])])


def test_dp_sgd_samples_persons(monkeypatch):
    sizes = []

    def count(_model, weights, people, *_):
        sizes.append(people.persons)
        return {key: np.zeros(tensor.shape) for key, tensor in weights.items()}

    monkeypatch.setattr("flip_sdk.mechanisms.computation.clipped_sum", count)
    exported, loss = model("linear")
    descent = Descent(DPSGD(local_steps=1000, sampling_rate=0.25), 1.0, 40.0)
    Computation(visits([3] * 40), BOUNDS, exported.graph).dp_sgd(exported.weights, None, loss, descent)
    assert np.mean(sizes) == pytest.approx(10.0, abs=0.5)
    assert np.var(sizes) == pytest.approx(40 * 0.25 * 0.75, rel=0.25)


def test_scores_are_one_a_person():
    exported, _ = model("linear")
    people = visits([1, 7, 2, 1, 30])
    cells = Computation(people, BOUNDS, exported.graph).scores(exported.weights, None, 10)["histogram"]
    assert cells.sum() == 5
    assert cells.sum(axis=1).tolist() == [(people.label_of_person == 0).sum(), (people.label_of_person == 1).sum()]


def test_statistics_count_persons():
    people = visits([1, 9, 2])
    found = Computation(people, BOUNDS, None).statistics(2.0)
    assert found["persons"].tolist() == [6.0]
