"""What a worker computes: statistics, DP-SGD with its own noise, histograms."""

from __future__ import annotations

import numpy as np
import pytest
from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.contract.prepare import longest
from flip_sdk.errors import ModelError
from flip_sdk.mechanisms.computation import Computation, Descent
from flip_sdk.mechanisms.features import clamped, scaled
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import import_model
from safetensors.numpy import load, save
from torch import from_numpy

from tests.flip_sdk.models.zoo import FEATURES
from tests.trust.engine.cases import BOUNDS, model, people

BOX = np.array([[0.0, 10.0], [-1.0, 1.0]])


def test_values_are_clamped_and_missing_ones_are_in_the_middle():
    raw = np.array([[np.nan, np.nan], [-5.0, 99.0], [4.0, -np.inf]])
    assert np.array_equal(clamped(raw, BOX), [[5.0, 0.0], [0.0, 1.0], [4.0, -1.0]])


def test_a_scaling_is_in_raw_units():
    raw = np.array([[4.0, 0.5]])
    assert np.allclose(scaled(raw, BOX, Scaling(shift=(3.0, 0.0), scale=(2.0, 0.5))), [[0.5, 1.0]])
    assert np.allclose(scaled(raw, BOX, None), [[-0.2, 0.5]])


def test_statistics_are_sums_over_persons():
    engine = Computation(Snapshot(np.array([[2.5, 0.5], [5.0, 0.5]]), np.array([0, 1])), BOX, None)
    found = engine.statistics(3.0)
    assert found["persons"] == pytest.approx([6.0])
    assert found["sum"] == pytest.approx([-0.5, 1.0])
    assert found["sum_of_squares"] == pytest.approx([-0.25 - 0.5, -0.5])


def test_nobody_weighs_more_in_the_statistics_than_is_paid_for():
    far = Snapshot(np.array([[10.0, -1.0], [10.0, -1.0]]), np.array([0, 0]), np.array([0, 0]))
    found = Computation(far, BOX, None).statistics(1.0)
    assert found["persons"] == pytest.approx([1.0])
    assert np.hypot(*map(np.linalg.norm, (found["sum"], found["sum_of_squares"]))) == pytest.approx(longest(2))


def test_a_row_is_no_longer_than_the_scaling_says():
    raw = np.array([[10.0, 1.0], [5.1, 0.0]])
    fed = scaled(raw, BOX, Scaling(shift=(5.0, 0.0), scale=(0.1, 0.1), max_norm=2.0))
    assert np.linalg.norm(fed, axis=1) == pytest.approx([2.0, 1.0])
    assert fed[0] / 2 == pytest.approx(np.array([50.0, 10.0]) / np.hypot(50, 10))


def test_without_a_graph_there_is_nothing_to_train():
    with pytest.raises(ModelError):
        Computation(people(), BOUNDS, None).gradient(b"", None, "mse", 1.0)


@pytest.mark.parametrize("name", ["linear", "softmax", "mlp"])
def test_every_person_is_in_one_cell_of_the_histogram(name):
    exported, _ = model(name)
    snapshot = people(57, classes=3)
    cells = Computation(snapshot, BOUNDS, exported.graph).scores(exported.weights, None, 7)["histogram"]
    assert cells.sum() == 57
    assert cells[0].sum() == (snapshot.labels == 0).sum()


def test_the_histogram_is_of_the_models_own_probabilities():
    exported, _ = model("linear")
    snapshot = people()
    cells = Computation(snapshot, BOUNDS, exported.graph).scores(exported.weights, None, 10)["histogram"]
    x = scaled(snapshot.features, BOUNDS, None).astype(np.float32)
    probability = import_model(exported.graph, exported.weights)(from_numpy(x)).sigmoid().detach().numpy()[:, 0]
    for label in (0, 1):
        assert np.array_equal(cells[label], np.histogram(probability[snapshot.labels == label], 10, (0, 1))[0])


def test_a_score_that_is_not_a_number_still_has_its_cell():
    exported, _ = model("frozen")
    weights = {key: np.full_like(value, 3e38) for key, value in load(exported.weights).items()}
    cells = Computation(people(), BOUNDS, exported.graph).scores(save(weights), None, 10)["histogram"]
    assert cells.sum() == 40


def descent(noise=1.0, **mechanism):
    return Descent(DPSGD(**mechanism), noise, 40.0)


def deltas(times, how, name="linear"):
    exported, loss = model(name)
    engine = Computation(people(), BOUNDS, exported.graph)
    found = [engine.dp_sgd(exported.weights, None, loss, how) for _ in range(times)]
    return np.stack([np.concatenate([value.ravel() for _, value in sorted(one.items())]) for one in found])


def test_each_step_carries_its_full_noise():
    steps, rate, clip, noise = 4, 0.5, 0.01, 8.0
    how = descent(noise, local_steps=steps, sampling_rate=0.5, learning_rate=rate, max_grad_norm=clip)
    found = deltas(375, how, "softmax")
    promised = np.sqrt(steps) * rate * noise * clip / (0.5 * 40)
    assert found.std(axis=0).mean() == pytest.approx(promised, rel=0.02)


def test_noise_of_two_calls_is_not_correlated():
    found = deltas(300, descent(50.0, local_steps=1, learning_rate=1.0))
    first, second = found[::2].ravel(), found[1::2].ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(len(first))


def test_noise_of_two_steps_is_not_the_same_noise_twice():
    one = deltas(80, descent(50.0, local_steps=1, learning_rate=1.0), "softmax").std()
    four = deltas(80, descent(50.0, local_steps=4, learning_rate=1.0), "softmax").std()
    assert four / one == pytest.approx(2.0, rel=0.05)


def test_it_learns():
    random = np.random.default_rng(0)
    x = random.uniform(-3, 3, size=(400, FEATURES))
    snapshot = Snapshot(x, (x[:, 0] > 0).astype(np.int64))
    exported, loss = model("linear")
    engine = Computation(snapshot, BOUNDS, exported.graph)
    how = Descent(DPSGD(local_steps=200, sampling_rate=0.5), 0.5, 400.0)
    delta = engine.dp_sgd(exported.weights, None, loss, how)
    trained = {key: value + delta[key].astype(np.float32) for key, value in load(exported.weights).items()}
    cells = engine.scores(save(trained), None, 2)["histogram"]
    assert (cells[0, 0] + cells[1, 1]) / 400 > 0.9


def test_constants_of_the_model_stay_as_they_are():
    exported, loss = model("frozen")
    delta = Computation(people(), BOUNDS, exported.graph).dp_sgd(exported.weights, None, loss, descent())
    assert set(delta) == {"2.weight", "2.bias"}


def test_who_is_sampled_is_decided_for_each_by_itself(monkeypatch):
    sizes = []

    def count(_model, weights, people, *_):
        sizes.append(len(people.features))
        return {key: np.zeros(tensor.shape) for key, tensor in weights.items()}

    monkeypatch.setattr("flip_sdk.mechanisms.computation.clipped_sum", count)
    deltas(1, descent(local_steps=1000, sampling_rate=0.25))
    assert np.mean(sizes) == pytest.approx(10.0, abs=0.5)
    assert np.var(sizes) == pytest.approx(40 * 0.25 * 0.75, rel=0.25)
