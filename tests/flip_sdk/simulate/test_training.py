"""Without noise, all ways of putting Trusts together are the same sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import (
    DPSGD,
    DistributedNoise,
    FedProx,
    FullBatch,
    LocalNoise,
    ModelRef,
    Privacy,
    Scaffold,
    TrainSpec,
)
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from flip_sdk.simulate.noise import LOUD, SILENT
from flip_sdk.simulate.training import Training
from safetensors.numpy import load

FEATURES = tuple(Feature(concept_id=i + 1, low=-3, high=3) for i in range(3))


def spec(**privacy) -> TrainSpec:
    rounds = privacy.pop("rounds", 6)
    nothing = digest(b"")
    return TrainSpec(
        project_id="p",
        features=FEATURES,
        label=Label(condition_concept_ids=(9,)),
        model=ModelRef(graph=nothing, weights=nothing),
        privacy=Privacy(**privacy),
        rounds=rounds,
    )


def people(trusts: int = 3, persons: int = 120) -> dict[str, Snapshot]:
    random = np.random.default_rng(5)
    found = {}
    for name in "abcdef"[:trusts]:
        x = random.normal(size=(persons, 3))
        found[name] = Snapshot(x, (x[:, 0] + 0.3 * random.normal(size=persons) > 0).astype(np.int64))
    return found


def weights(asked: TrainSpec, snapshots, noise=SILENT) -> np.ndarray:
    torch.manual_seed(1)
    model = export_model(torch.nn.Linear(3, 1), 3, asked.loss)
    training = Training(asked, model.graph, model.weights, snapshots, noise, len(snapshots))
    for number in range(1, asked.rounds + 1):
        training.round(number)
    trained = load(training.weights())
    return np.concatenate([trained["weight"].ravel(), trained["bias"]])


def test_a_secure_sum_is_the_same_sum():
    mechanism = FullBatch(learning_rate=1.0)
    apart = weights(spec(mechanism=mechanism), people())
    together = weights(spec(mechanism=mechanism, trust_model=DistributedNoise()), people())
    assert together == pytest.approx(apart, abs=1e-2)


def test_trusts_together_are_one_large_trust():
    parts = people()
    one = {"all": Snapshot(*(np.concatenate([getattr(s, n) for s in parts.values()]) for n in ("features", "labels")))}
    mechanism = FullBatch(learning_rate=1.0)
    assert weights(spec(mechanism=mechanism), parts) == pytest.approx(weights(spec(mechanism=mechanism), one), abs=1e-4)


def test_a_strong_pull_keeps_local_steps_near():
    local = {"max_grad_norm": 1.0, "learning_rate": 0.3, "sampling_rate": 1.0, "local_steps": 20}
    free = weights(spec(mechanism=DPSGD(**local), rounds=1), people())
    held = weights(spec(mechanism=DPSGD(aggregation=FedProx(mu=3.0), **local), rounds=1), people())
    torch.manual_seed(1)
    start = np.concatenate([p.detach().numpy().ravel() for p in torch.nn.Linear(3, 1).parameters()])
    assert np.linalg.norm(held - start) < 0.5 * np.linalg.norm(free - start)


def test_corrections_undo_what_pulls_trusts_apart():
    x = np.random.default_rng(0).normal(size=(300, 3))
    labels = np.repeat([1, 0], 150).astype(np.int64)
    # two Trusts that see opposite cases: each alone walks off on its own
    unlike = {"a": Snapshot(x[:150], labels[:150]), "b": Snapshot(x[150:], labels[150:])}
    local = {"max_grad_norm": 5.0, "learning_rate": 0.2, "sampling_rate": 1.0, "local_steps": 30}

    def found(mechanism, snapshots):
        return np.linalg.norm(weights(spec(mechanism=mechanism, scaling="public_bounds", rounds=12), snapshots)[:3])

    centre = found(DPSGD(**local), {"a": Snapshot(x, labels)})
    corrected, drifted = found(DPSGD(aggregation=Scaffold(), **local), unlike), found(DPSGD(**local), unlike)
    assert abs(corrected - centre) < abs(drifted - centre)


def test_noise_of_trusts_is_their_own():
    asked = spec(mechanism=FullBatch(learning_rate=1.0), trust_model=LocalNoise(), epsilon=0.5, rounds=2)
    found = np.array([weights(asked, people(persons=2000), LOUD) for _ in range(12)])
    assert found.std(axis=0).min() > 0
