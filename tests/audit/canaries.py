"""Canaries: people made up so that each moves one number of a release, their model, and the job that asks for it.

Canary i has the value 100 in feature i and 0 in all others, so that its clipped gradient is ±C·eᵢ.
"""

from __future__ import annotations

import secrets
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import torch
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import DPSGD, FullBatch, LocalNoise, Mechanism, ModelRef, Privacy, Scaling, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import ExportedModel, export_model
from safetensors.numpy import load, save

from tests.trust.world import PROJECT

SIZE, LABEL = 100.0, Label(condition_concept_ids=(2_000_000_101,))
FIRST_CONCEPT = 2_100_000_000
HEIGHTS = {1: -9.0, 2: 11.0}
"""Weights by round: a canary's gradient is -20·eᵢ and 20·eᵢ, and in the difference noise that is drawn once cancels."""
FULL_BATCH = FullBatch(max_grad_norm=0.1)
DP_SGD = DPSGD(max_grad_norm=0.1, learning_rate=10.0, sampling_rate=0.5, local_steps=25)
FORMS = ("closed form", "book-keeping", "general")


class Layer(torch.nn.Module):
    """A linear layer; ``form`` decides by which of the engine's ways its gradients are computed."""

    def __init__(self, count: int, form: str) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(count, 1, bias=False)
        self.form = form

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        match self.form:
            case "closed form":
                return self.layer(x)
            case "book-keeping":
                return 1.0 * self.layer(x)
            case "general":
                return (x * self.layer.weight).sum(1, keepdim=True)
        return SMUGGLING[self.form](self.layer, x)


def _named(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """A table looked up by what somebody has: the one row that has a gradient names the value."""
    place = (x * torch.arange(x.shape[1])).sum(1).long()
    return torch.nn.functional.embedding(place, layer.weight.reshape(-1, 1))


def _shouted(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """Gradients of 10²¹, whose squares are beyond float32."""
    return 1e10 * layer(x)


def _poisoned(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
    """Not a number for whoever has something in the first half of the features."""
    half = x.narrow(1, 0, x.shape[1] // 2)
    return layer(x) + 0.0 * torch.sqrt(-half).sum(1, keepdim=True)


SMUGGLING = {"one-hot": _named, "huge": _shouted, "not a number": _poisoned}
"""Models that try to carry one person's data out."""


def exported(count: int, form: str) -> ExportedModel:
    model = Layer(count, form)
    torch.nn.init.zeros_(model.layer.weight)
    return export_model(model, count, "mse")


def weights_of(model: ExportedModel, round_: int) -> bytes:
    """The weights that a round begins with."""
    return save({name: np.full_like(value, HEIGHTS[round_]) for name, value in load(model.weights).items()})


def scaling(count: int) -> Scaling:
    """So that a canary is fed as its unit vector."""
    return Scaling(shift=(0.0,) * count, scale=(SIZE,) * count)


def spec_of(model: ExportedModel, count: int, mechanism: Mechanism, **changes) -> TrainSpec:
    """A job over the canaries; ``epsilon``, ``rounds`` and ``trust_model`` may be said."""
    privacy = Privacy(
        epsilon=changes.pop("epsilon", 20.0),
        mechanism=mechanism,
        scaling="public_bounds",
        scaling_share=0.0,
        trust_model=changes.pop("trust_model", LocalNoise()),
    )
    features = tuple(Feature(concept_id=FIRST_CONCEPT + i, low=-SIZE, high=SIZE) for i in range(count))
    reference = ModelRef(graph=digest(model.graph), weights=digest(model.weights))
    fields = {"project_id": PROJECT, "features": features, "label": LABEL, "model": reference, "privacy": privacy}
    return TrainSpec(**fields, loss="mse", part="all", **changes)


def coins(count: int) -> np.ndarray:
    """Which canaries take part."""
    return np.frombuffer(secrets.token_bytes(count), dtype=np.uint8) % 2 == 0


def crowd(included: np.ndarray, rows: int = 1) -> Snapshot:
    """The canaries that take part, so many rows each, all of label 1."""
    people = np.repeat(SIZE * np.eye(len(included))[included], rows, axis=0)
    whose = np.repeat(np.arange(included.sum()), rows) if rows > 1 else None
    return Snapshot(people, np.ones(len(people), dtype=np.int64), whose)


def write_canaries(folder: Path, count: int, persons: int | None = None) -> None:
    """OMOP tables of the first ``persons`` canaries: person i has one measurement, of concept i."""
    folder.mkdir(parents=True, exist_ok=True)
    persons = persons or count
    ids, concepts = np.arange(1, 1 + persons), FIRST_CONCEPT + np.arange(count)
    pl.DataFrame({"person_id": ids, "gender_concept_id": 8532, "year_of_birth": 1960}).write_parquet(
        folder / "person.parquet"
    )
    pl.DataFrame(
        {
            "person_id": ids,
            "measurement_concept_id": concepts[:persons],
            "measurement_date": [date(2025, 1, 1)] * persons,
            "value_as_number": np.full(persons, SIZE),
        }
    ).write_parquet(folder / "measurement.parquet")
    pl.DataFrame({"person_id": ids, "condition_concept_id": LABEL.condition_concept_ids[0]}).write_parquet(
        folder / "condition_occurrence.parquet"
    )
    known = [*concepts.tolist(), LABEL.condition_concept_ids[0]]
    domains = ["Measurement"] * count + ["Condition"]
    names = [str(concept) for concept in known]
    pl.DataFrame({"concept_id": known, "concept_name": names, "domain_id": domains}).write_parquet(
        folder / "concept.parquet"
    )
