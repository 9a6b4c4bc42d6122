"""Every mechanism and preset that the guide names works through ``project.train`` on a played hub."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from flip_sdk.contract.jobs import FedAdam, FedAvg, FedProx, Scaffold
from flip_sdk.models import frozen
from flip_sdk.presets import PRESETS
from flip_sdk.testing import FakeHub, FakeTrust, synthetic_patients
from torch import nn

import flip_sdk as flip
from flip_sdk import simulate

NAMES = ("mean radius", "mean texture", "worst concave points")


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub([FakeTrust(name, synthetic_patients(200, seed=i), epsilon=100) for i, name in enumerate("abc")])


@pytest.fixture
def project(hub):
    return flip.connect(hub.api, hub.token, transport=hub.transport).project("breast-cytology")


def train(project, model=None, **more):
    torch.manual_seed(0)
    given = model if model is not None else nn.Linear(len(NAMES), 1)
    return project.train(given, features=NAMES, label="malignant", **more).result()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_with_every_trust_model_it_is_valid_with(project, name):
    for trust_model in PRESETS[name].trust_models:
        result = train(project, privacy=flip.Privacy(epsilon=4, mechanism=name, trust_model=trust_model))
        assert len(result.record.trusts) == 3
        assert project.evaluate(result).result().record.figures[-1].auc > 0.9


def test_presets_of_local_steps_differ_in_how_changes_are_put_together():
    kinds = {name: type(PRESETS[name].mechanism.aggregation) for name in ("dp_sgd", "fedadam", "fedprox", "scaffold")}
    assert kinds == {"dp_sgd": FedAvg, "fedadam": FedAdam, "fedprox": FedProx, "scaffold": Scaffold}


def test_features_are_scaled_by_noisy_statistics_that_all_trusts_share(project):
    measured = train(project, rounds=2).record.scaling
    bounds = train(project, rounds=2, privacy=flip.Privacy(scaling="public_bounds")).record.scaling
    rows = np.concatenate([synthetic_patients(200, seed=i).measurements[2_000_000_001] for i in range(3)])
    assert measured.shift[0] == pytest.approx(rows.mean(), abs=0.5)
    assert bounds.shift[0] == pytest.approx(17.5)
    given = train(project, rounds=2, privacy=flip.Privacy(scaling="given"), scaling=measured)
    assert given.record.scaling == measured


def test_a_frozen_extractor_stays_as_it_is_and_its_head_learns(project):
    extractor = nn.Sequential(nn.Linear(len(NAMES), 8), nn.BatchNorm1d(8), nn.Tanh())
    model = frozen(extractor, nn.Linear(8, 1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = train(project, model, privacy=flip.Privacy(epsilon=8)).model().inner.state_dict()
    assert set(after) == set(before)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}


def test_what_was_learned_on_made_up_people_is_where_a_job_begins(project):
    catalogue = project.catalogue()
    people = simulate.synthetic(catalogue, persons=300)["a"]
    rows = people.matrix(tuple(catalogue.features(*NAMES)))
    learned = simulate.pretrain(nn.Linear(3, 1), rows, people.labels(catalogue.label("malignant")), steps=20)
    result = train(
        project,
        learned.model,
        privacy=flip.Privacy(scaling="given", mechanism=flip.FullBatch(learning_rate=1e-6)),
        scaling=learned.scaling,
        rounds=2,
    )
    began = learned.model.weight.detach()
    assert result.model().inner.weight.detach() == pytest.approx(began, abs=1e-4)


def test_the_iterates_of_the_last_half_are_averaged(project):
    def after(rounds: int, start: nn.Module | None = None) -> nn.Module:
        privacy = flip.Privacy(scaling="public_bounds", mechanism=flip.FullBatch(learning_rate=1.0))
        return train(project, start, rounds=rounds, privacy=privacy).model().inner

    def weight(model: nn.Module) -> np.ndarray:
        return model.state_dict()["weight"].numpy()

    second = nn.Linear(len(NAMES), 1)
    second.load_state_dict(after(2).state_dict())  # of two rounds, the second alone is averaged
    fourth = weight(after(2, second))
    third = 2 * weight(after(3)) - weight(second)  # of three, the second and the third
    assert weight(after(4)) == pytest.approx((third + fourth) / 2, abs=1e-4)
    assert np.abs(third - fourth).max() > 1e-2


def test_several_records_of_a_person_are_one_person(hub, project):
    for trust in hub.trusts.values():
        random = np.random.default_rng(len(trust.patients))
        shaken = {c: v + 0.01 * random.normal(size=len(v)) for c, v in trust.patients.measurements.items()}
        nothing = {c: np.full(len(v), np.nan) for c, v in trust.patients.measurements.items()}
        trust.patients = replace(trust.patients, earlier=(shaken, nothing, shaken))
    asked = {"features": NAMES, "label": "malignant", "max_records_per_person": 2}
    priced = project.price(nn.Linear(3, 1), **asked)["job"].to_list()
    result = project.train(nn.Linear(3, 1), **asked).result()
    assert priced == pytest.approx([3.0] * 3, abs=0.01)
    assert result.spec.max_records_per_person == 2
    snapshot = hub.trusts["a"].snapshot(result.spec)
    assert set(snapshot.rows) == {2}
    assert project.evaluate(result).result().record.figures[-1].auc > 0.9
