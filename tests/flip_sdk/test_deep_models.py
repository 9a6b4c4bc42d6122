"""A 3D U-Net and a DenseNet-like net train through the graph format, by ``project.train``."""

from __future__ import annotations

import pytest
import torch
from flip_sdk.testing import FakeHub, FakeTrust, synthetic_patients
from torch import nn

import flip_sdk as flip
from flip_sdk import simulate
from tests.flip_sdk.models.deep import DenseNet, UNet3d

NAMES = ("mean radius", "mean texture", "worst radius", "worst concave points")
STEPS = flip.DPSGD(local_steps=2, sampling_rate=0.2, learning_rate=0.5)


def trained(project: flip.Project, model: nn.Module) -> flip.Result:
    privacy = flip.Privacy(epsilon=4.0, scaling="public_bounds", mechanism=STEPS)
    return project.train(model, features=NAMES, label="malignant", privacy=privacy, rounds=2).result()


@pytest.mark.parametrize("make", [UNet3d, DenseNet])
def test_it_trains_on_a_played_hub_and_comes_back_as_the_same_class(make: type[nn.Module]) -> None:
    hub = FakeHub([FakeTrust(name, synthetic_patients(200, seed=i), epsilon=100) for i, name in enumerate("abc")])
    project = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology")
    torch.manual_seed(0)
    model = make(len(NAMES))
    result = trained(project, model)

    after = make(len(NAMES))
    after.load_state_dict(result.model().inner.state_dict())
    changed = [not torch.equal(one, other) for one, other in zip(after.parameters(), model.parameters(), strict=True)]
    assert all(changed)
    assert project.evaluate(result).result().record.figures


def test_it_trains_in_a_simulation_with_its_noise() -> None:
    hub = FakeHub()
    asked = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology")
    practice = simulate.project(simulate.synthetic(asked.catalogue(), persons=200))
    torch.manual_seed(0)
    assert trained(practice, UNet3d(len(NAMES))).model()
