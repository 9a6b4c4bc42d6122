"""The last table of the demo: how good the kept model really is, beside what it has to be compared with.

The demo's operator made the data, and so may do what no one else can: score the kept weights on the true held-out
patients of all four Trusts together. The part a person belongs to is decided by the Trust's own function.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from flip_sdk.contract.jobs import Scaling
from flip_sdk.models import import_model
from flip_trust.cohort.split import part_of
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from demo.measurements import MEASUREMENTS
from demo.patients import HOSPITALS, patients_of
from demo.people import Actor

Scores = Callable[[np.ndarray], np.ndarray]
"""Raw features (persons, 30) → probability of malignant (persons,)."""


@dataclass(frozen=True)
class People:
    """Some patients: raw features, and 1 for malignant."""

    features: np.ndarray
    malignant: np.ndarray


@dataclass(frozen=True)
class Figures:
    """How well one model tells the held-out patients apart."""

    model: str
    accuracy: float
    auc: float


def divide(project: str) -> tuple[dict[str, People], People]:
    """Each Trust's training patients, and all held-out patients together."""
    train, held_out = {}, []
    for hospital in HOSPITALS:
        patients = patients_of(hospital.name)
        parts = np.array([part_of(project, int(person_id)) for person_id in patients.person_ids])
        train[hospital.name] = People(patients.features[parts == "train"], patients.malignant[parts == "train"])
        held_out.append(People(patients.features[parts == "test"], patients.malignant[parts == "test"]))
    return train, _together(held_out)


def compare(project: str, graph: bytes, weights: bytes, scaling: Scaling | None) -> list[Figures]:
    """The federated model's figures on held-out patients, and those of what it has to be compared with."""
    train, held_out = divide(project)
    alone = [
        _figures(f"best single Trust, without privacy ({name})", _not_private(people), held_out)
        for name, people in train.items()
    ]
    return [
        _figures("federated over four Trusts, private", kept_model(graph, weights, scaling), held_out),
        _figures("all patients in one place, without privacy", _not_private(_together(train.values())), held_out),
        max(alone, key=lambda figures: (figures.auc, figures.accuracy)),
        _figures("majority class", _majority(_together(train.values())), held_out),
    ]


def kept_model(graph: bytes, weights: bytes, scaling: Scaling | None) -> Scores:
    """What the model store keeps, as a function of raw measurements."""
    module = import_model(graph, weights)
    low, high = (np.array([getattr(m, bound) for m in MEASUREMENTS], dtype=float) for bound in ("low", "high"))
    shift = np.array(scaling.shift) if scaling else (low + high) / 2
    scale = np.array(scaling.scale) if scaling else (high - low) / 2

    def scores(features: np.ndarray) -> np.ndarray:
        inputs = torch.tensor((np.clip(features, low, high) - shift) / scale, dtype=torch.float32)
        with torch.no_grad():
            outputs = torch.cat([module(row[None]) for row in inputs])
        return np.asarray(torch.sigmoid(outputs.reshape(-1)).numpy())

    return scores


@dataclass(frozen=True)
class Budget:
    """What a Trust's own ledger says of a project."""

    trust: str
    spent: float
    allowed: float
    delta: float


def budget_of(trust: str, ledger: str, project: str) -> Budget:
    """Read `flip-trust ledger --json`."""
    line = next(line for line in json.loads(ledger)["budgets"] if line["project_id"] == project)
    return Budget(trust, line["spent"], line["epsilon"], line["delta"])


def budget_table(budgets: Iterable[Budget]) -> Table:
    """What was spent and what is left, per Trust."""
    table = Table(title="Privacy spent, by each Trust's own ledger (unit: person)", title_justify="left")
    table.add_column("Trust")
    for column in ("ε spent", "ε left", "of ε", "at δ"):
        table.add_column(column, justify="right")
    for b in budgets:
        table.add_row(b.trust, f"{b.spent:.2f}", f"{b.allowed - b.spent:.2f}", f"{b.allowed:g}", f"{b.delta:g}")
    return table


def login_table(people: Iterable[Actor], password: str) -> Table:
    """Who may sign in at the hub."""
    table = Table(title="Sign in and look around", title_justify="left")
    for column in ("name", "password", "who"):
        table.add_column(column)
    for actor in people:
        table.add_row(actor.name, password, f"{actor.part} ({actor.organisation})")
    return table


def accuracy_table(project: str, figures: list[Figures], epsilon: float) -> Table:
    """The figures as a table."""
    persons = len(divide(project)[1].malignant)
    table = Table(title=f"Malignant or benign, on {persons} held-out patients of all Trusts", title_justify="left")
    table.caption = (
        f"The federated model is private: ε = {epsilon:g} for each person. The best single Trust is named with "
        "hindsight, by AUC on these very patients."
    )
    table.caption_justify = "left"
    table.add_column("model")
    table.add_column("accuracy", justify="right")
    table.add_column("AUC", justify="right")
    for row in figures:
        table.add_row(row.model, f"{row.accuracy:.3f}", f"{row.auc:.3f}")
    return table


def _figures(model: str, scores: Scores, held_out: People) -> Figures:
    probability = scores(held_out.features)
    accuracy = float(((probability > 0.5) == held_out.malignant).mean())
    return Figures(model, accuracy, float(roc_auc_score(held_out.malignant, probability)))


def _not_private(people: People) -> Scores:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(people.features, people.malignant)
    return lambda features: np.asarray(model.predict_proba(features)[:, 1])


def _majority(people: People) -> Scores:
    share = float(people.malignant.mean())
    return lambda features: np.full(len(features), share)


def _together(parts: Iterable[People]) -> People:
    chosen = list(parts)
    return People(
        np.concatenate([people.features for people in chosen]), np.concatenate([people.malignant for people in chosen])
    )
