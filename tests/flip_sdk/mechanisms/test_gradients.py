"""Per-person gradients: the general way, the closed form and a plain loop over people are one and the same."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
from flip_sdk.contract.graph import parse_graph
from flip_sdk.mechanisms import gradients
from flip_sdk.mechanisms.closed_form import linear_form
from flip_sdk.mechanisms.features import scaled
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.gradients import clipped_sum, general_clipped_sum
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.models.importing import read_weights
from flip_sdk.models.losses import LOSSES
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flip_sdk.models.zoo import FEATURES, GOOD
from tests.trust.engine.cases import BOUNDS, graph, model, node, people, value

LINEAR = ("linear", "linear without bias", "softmax")
CLIP = 0.5


@cache
def built(name, dropout):
    """A model of the zoo as it is read back, and without its dropout."""
    rebuilt = rebuild(model(name)[0].graph, FEATURES)
    return rebuilt if dropout else type(rebuilt)(rebuilt.record, rebuilt.scoring, rebuilt.scoring, rebuilt.linear)


def ready(name, count=23, *, dropout=True):
    exported, loss = model(name)
    snapshot, rebuilt = people(count), built(name, dropout)
    weights = read_weights(rebuilt.record, exported.weights)
    return rebuilt, weights, scaled(snapshot.features, BOUNDS, None), snapshot.labels, loss


def looped(rebuilt, weights, x, labels, loss, clip):
    """One person after the other, by plain autograd in float64."""
    sums = {}
    for person, label in zip(x, labels, strict=True):
        wide = {k: v.double().requires_grad_() if k in rebuilt.record.parameters else v for k, v in weights.items()}
        wide = {k: v.double() if v.dtype == torch.float32 else v for k, v in wide.items()}
        trained = [wide[key] for key in rebuilt.record.parameters]
        answer = rebuilt.scoring(wide, torch.tensor(person).unsqueeze(0))
        found = torch.autograd.grad(LOSSES[loss](answer, torch.tensor(label)), trained, allow_unused=True)
        found = [torch.zeros_like(t) if g is None else g for g, t in zip(found, trained, strict=True)]
        factor = min(1.0, clip / max(1e-300, float(torch.sqrt(sum(g.square().sum() for g in found)))))
        for key, gradient in zip(rebuilt.record.parameters, found, strict=True):
            sums[key] = sums.get(key, 0) + factor * gradient.numpy()
    return sums


@pytest.mark.parametrize("name", GOOD)
def test_the_general_way_agrees_with_a_loop_over_people(name):
    rebuilt, weights, x, labels, loss = ready(name, dropout=False)
    found = general_clipped_sum(rebuilt, weights, x, labels, loss, CLIP)
    expected = looped(rebuilt, weights, x.astype(np.float32).astype(np.float64), labels, loss, CLIP)
    assert set(found) == set(rebuilt.record.parameters)
    for key, total in expected.items():
        assert np.abs(found[key] - total).max() < 1e-5 * max(1.0, np.abs(total).max())


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e4])
def test_the_closed_form_agrees_with_the_general_way(name, clip):
    rebuilt, weights, x, labels, loss = ready(name)
    assert rebuilt.linear is not None
    closed = clipped_sum(rebuilt, weights, Fed(x, labels), loss, clip)
    general = general_clipped_sum(rebuilt, weights, x, labels, loss, clip)
    for key, total in general.items():
        assert np.abs(closed[key] - total).max() < 1e-5 * max(1.0, np.abs(total).max())


@pytest.mark.parametrize("name", sorted(set(GOOD) - set(LINEAR)))
def test_other_models_are_not_taken_for_linear(name):
    assert linear_form(parse_graph(model(name)[0].graph)) is None


@pytest.mark.parametrize(
    "nodes",
    [
        [node("aten.linear.default", [value(0), value(1)], (1, 1)), node("aten.relu.default", [value(2)], (1, 1))],
        [
            node("aten.relu.default", [value(0)], (1, FEATURES)),
            node("aten.linear.default", [value(2), value(1)], (1, 1)),
        ],
        [node("aten.linear.default", [value(0), value(1)], (1, 1)), node("aten.view.default", [value(0), [1]], (1, 1))],
        [node("aten.linear.default", [value(0), value(0)], (1, 1))],
    ],
)
def test_what_only_looks_linear_is_not_taken_for_it(nodes):
    record = parse_graph(json.dumps(graph(nodes, 1 + len(nodes))).encode())
    assert linear_form(record) is None


@pytest.mark.parametrize("name", GOOD)
def test_one_person_moves_the_sum_by_no_more_than_the_clip(name):
    rebuilt, weights, x, labels, loss = ready(name, dropout=False)
    everybody = clipped_sum(rebuilt, weights, Fed(x, labels), loss, CLIP)
    others = clipped_sum(rebuilt, weights, Fed(x[1:], labels[1:]), loss, CLIP)
    moved = np.sqrt(sum(np.square(everybody[key] - others[key]).sum() for key in everybody))
    assert 0 < moved <= CLIP * (1 + 1e-6)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-1e30, 1e30), min_size=FEATURES, max_size=FEATURES),
    st.floats(1e-6, 1e4),
    st.sampled_from(["linear", "mlp", "frozen"]),
)
def test_no_person_however_extreme_moves_it_further(extreme, clip, name):
    rebuilt, weights, _, _, loss = ready(name, 1, dropout=False)
    alone = clipped_sum(rebuilt, weights, Fed(np.array([extreme]), np.array([1])), loss, clip)
    assert np.sqrt(sum(np.square(total).sum() for total in alone.values())) <= clip * (1 + 1e-6)


@pytest.mark.parametrize("name", ["linear", "softmax", "mlp", "attention"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_counts_as_zero(name, poison):
    rebuilt, weights, x, labels, loss = ready(name, dropout=False)
    sick = np.concatenate([x, np.full((1, FEATURES), poison)])
    with_poison = clipped_sum(rebuilt, weights, Fed(sick, np.append(labels, 1)), loss, CLIP)
    without = clipped_sum(rebuilt, weights, Fed(x, labels), loss, CLIP)
    for key, total in without.items():
        assert np.allclose(with_poison[key], total, atol=1e-6)


def test_chunks_do_not_change_the_sum(monkeypatch):
    rebuilt, weights, x, labels, loss = ready("frozen")
    at_once = general_clipped_sum(rebuilt, weights, x, labels, loss, CLIP)
    monkeypatch.setattr(gradients, "CHUNK_BYTES", 5 * rebuilt.record.person_bytes)
    in_chunks = general_clipped_sum(rebuilt, weights, x, labels, loss, CLIP)
    assert all(np.allclose(at_once[key], in_chunks[key], atol=1e-6) for key in at_once)


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_nobody_at_all_makes_a_sum_of_zeros(name):
    rebuilt, weights, x, labels, loss = ready(name)
    nothing = clipped_sum(rebuilt, weights, Fed(x[:0], labels[:0]), loss, CLIP)
    assert all(not total.any() and total.shape == weights[key].shape for key, total in nothing.items())


def test_dropout_drops_differently_for_each_person():
    exported, loss = model("mlp")
    rebuilt = rebuild(exported.graph, FEATURES)
    weights = read_weights(rebuilt.record, exported.weights)
    same = np.ones((64, FEATURES))
    sums = general_clipped_sum(rebuilt, weights, same, np.zeros(64, dtype=np.int64), loss, 1e9)
    alone = general_clipped_sum(rebuilt, weights, same[:1], np.zeros(1, dtype=np.int64), loss, 1e9)
    assert not np.allclose(sums["0.weight"], 64 * alone["0.weight"])
