"""Graphs made by an enemy: refused before anything is computed, or harmless."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import ModelError
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.model import rebuild
from flip_trust.engine.checks import refused
from safetensors.numpy import save

from tests.flip_sdk.models.zoo import FEATURES
from tests.trust.engine.cases import BOUNDS, graph, model, node, people, value

LAYER = node("aten.linear.default", [value(0), value(1)], (1, 1))
WEIGHTS = save({"w": np.zeros((1, FEATURES), dtype=np.float32)})


def code_of(content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(ModelError) as caught:
        rebuild(data, FEATURES)
    return refused(caught.value).code


def outer_products():
    """x → xᵀx → … : each node squares the size, a few of them fill any memory."""
    nodes, size, last = [], FEATURES, 0
    for _ in range(4):
        nodes += [node("aten.view.default", [value(last), [size, 1]], (size, 1))]
        column = 1 + len(nodes)
        nodes += [node("aten.view.default", [value(last), [1, size]], (1, size))]
        nodes += [node("aten.mm.default", [value(column), value(column + 1)], (size, size))]
        last, size = 1 + len(nodes), size * size
    return graph(nodes, 1 + len(nodes))


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        (graph([node("aten.from_file.default", ["/etc/passwd"], (1, 1))], 2), RefusalCode.MODEL_REFUSED),
        (graph([LAYER] * 5001, 2), RefusalCode.MODEL_TOO_LARGE),
        (graph([node("aten.relu.default", [value(0)], (1, FEATURES))] * 200_000, 2), RefusalCode.MODEL_TOO_LARGE),
        (outer_products(), RefusalCode.MODEL_TOO_LARGE),
        (graph([node("aten.expand.default", [value(1), [2**36, 30]], (2**36, 30))], 2), RefusalCode.MODEL_TOO_LARGE),
        (graph([node("aten.add_.Tensor", [value(1), value(0)], (1, FEATURES))], 2), RefusalCode.MODEL_REFUSED),
        (graph([node("aten.copy_.default", [value(1), value(0)], (1, FEATURES))], 2), RefusalCode.MODEL_REFUSED),
        (graph([node("aten.full.default", [[1], 1e999], (1,))], 2), RefusalCode.MODEL_REFUSED),
        (graph([LAYER], 2, weights=[("w", (1, 30_000_000))]), RefusalCode.MODEL_TOO_LARGE),
        (graph([LAYER], 2, weights=[("w", (1, FEATURES)), ("w", (1, FEATURES))]), RefusalCode.MODEL_REFUSED),
        (graph([LAYER], 0, weights=[]), RefusalCode.MODEL_REFUSED),
        (graph([LAYER], 99), RefusalCode.MODEL_REFUSED),
        (pickle.dumps({"a": 1}), RefusalCode.MODEL_REFUSED),
        (b"PK\x03\x04", RefusalCode.MODEL_REFUSED),
        (b"{" * 1_000_000, RefusalCode.MODEL_REFUSED),
        (b" " * (9 * 1024 * 1024), RefusalCode.MODEL_TOO_LARGE),
    ],
)
def test_it_is_refused_with_its_reason(hostile, code):
    assert code_of(hostile) == code


@pytest.mark.parametrize(
    "lie",
    [
        # says that it is small, and is not
        node("aten.expand.default", [value(1), [2**30, 30]], (1, FEATURES)),
        node("aten.repeat.default", [value(1), [2**20, 2**10]], (1, FEATURES)),
        node("aten.full.default", [[2**16, 2**16], 1.0], (1, 1), dtype="float32"),
        node("aten.pad.default", [value(0), [2**30, 2**30]], (1, FEATURES)),
        node("aten.arange.default", [2**39], (1,), dtype="float32"),
        # and nonsense arguments
        node("aten.view.default", [value(0), [-7, 3]], (1, FEATURES)),
        node("aten.select.int", [value(0), 10, 0], (1, FEATURES)),
        node("aten.select.int", [value(0), 1, 10**9], (1,)),
        node("aten.conv2d.default", [value(0), value(1), None, [0], [-1], [0], 10**6], (1, 1)),
        node("aten.max_pool1d.default", [value(0), [0], [0]], (1, 1)),
        node("aten.group_norm.default", [value(0), 0], (1, FEATURES)),
        node("aten.split.Tensor", [value(0), 0, 1], (1, FEATURES)),
    ],
)
def test_a_lie_about_shapes_is_found_before_anything_is_computed(lie):
    back = node("aten.linear.default", [value(0), value(1)], (1, 1))
    assert code_of(graph([lie, back], 3)) == RefusalCode.MODEL_REFUSED


def test_constants_that_overflow_do_not_poison_the_sum():
    huge = node("aten.mul.Tensor", [value(0), 1e38], (1, FEATURES))
    squared = node("aten.mul.Tensor", [value(2), value(2)], (1, FEATURES))
    out = node("aten.linear.default", [value(3), value(1)], (1, 1))
    engine = Computation(people(), BOUNDS, json.dumps(graph([huge, squared, out], 4)).encode())
    found = engine.gradient(WEIGHTS, None, "mse", 1.0)
    assert not found["w"].any()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(poison):
    engine = Computation(people(), BOUNDS, json.dumps(graph([LAYER], 2)).encode())
    weights = save({"w": np.full((1, FEATURES), poison, dtype=np.float32)})
    with pytest.raises(ModelError) as caught:
        engine.gradient(weights, None, "mse", 1.0)
    assert refused(caught.value).code == RefusalCode.MODEL_REFUSED


@pytest.mark.parametrize("weights", [b"", pickle.dumps({}), save({"v": np.zeros((1, FEATURES), dtype=np.float32)})])
def test_weights_that_are_not_the_graphs_are_refused(weights):
    engine = Computation(people(), BOUNDS, json.dumps(graph([LAYER], 2)).encode())
    with pytest.raises(ModelError) as caught:
        engine.scores(weights, None, 10)
    assert refused(caught.value).code == RefusalCode.MODEL_REFUSED


def test_an_index_made_of_the_data_cannot_tell_by_failing():
    """``table[x > 0 ? huge : 0]`` would raise an error only where somebody has a positive value."""
    exported, loss = model("mixed")
    graph_text = exported.graph.replace(b"0.5", b"999999999")
    engine = Computation(people(), BOUNDS, graph_text)
    assert engine.gradient(exported.weights, None, loss, 1.0)


def test_the_model_must_fit_the_loss():
    exported, _ = model("linear")
    engine = Computation(people(), BOUNDS, exported.graph)
    with pytest.raises(ModelError) as caught:
        engine.gradient(exported.weights, None, "cross_entropy", 1.0)
    assert refused(caught.value).code == RefusalCode.MODEL_REFUSED
