"""Book-keeping gives what one person after the other gives: for every model, operator, clip and number of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.contract.operators import OPERATORS
from flip_sdk.mechanisms.bookkeeping import run
from flip_sdk.mechanisms.devices import Device
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.gradients import clipped_sum, general_clipped_sum
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.models.importing import read_weights

from tests.audit.graphs import graph_of, weights_of
from tests.audit.operators import WIDTH
from tests.flip_sdk.mechanisms.test_gradients import ready
from tests.flip_sdk.models.zoo import FEATURES, GOOD

CLIP = 0.5
DEEP = [name for name in GOOD if name not in ("linear", "linear without bias", "softmax")]


def assert_same(found, expected, tolerance=1e-5):
    size = np.sqrt(sum(np.square(total).sum() for total in expected.values()))
    assert set(found) == set(expected)
    for key, total in expected.items():
        assert found[key].shape == total.shape
        assert np.abs(found[key] - total).max(initial=0.0) <= tolerance * max(size, 1e-3), key


def grouped(name, rows, seed=0):
    """People with so many rows each."""
    model, weights, _, _, loss = ready(name, dropout=False)
    random = np.random.default_rng(seed)
    x = random.normal(size=(sum(rows), FEATURES))
    labels = np.repeat(random.integers(0, 2, len(rows)), rows)
    return model, weights, x, labels, loss, np.array(rows)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("clip", [1e-12, CLIP, 1e4])
def test_it_agrees_with_the_plain_way(name, clip):
    model, weights, x, labels, loss = ready(name, dropout=False)
    found = run.clipped_sum(model.learner, weights, x, labels, None, loss, clip)
    expected = general_clipped_sum(model, weights, x, labels, loss, clip)
    assert_same({k: v / clip for k, v in found.items()}, {k: v / clip for k, v in expected.items()})


@pytest.mark.parametrize("name", GOOD)
def test_a_persons_gradient_is_the_mean_over_their_rows(name):
    model, weights, x, labels, loss, rows = grouped(name, [1, 3, 2, 1, 7, 3, 40])
    found = clipped_sum(model, weights, Fed(x, labels, rows), loss, CLIP)
    assert_same(found, general_clipped_sum(model, weights, x, labels, loss, CLIP, rows))


@pytest.mark.parametrize("name", GOOD)
def test_more_rows_are_no_more_influence(name):
    model, weights, x, labels, loss, rows = grouped(name, [9])
    found = clipped_sum(model, weights, Fed(30 * x, labels, rows), loss, CLIP)
    assert np.sqrt(sum(np.square(total).sum() for total in found.values())) <= CLIP


@pytest.mark.parametrize("name", DEEP)
def test_parts_of_one_persons_rows_add_up(name, monkeypatch):
    model, weights, x, labels, loss, rows = grouped(name, [11, 2])
    monkeypatch.setattr(run, "MOST_BYTES", 4 * model.learner.row_bytes)
    monkeypatch.setattr(run, "AT_ONCE_BYTES", 4 * model.learner.row_bytes)
    monkeypatch.setattr(run, "BLOCK_BYTES", 0)
    found = run.clipped_sum(model.learner, weights, x, labels, rows, loss, CLIP)
    assert_same(found, general_clipped_sum(model, weights, x, labels, loss, CLIP, rows))


@pytest.mark.parametrize("name", DEEP)
def test_micro_batches_do_not_change_the_sum(name, monkeypatch):
    model, weights, x, labels, loss = ready(name, 70, dropout=False)
    at_once = run.clipped_sum(model.learner, weights, x, labels, None, loss, CLIP)
    for rows in (5, 40):
        monkeypatch.setattr(run, "AT_ONCE_BYTES", rows * model.learner.row_bytes)
        monkeypatch.setattr(run, "BLOCK_BYTES", 0)
        assert_same(run.clipped_sum(model.learner, weights, x, labels, None, loss, CLIP), at_once, 3e-6)


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38])
def test_one_persons_numbers_reach_nobody_else(name, poison):
    model, weights, x, labels, loss = ready(name, dropout=False)
    sick = x.copy()
    sick[5] = poison
    found = run.clipped_sum(model.learner, weights, sick, labels, None, loss, CLIP)
    others = np.arange(len(x)) != 5
    without = run.clipped_sum(model.learner, weights, x[others], labels[others], None, loss, CLIP)
    moved = np.sqrt(sum(np.square(found[key] - without[key]).sum() for key in found))
    assert moved <= CLIP * (1 + 1e-9)


def test_everybody_ill_is_a_sum_of_zeros():
    model, weights, x, labels, loss = ready("cnn")
    found = run.clipped_sum(model.learner, weights, np.full_like(x, np.nan), labels, None, loss, CLIP)
    assert not any(total.any() for total in found.values())


@pytest.mark.parametrize("name", DEEP)
def test_nobody_at_all_is_a_sum_of_zeros(name):
    model, weights, x, labels, loss = ready(name)
    found = run.clipped_sum(model.learner, weights, x[:0], labels[:0], None, loss, CLIP)
    assert {key: total.shape for key, total in found.items()} == {k: weights[k].shape for k in model.record.parameters}
    assert not any(total.any() for total in found.values())


@pytest.mark.parametrize("name", ["attention", "mlp", "cnn"])
def test_dropout_is_drawn_for_every_row(name):
    model, weights, x, _labels, loss = ready(name)
    same = np.repeat(x[1:2], 64, axis=0)
    twice = [
        run.clipped_sum(model.learner, weights, same, np.zeros(64, dtype=np.int64), None, loss, 1e9) for _ in range(2)
    ]
    alone = run.clipped_sum(model.learner, weights, same[:1], np.zeros(1, dtype=np.int64), None, loss, 1e9)
    key = next(iter(alone))
    assert not np.allclose(twice[0][key], twice[1][key])
    assert not np.allclose(twice[0][key], 64 * alone[key])


@pytest.mark.parametrize("name", GOOD)
def test_logits_are_the_models_own(name):
    model, weights, x, _, _ = ready(name, 40)
    found = run.logits(model.scorer, weights, x)
    with torch.no_grad():
        expected = torch.cat([model.scoring(weights, torch.tensor(row, dtype=torch.float32)[None]) for row in x])
    assert np.allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "cnn", "unet3d"])
def test_mixed_precision_gives_the_same_up_to_its_own(name):
    model, weights, x, labels, loss = ready(name, dropout=False)
    exact = run.clipped_sum(model.learner, weights, x, labels, None, loss, CLIP)
    mixed = run.clipped_sum(model.learner, weights, x, labels, None, loss, CLIP, Device("cpu", torch.bfloat16))
    assert_same(mixed, exact, 0.05)
    assert any(np.abs(mixed[key] - exact[key]).max() > 1e-7 for key in exact)


@pytest.mark.parametrize("name", [name for name in OPERATORS if "dropout" not in name])
def test_every_operator_on_all_rows_is_the_operator_on_each(name):
    model = rebuild(graph_of(name, deep=True), WIDTH)
    weights = read_weights(model.record, weights_of(deep=True))
    x = np.random.default_rng(1).normal(size=(37, WIDTH))
    labels = np.zeros(37, dtype=np.int64)
    expected = general_clipped_sum(model, weights, x, labels, "mse", CLIP)
    assert_same(run.clipped_sum(model.learner, weights, x, labels, None, "mse", CLIP), expected, 1e-4)
    one_by_one = [model.scoring(weights, torch.tensor(row, dtype=torch.float32)[None]).detach() for row in x]
    logits = torch.cat(one_by_one).numpy()
    assert np.allclose(run.logits(model.scorer, weights, x), logits, rtol=1e-4, atol=1e-4, equal_nan=True)
