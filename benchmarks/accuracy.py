"""How good is a model trained over four Trusts at ε = 3, δ = 1e-5, on people it never saw?

The engine, the ledger's calibration, the noise and the hub's arithmetic are the product's own; only the wire between
them is left out. Real patients (569 people of the Wisconsin breast cancer data) at the demo's four Trusts. A seed is a
project: another 70/30 split of the people and fresh noise from the operating system.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from flip_sdk.accounting.calibrate import event_for
from flip_sdk.accounting.events import Gaussian
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import FullBatch, ModelRef, Privacy, Scaling, TrainSpec
from flip_sdk.contract.prepare import sensitivity, weight_of_count
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.aggregate import Prepared, current_weights, descend, scaling_from, start, trained_weights
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.features import scaled
from flip_sdk.mechanisms.noise import add_gaussian
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model, import_model
from flip_trust.cohort.split import part_of
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchmarks.rows import Row
from demo.measurements import MALIGNANT, MEASUREMENTS
from demo.patients import HOSPITALS, Patients, patients_of

SEEDS = 10
EPSILON, DELTA = 3.0, 1e-5
LEAST_AUC, LEAST_ACCURACY = 0.98, 0.94


@dataclass(frozen=True)
class Figures:
    """On held-out people."""

    auc: float
    accuracy: float


@dataclass(frozen=True)
class Split:
    """One Trust's people, divided as the project divides them."""

    train: Snapshot
    test: Snapshot


def run(seeds: int = SEEDS) -> Iterator[Row]:
    """Mean AUC and accuracy over the seeds; the peer is the same logistic regression, pooled and without privacy."""
    ours, peer = [], []
    for seed in range(seeds):
        splits = _splits(f"accuracy-{seed}")
        ours.append(federated(splits, _spec(f"accuracy-{seed}")))
        peer.append(pooled(splits))
    yield _row("accuracy/auc", [f.auc for f in ours], [f.auc for f in peer], LEAST_AUC)
    yield _row("accuracy/accuracy", [f.accuracy for f in ours], [f.accuracy for f in peer], LEAST_ACCURACY)


def federated(splits: list[Split], spec: TrainSpec) -> Figures:
    """Prepare, then every round, as the Trusts and the hub do it."""
    torch.manual_seed(0)
    model = export_model(torch.nn.Linear(len(spec.features), 1), len(spec.features), spec.loss)
    bounds = np.array([[f.low, f.high] for f in spec.features])
    engines = {str(i): Computation(split.train, bounds, model.graph) for i, split in enumerate(splits)}
    _, scaling, persons = scaling_from({trust: _prepared(engine, spec) for trust, engine in engines.items()}, spec)
    mechanism, noise = spec.privacy.mechanism, _gaussian(spec, "train").noise_multiplier
    assert isinstance(mechanism, FullBatch)
    state = start(model.weights)
    for number in range(1, spec.rounds + 1):
        weights = current_weights(state)
        sums = {}
        for trust, engine in engines.items():
            exact = engine.gradient(weights, scaling, spec.loss, mechanism.max_grad_norm)
            sums[trust] = {k: add_gaussian(value, noise * mechanism.max_grad_norm) for k, value in exact.items()}
        noises = dict.fromkeys(sums, noise)
        state, _ = descend(state, sums, persons, mechanism, noise=noises, round_number=number, rounds=spec.rounds)
    return _scored(model.graph, trained_weights(state), scaling, bounds, splits)


def pooled(splits: list[Split]) -> Figures:
    """Logistic regression by scikit-learn on everybody's data in one place, without privacy."""
    scaler = StandardScaler()
    x = scaler.fit_transform(np.concatenate([s.train.features for s in splits]))
    model = LogisticRegression(max_iter=5000).fit(x, np.concatenate([s.train.labels for s in splits]))
    test = scaler.transform(np.concatenate([s.test.features for s in splits]))
    return _figures(np.concatenate([s.test.labels for s in splits]), model.decision_function(test))


def _prepared(engine: Computation, spec: TrainSpec) -> Prepared:
    noise = _gaussian(spec, "prepare").noise_multiplier
    exact = engine.statistics(weight_of_count(spec))
    noisy = {name: add_gaussian(value, noise * sensitivity(spec)) for name, value in exact.items()}
    return Prepared(noisy | {"persons": noisy["persons"] / weight_of_count(spec)}, noise)


def _gaussian(spec: TrainSpec, step: str) -> Gaussian:
    event = event_for(spec, step)
    assert isinstance(event, Gaussian)
    return event


def _scored(graph: bytes, weights: bytes, scaling: Scaling, bounds: np.ndarray, splits: list[Split]) -> Figures:
    x = scaled(np.concatenate([s.test.features for s in splits]), bounds, scaling)
    with torch.no_grad():
        logits = import_model(graph, weights)(torch.from_numpy(x.astype(np.float32)))[:, 0].numpy()
    return _figures(np.concatenate([s.test.labels for s in splits]), logits)


def _figures(labels: np.ndarray, logits: np.ndarray) -> Figures:
    return Figures(float(roc_auc_score(labels, logits)), float(accuracy_score(labels, logits > 0)))


def _spec(project_id: str) -> TrainSpec:
    nothing = digest(b"")
    return TrainSpec(
        project_id=project_id,
        features=tuple(Feature(concept_id=m.concept_id, low=m.low, high=m.high) for m in MEASUREMENTS),
        label=Label(condition_concept_ids=(MALIGNANT,)),
        model=ModelRef(graph=nothing, weights=nothing),
        privacy=Privacy(epsilon=EPSILON, delta=DELTA),
    )


def _splits(project_id: str) -> list[Split]:
    return [_split(project_id, patients_of(hospital.name)) for hospital in HOSPITALS]


def _split(project_id: str, patients: Patients) -> Split:
    train = np.array([part_of(project_id, int(person)) == "train" for person in patients.person_ids])
    features, labels = patients.features.astype(np.float64), patients.malignant.astype(np.int64)
    return Split(Snapshot(features[train], labels[train]), Snapshot(features[~train], labels[~train]))


def _row(name: str, ours: list[float], peer: list[float], least: float) -> Row:
    mean, reference = float(np.mean(ours)), float(np.mean(peer))
    return Row(
        name=name,
        ours=mean,
        peer=reference,
        unit=f"mean of {len(ours)} splits at ε = {EPSILON:g}; peer: pooled, no privacy",
        ratio=mean / reference,
        bar=f"≥ {least}",
        holds=mean >= least,
    )
