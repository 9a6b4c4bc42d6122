"""The numbers of the demo's last table are those of the kept weights on the true held-out patients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.contract.jobs import Scaling
from flip_sdk.models import export_model
from flip_trust.cohort.split import part_of

from demo.measurements import MEASUREMENTS
from demo.patients import HOSPITALS, patients_of
from demo.people import PROJECT
from demo.report import compare, divide, kept_model

LOW = np.array([m.low for m in MEASUREMENTS], dtype=float)
HIGH = np.array([m.high for m in MEASUREMENTS], dtype=float)
SCALING = Scaling(shift=tuple((LOW + HIGH) / 2), scale=tuple((HIGH - LOW) / 2))


@pytest.fixture
def model() -> torch.nn.Module:
    """A line that says malignant where cells are large."""
    module = torch.nn.Linear(30, 1)
    with torch.no_grad():
        module.weight.zero_()
        module.weight[0, 20] = 8.0
        module.bias.fill_(3.0)
    return module


def test_held_out_patients_are_those_of_the_trusts() -> None:
    train, held_out = divide(PROJECT)

    assert sum(len(people.malignant) for people in train.values()) + len(held_out.malignant) == 569
    kept_back = [
        row
        for hospital in HOSPITALS
        for person_id, row in zip(
            patients_of(hospital.name).person_ids, patients_of(hospital.name).features, strict=True
        )
        if part_of(PROJECT, int(person_id)) == "test"
    ]
    assert np.array_equal(held_out.features, np.array(kept_back))


def test_the_kept_model_scores_as_the_module_does(model) -> None:
    exported = export_model(model, 30, "binary_cross_entropy")
    features = patients_of("dunmore").features

    scores = kept_model(exported.graph, exported.weights, SCALING)(features)

    scaled = torch.tensor((np.clip(features, LOW, HIGH) - SCALING.shift) / SCALING.scale, dtype=torch.float32)
    assert np.allclose(scores, torch.sigmoid(model(scaled)).detach().numpy().reshape(-1), atol=1e-6)


def test_the_table_compares_with_what_has_to_be_beaten(model) -> None:
    exported = export_model(model, 30, "binary_cross_entropy")

    federated, pooled, alone, majority = compare(PROJECT, exported.graph, exported.weights, SCALING)

    assert pooled.auc > 0.98
    assert majority.auc == 0.5
    assert majority.accuracy > 0.5
    assert 0.9 < federated.auc < 1
    assert alone.auc <= 1
