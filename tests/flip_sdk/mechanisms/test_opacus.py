"""Opacus, another implementation by other people, finds the same clipped sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.mechanisms.fed import Fed
from flip_sdk.mechanisms.gradients import clipped_sum
from flip_sdk.mechanisms.model import rebuild
from flip_sdk.models import export_model
from flip_sdk.models.importing import read_weights
from opacus.grad_sample import GradSampleModule
from torch import nn

from tests.flip_sdk.models.zoo import FEATURES

COUNT = 45
MODELS = {
    "linear": lambda: nn.Linear(FEATURES, 3),
    "layers": lambda: nn.Sequential(nn.Linear(FEATURES, 40), nn.ReLU(), nn.Linear(40, 8), nn.Tanh(), nn.Linear(8, 3)),
    "normed": lambda: nn.Sequential(nn.Linear(FEATURES, 12), nn.LayerNorm(12), nn.GELU(), nn.Linear(12, 3)),
    "images": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 5, 6)),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.Flatten(),
        nn.Linear(24, 3),
    ),
}


def opacus_sum(model: nn.Module, x: torch.Tensor, labels: torch.Tensor, clip: float) -> dict[str, np.ndarray]:
    wrapped = GradSampleModule(model, loss_reduction="sum")
    nn.functional.cross_entropy(wrapped(x), labels, reduction="sum").backward()
    samples = {name: parameter.grad_sample.double() for name, parameter in model.named_parameters()}
    norms = torch.stack([sample.flatten(1).square().sum(dim=1) for sample in samples.values()]).sum(dim=0).sqrt()
    factors = (clip / norms).clamp(max=1.0)
    return {name: torch.einsum("n,n...->...", factors, sample).numpy() for name, sample in samples.items()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("clip", [0.05, 1.0, 1e3])
def test_clipped_sums_agree_with_opacus(name, clip):
    torch.manual_seed(4)
    model = MODELS[name]()
    x, labels = torch.rand(COUNT, FEATURES) * 2 - 1, torch.randint(0, 3, (COUNT,))
    exported = export_model(model, FEATURES, "cross_entropy")
    ours = rebuild(exported.graph, FEATURES)
    found = clipped_sum(
        ours,
        read_weights(ours.record, exported.weights),
        Fed(x.double().numpy(), labels.numpy()),
        "cross_entropy",
        clip,
    )
    expected = opacus_sum(model, x, labels, clip)
    size = np.sqrt(sum(np.square(total).sum() for total in expected.values()))
    assert {key: total.shape for key, total in found.items()} == {key: t.shape for key, t in expected.items()}
    assert all(np.allclose(found[key], total, rtol=0, atol=1e-5 * size) for key, total in expected.items())
