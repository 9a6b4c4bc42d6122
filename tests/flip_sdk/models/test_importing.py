"""A graph and weights from outside become a module, or are refused."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from flip_sdk.contract.graph import parse_graph
from flip_sdk.errors import ModelError
from flip_sdk.models import export_model, import_model
from flip_sdk.models.program import Program
from safetensors.torch import load, save

from tests.flip_sdk.models.zoo import FEATURES, GOOD
from tests.trust.engine.cases import model


@pytest.fixture(scope="module")
def exported():
    torch.manual_seed(0)
    return export_model(GOOD["mlp"][0](), FEATURES, "cross_entropy")


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the payload ran')",))


@pytest.mark.parametrize("content", [pickle.dumps(Payload()), b"PK\x03\x04" + b"\x00" * 100, b""])
def test_a_pickle_or_an_archive_is_neither_a_graph_nor_weights(content, exported):
    with pytest.raises(ModelError):
        import_model(content, exported.weights)
    with pytest.raises(ModelError):
        import_model(exported.graph, content)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(number, exported):
    weights = load(exported.weights)
    weights["0.bias"][0] = number
    with pytest.raises(ModelError):
        import_model(exported.graph, save(weights))


def test_a_parameter_may_not_hide_behind_another_name(exported):
    weights = load(exported.weights)
    weights["forward"] = weights.pop("0.bias")
    with pytest.raises(ModelError):
        import_model(exported.graph, save(weights))
    graph = exported.graph.replace(b'"0.bias"', b'"training"')
    weights["training"] = weights.pop("forward")
    with pytest.raises(ModelError):
        import_model(graph, save(weights))


def test_stated_shapes_that_are_not_the_true_ones_are_refused(exported):
    graph = json.loads(exported.graph)
    graph["nodes"][0]["results"][0]["shape"] = [1, 4]
    with pytest.raises(ModelError):
        Program(parse_graph(json.dumps(graph).encode()), training=True).check_shapes()


@pytest.mark.parametrize("name", GOOD)
def test_stated_shapes_are_the_true_ones(name):
    record = parse_graph(model(name)[0].graph)
    for training in (True, False):
        Program(record, training=training).check_shapes()


def test_dropout_drops_in_training_alone(exported):
    module = import_model(exported.graph, exported.weights)
    people = torch.ones(64, FEATURES)
    assert module(people).std(dim=0).max() < 1e-5
    module.train()
    assert module(people).std(dim=0).max() > 1e-2


def test_a_model_read_back_can_be_trained_on(exported):
    module = import_model(exported.graph, exported.weights)
    module(torch.randn(4, FEATURES)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
