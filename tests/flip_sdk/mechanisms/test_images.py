"""Images beside features: mapped from a file, scaled by nothing, clipped and scored by person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from flip_sdk.contract.jobs import Scaling
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.snapshot import Snapshot, write_images
from flip_sdk.models import export_model
from torch import nn

RANDOM = np.random.default_rng(5)
IMAGES = RANDOM.uniform(-1, 1, (6, 16)).astype(np.float16)
LABELS = np.array([0, 0, 1, 1, 0, 2])
OWNERS = np.array([0, 0, 1, 2, 3, 4])
BOUNDS = np.array([[0.0, 10.0]])
NONE = np.zeros((6, 0))


def network(width: int, outputs: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, 5), nn.Tanh(), nn.Linear(5, outputs))


def test_images_alone_are_fed_as_they_are_mapped(tmp_path: Path) -> None:
    write_images(tmp_path / "images.f16", IMAGES)
    mapped = Snapshot.from_bytes(Snapshot(NONE, LABELS, OWNERS, IMAGES).to_bytes(), tmp_path / "images.f16")
    exported = export_model(network(16), 16, "mse")
    assert isinstance(mapped.images, np.memmap)
    assert mapped.width == 16

    of_file = Computation(mapped, np.zeros((0, 2)), exported.graph)
    # the same numbers as features whose bounds are [-1, 1]
    told = Snapshot(IMAGES.astype(np.float64), LABELS, OWNERS)
    bounds = np.tile([-1.0, 1.0], (16, 1))
    expected = Computation(told, bounds, exported.graph).gradient(exported.weights, None, "mse", 0.1)
    found = of_file.gradient(exported.weights, Scaling(shift=(), scale=()), "mse", 0.1)
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert value == pytest.approx(expected[key], abs=1e-6)


@pytest.mark.parametrize("linear", [True, False])
def test_features_come_first_and_are_scaled_images_are_not(linear: bool) -> None:
    features = RANDOM.uniform(0, 10, (6, 1))
    module = nn.Linear(17, 1) if linear else network(17)
    exported = export_model(module, 17, "mse")
    both = Snapshot(features, LABELS, OWNERS, IMAGES)
    scaling = Scaling(shift=(2.0,), scale=(4.0,))

    found = Computation(both, BOUNDS, exported.graph).gradient(exported.weights, scaling, "mse", 0.1)

    rows = np.concatenate([(features - 2) / 4, IMAGES.astype(np.float64)], axis=1)
    bounds = np.tile([-50.0, 50.0], (17, 1))
    plain = Scaling(shift=(0.0,) * 17, scale=(1.0,) * 17)
    expected = Computation(Snapshot(rows, LABELS, OWNERS), bounds, exported.graph)
    for key, value in expected.gradient(exported.weights, plain, "mse", 0.1).items():
        assert found[key] == pytest.approx(value, abs=1e-6)


def test_the_statistics_are_of_the_features_alone() -> None:
    both = Snapshot(np.full((6, 1), 10.0), LABELS, OWNERS, IMAGES)
    found = Computation(both, BOUNDS, None).statistics(1.0)
    assert found["sum"].shape == (1,)


def test_confusion_counts_every_person_once() -> None:
    exported = export_model(network(16, 3), 16, "cross_entropy")
    people = Snapshot(NONE, LABELS, OWNERS, IMAGES)
    cells = Computation(people, np.zeros((0, 2)), exported.graph).confusion(exported.weights, None, 3)["confusion"]
    assert cells.shape == (3, 3)
    assert cells.sum() == people.count
    assert cells.sum(axis=1).tolist() == np.bincount(people.label_of_person, minlength=3).tolist()


def test_images_that_do_not_belong_to_the_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="images"):
        Snapshot(NONE, LABELS, OWNERS, IMAGES[:3])
