from __future__ import annotations

from pathlib import Path

import pytest
import torch
from flip_sdk.contract.jobs import Scaling
from flip_sdk.kept import KeptModel
from flip_sdk.testing import FakeHub
from flip_sdk.testing.patients import MALIGNANT
from safetensors.torch import load_file, save_file
from torch import nn

import flip_sdk as flip

FEATURES = (flip.Feature(concept_id=1, low=0, high=10, name="a"), flip.Feature(concept_id=2, low=-1, high=1))
SCALING = Scaling(shift=(4.0, 0.0), scale=(2.0, 0.5))


def kept(outputs: int = 2, loss: str = "binary_cross_entropy") -> KeptModel:
    inner = nn.Identity() if outputs == 2 else nn.Linear(2, 1)
    return KeptModel(inner, FEATURES, SCALING, loss)  # type: ignore[arg-type]


def test_rows_are_filled_clamped_and_scaled() -> None:
    rows = torch.tensor([[6.0, 0.5], [99.0, -99.0], [float("nan"), float("nan")]])
    expected = torch.tensor([[1.0, 1.0], [3.0, -2.0], [0.5, 0.0]])
    assert torch.allclose(kept()(rows), expected)


@pytest.mark.parametrize(("loss", "outputs"), [("binary_cross_entropy", 1), ("mse", 1), ("cross_entropy", 2)])
def test_probabilities_are_between_0_and_1_one_a_person(loss: str, outputs: int) -> None:
    probabilities = kept(outputs, loss).probabilities(torch.randn(5, 2) * 10)
    assert probabilities.shape == (5,)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_row_of_another_width_is_told() -> None:
    with pytest.raises(flip.ModelError):
        kept()(torch.zeros(3, 5))


def test_the_model_that_comes_back_is_the_one_that_was_scored(
    project: flip.Project, fake_hub: FakeHub, tmp_path: Path
) -> None:
    features = project.catalogue().features()
    result = project.train(nn.Linear(8, 1), features=features, label="malignant", rounds=6).result()
    model = result.model()
    trust = fake_hub.trusts["aldgate"]
    test = trust.patients.part("breast-cytology", "test")
    raw = torch.tensor(trust.patients.matrix(tuple(features))[test])
    right = (model.probabilities(raw) > 0.5).numpy() == trust.patients.conditions[MALIGNANT][test]
    figures = project.evaluate(result).result().figures()
    assert figures.filter(figures["trust"] == "aldgate")["accuracy"].item() == pytest.approx(right.mean())

    told = project.evaluate(result, bins=4).result()
    calibration, reliability = told.calibration(), told.reliability()
    assert calibration["trust"].to_list()[-1] == "all"
    assert 0 < calibration.filter(calibration["trust"] == "all")["brier"].item() < 0.25
    assert reliability.filter(reliability["trust"] == "all")["low"].to_list() == [0.0, 0.25, 0.5, 0.75]

    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = result.model()
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(again.probabilities(raw), model.probabilities(raw))


def test_a_result_found_later_knows_its_features(project: flip.Project, hub: flip.Hub) -> None:
    job = project.train(nn.Linear(1, 1), features=["mean radius"], label="malignant", rounds=2)
    job.result()
    assert [feature.name for feature in hub.job(job.id).result().features] == ["mean radius"]


def test_a_damaged_model_is_not_loaded(project: flip.Project, fake_hub: FakeHub) -> None:
    result = project.train(nn.Linear(1, 1), features=["mean radius"], label="malignant", rounds=2).result()
    assert result.record.model is not None
    fake_hub.blobs[result.record.model.weights] += b" "
    with pytest.raises(flip.ConnectionFailedError):
        result.model()


def test_results_show_themselves(project: flip.Project) -> None:
    result = project.train(nn.Linear(1, 1), features=["mean radius"], label="malignant", rounds=2).result()
    assert "ε 3" in repr(result)
    assert "<table" in result._repr_html_()
    assert "<table" in project.evaluate(result).result()._repr_html_()
