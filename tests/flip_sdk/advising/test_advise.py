"""Advice before a budget is spent: the better model is named, nothing is asked of anybody, mistakes name their mend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.errors import ModelError, NotFoundError, SpecError
from flip_sdk.testing import FakeHub
from torch import nn

import flip_sdk as flip

FEW = {"tries": 1, "rounds": 6, "quiet": True}


def net(width: int, hidden: int = 16) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def ring(persons: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Who has the label is in the middle: no straight rule tells them."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(persons, 2))
    return rows, (np.linalg.norm(rows, axis=1) < 1.18).astype(int)


@pytest.mark.slow
def test_a_bent_truth_over_many_persons_asks_for_the_model_that_bends():
    models = {"linear": nn.Linear(2, 1), "net": net(2)}
    privacy = flip.Privacy(epsilon=8, mechanism=flip.FullBatch(learning_rate=8.0))
    advice = flip.advise(models, public=ring(), trusts=[1000] * 2, privacy=privacy, tries=1, quiet=True)
    assert advice.model == "net"
    assert advice.module is models["net"]
    assert advice.accuracy > 0.7


def test_few_persons_ask_for_the_model_with_fewer_numbers():
    models = {"net": net(30, 64), "linear": nn.Linear(30, 1)}
    advice = flip.advise(models, shape=(30,), trusts=[90] * 4, privacy=flip.Privacy(epsilon=1), **FEW)
    assert advice.model == "linear"
    assert "2,049" in advice.why[0]


def test_it_says_how_to_train_and_what_that_costs():
    advice = flip.advise([nn.Linear(4, 1)], shape=(4,), trusts=[300] * 3, privacy=flip.Privacy(epsilon=2), **FEW)
    assert {(option.model, option.trust_model) for option in advice.options} == {
        ("model 1", "local"),
        ("model 1", "distributed"),
    }
    assert advice.epsilon == pytest.approx(2, abs=0.01)
    assert advice.max_grad_norm == 0.5
    assert 0 < advice.learning_rate <= 2
    assert advice.rounds == 6
    assert advice.privacy.trust_model.kind == advice.trust_model
    assert all(name in repr(advice) for name in ("model 1", "several kinds", "ε 2"))
    assert "<table" in advice._repr_html_()


def test_noise_shares_are_tried_only_where_they_are_valid():
    two = flip.advise([nn.Linear(4, 1)], shape=(4,), trusts=[300] * 2, **FEW)
    sampled = flip.advise(
        [nn.Linear(4, 1)], shape=(4,), trusts=[300] * 3, privacy=flip.Privacy(mechanism="dp_sgd"), **FEW
    )
    assert {option.trust_model for option in (*two.options, *sampled.options)} == {"local"}
    with pytest.raises(SpecError):
        flip.advise(
            [nn.Linear(4, 1)],
            shape=(4,),
            trusts=[300] * 3,
            privacy=flip.Privacy(mechanism="dp_sgd"),
            trust_models=("distributed",),
            **FEW,
        )


def test_a_catalogue_is_enough_and_its_trusts_are_asked_nothing():
    hub = FakeHub()
    project = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology")
    catalogue = project.catalogue()
    advice = flip.advise({"linear": nn.Linear(8, 1)}, catalogue=catalogue, label="malignant", **FEW)
    assert hub.jobs == {}
    assert all(trust.spent == 0 for trust in hub.trusts.values())
    result = project.train(
        advice.module,
        features=catalogue.features(),
        label="malignant",
        privacy=advice.privacy,
        rounds=advice.rounds,
    ).result()
    spent = project.budget()["spent"].to_list()
    assert result.record.epsilon == pytest.approx(advice.epsilon)
    assert spent == pytest.approx([advice.epsilon] * len(spent), abs=0.01)


@pytest.mark.parametrize("scaling", ["given", "public_bounds"])
def test_pictures_of_several_a_person_and_other_scalings(scaling):
    model = nn.Sequential(nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3, stride=2), nn.Flatten(), nn.Linear(8, 3))
    advice = flip.advise(
        {"cnn": model},
        shape=(1, 6, 6),
        trusts={"a": 200, "b": 200},
        privacy=flip.Privacy(epsilon=8, scaling=scaling),
        loss="cross_entropy",
        max_records_per_person=2,
        **FEW,
    )
    assert set(advice.options[0].accuracy) == {"one kind", "several kinds"}


def test_a_trust_that_its_floor_would_keep_out_is_named():
    sizes = {"large": 2000, "tiny": 10}
    advice = flip.advise([nn.Linear(4, 1)], shape=(4,), trusts=sizes, privacy=flip.Privacy(epsilon=1), **FEW)
    assert any(line.startswith("tiny ") for line in advice.why)


def test_where_every_trust_is_too_small_nothing_is_learned():
    advice = flip.advise([nn.Linear(4, 1)], shape=(4,), trusts=[10], privacy=flip.Privacy(epsilon=0.5), **FEW)
    assert advice.auc == 0.5


ROWS, LABELS = ring(100)


@pytest.mark.parametrize(
    ("models", "given", "rules"),
    [
        ([], {}, ["no_model", "one_source", "no_trusts"]),
        (["linear"], {"shape": (2,), "trusts": [50]}, ["no_module"]),
        ([nn.Linear(2, 1)], {"shape": (2,), "public": (ROWS, LABELS), "trusts": [50]}, ["one_source"]),
        ([nn.Linear(2, 1)], {"shape": (0,), "trusts": [0]}, ["bad_shape", "empty_trust"]),
        ([nn.Linear(2, 1)], {"public": (ROWS, LABELS[1:]), "trusts": [50]}, ["bad_public"]),
        ([nn.Linear(2, 1)], {"public": (ROWS, 2 * LABELS), "trusts": [50]}, ["bad_labels"]),
        ([nn.Linear(2, 1)], {"shape": (2,), "trusts": [50], "bounds": [(0, 1)] * 3}, ["bad_bounds"]),
        ([nn.Linear(2, 1)], {"shape": (2,), "trusts": [50], "max_records_per_person": 0}, ["bad_records"]),
    ],
)
def test_mistakes_are_told_with_their_mend(models, given, rules):
    with pytest.raises(SpecError) as caught:
        flip.advise(models, **given, **FEW)
    assert [violation.rule for violation in caught.value.violations] == rules
    assert all(violation.mend for violation in caught.value.violations)


def test_a_model_that_cannot_cross_or_does_not_fit_is_named():
    with pytest.raises(ModelError) as caught:
        flip.advise({"good": nn.Linear(2, 1), "mixing": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))},
                    shape=(2,), trusts=[50], **FEW)  # fmt: skip
    assert "'mixing'" in caught.value.message
    with pytest.raises(ModelError) as caught:
        flip.advise({"deep": net(2)}, shape=(2,), trusts=[200], tries=1, quiet=True,
                    privacy=flip.Privacy(mechanism="sufficient_statistics"))  # fmt: skip
    assert "'deep'" in caught.value.message


def test_a_name_that_is_not_in_the_catalogue_is_told():
    hub = FakeHub()
    catalogue = flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology").catalogue()
    with pytest.raises(NotFoundError):
        flip.advise([nn.Linear(1, 1)], catalogue=catalogue, features=["mean radium"], **FEW)
