"""An ordinary module crosses the boundary and comes back the same; what cannot says how to mend it."""

from __future__ import annotations

import logging

import pytest
import torch
from flip_sdk.contract.graph import parse_graph
from flip_sdk.errors import ModelError, ModelTooLargeError
from flip_sdk.models import export_model, import_model
from torch import nn

from tests.flip_sdk.models.zoo import BAD, FEATURES, GOOD
from tests.trust.engine.cases import model, own_module


@pytest.mark.parametrize("name", GOOD)
def test_a_model_answers_the_same_after_the_journey(name):
    exported, _ = model(name)
    module = own_module(name)
    back = import_model(exported.graph, exported.weights)
    people = torch.rand(5, FEATURES) * 3
    module.eval()
    with torch.no_grad():
        expected = torch.stack([module(person.unsqueeze(0))[0] for person in people])
        assert torch.allclose(back(people), expected, atol=1e-5)


@pytest.mark.parametrize("name", GOOD)
def test_trained_weights_load_into_the_researchers_own_class(name):
    exported, _ = model(name)
    back = import_model(exported.graph, exported.weights)
    own = GOOD[name][0]()
    missing, unexpected = own.load_state_dict(back.state_dict(), strict=False)
    assert not missing
    assert all(key.startswith("lifted_tensor") or "." not in key for key in unexpected)


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_cannot_cross_says_how_to_mend_it(name, capfd):
    make, mend = BAD[name]
    module = make().eval()
    with pytest.raises(ModelError) as caught:
        export_model(module, FEATURES, "binary_cross_entropy")
    assert mend in caught.value.mend
    assert capfd.readouterr().err == ""
    assert logging.root.manager.disable == 0
    assert not module.training


def test_a_functional_batch_norm_is_recognised_too():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(FEATURES, 1)

        def forward(self, x):
            images = x.reshape(1, 3, 10)
            return self.linear(nn.functional.batch_norm(images, None, None, training=True).flatten(1))

    with pytest.raises(ModelError) as caught:
        export_model(Hidden(), FEATURES, "mse")
    assert "ModuleValidator.fix" in caught.value.mend


def test_a_model_that_is_too_large_is_told_apart():
    with pytest.raises(ModelTooLargeError):
        export_model(nn.Linear(FEATURES, 700_000), FEATURES, "cross_entropy")


def test_exporting_leaves_the_module_as_it_was():
    module = GOOD["mlp"][0]()
    module.eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    export_model(module, FEATURES, "cross_entropy")
    assert not module.training
    assert module[1].inplace
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_the_same_model_always_makes_the_same_bytes():
    module = GOOD["cnn"][0]()
    assert export_model(module, FEATURES, "cross_entropy") == export_model(module, FEATURES, "cross_entropy")


def test_what_is_frozen_travels_as_a_constant():
    exported = export_model(GOOD["frozen"][0](), FEATURES, "binary_cross_entropy")
    assert set(parse_graph(exported.graph).parameters) == {"2.weight", "2.bias"}


def test_the_graph_holds_no_code_and_no_paths():
    exported = export_model(GOOD["attention"][0](), FEATURES, "mse")
    text = exported.graph.decode()
    assert all(word not in text for word in ("/", "lambda", "import", "stack_trace", "def "))


def test_a_slice_to_the_end_crosses():
    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 1)

        def forward(self, rows):
            return self.last(rows[:, 1:])

    module = Part()
    exported = export_model(module, 4, "mse")
    rows = torch.randn(5, 4)

    assert torch.equal(import_model(exported.graph, exported.weights)(rows), module(rows))
