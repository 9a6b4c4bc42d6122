"""A job with images at a Trust with real DICOM series, a real engine and a convolutional network."""

from __future__ import annotations

import shutil
from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest
import torch
from flip_sdk.contract.features import AgeFeature
from flip_sdk.contract.images import Resize, ScaleIntensityRange, SeriesImages
from flip_sdk.contract.jobs import DPSGD, ModelRef, Privacy, Scaling
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import RefusalCode, SafeUpdate
from flip_sdk.models import export_model
from flip_trust.engine import EnginePool, sandbox_available
from flip_trust.engine.records import IMAGES_FILE

from tests.trust.features.images.hospital import Ball, Hospital, Scan, series
from tests.trust.world import answer_of, evaluate_spec, train_spec

PERSONS = 40
IMAGES = SeriesImages(
    modality="CT",
    transforms=(ScaleIntensityRange(a_min=-1000, a_max=300, clip=True), Resize(spatial_size=(8, 8))),
    size=(8, 8),
)


class Net(torch.nn.Module):
    """A feature, then an image of 8 by 8."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())
        self.last = torch.nn.Linear(4 * 36 + 1, 1)

    def forward(self, rows):
        image = rows[:, 1:].reshape(-1, 1, 8, 8)
        return self.last(torch.cat([self.layers(image), rows[:, :1]], dim=1))


@pytest.fixture
def hospital(trust):
    """Every person but the last five has a small series."""
    made = Hospital(trust.config.home)
    people = pl.read_parquet(trust.config.omop / "person.parquet").head(PERSONS)
    people.write_parquet(trust.config.omop / "person.parquet")
    scan = Scan(size=8, slices=2)
    for at, person in enumerate(people["person_id"][:-5]):
        made.send(person, date(2025, 1, 1 + at % 28), series(Ball(radius=5 + at % 20), scan))
    made.clean()
    return trust


@pytest.fixture
def real(hospital, running, tmp_path):
    """The Trust's agent with a real engine."""
    hospital.opt_in(epsilon=500.0)
    with EnginePool(tmp_path / "slots", "bubblewrap" if sandbox_available() else "none", spare=0) as pool:
        made = hospital.with_config(max_epsilon_per_job=200.0, total_epsilon=1000.0)
        made.pool = pool
        running(made)
        yield made


def ask(trust, parts):
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(parts), 90))


@pytest.mark.slow
def test_a_network_learns_of_images_and_a_feature_at_a_trust(real):
    exported = export_model(Net(), 65, "binary_cross_entropy")
    model = ModelRef(graph=digest(exported.graph), weights=digest(exported.weights))
    asked = {"features": (AgeFeature(),), "images": IMAGES, "model": model, "index": "image", "part": "all"}
    privacy = Privacy(epsilon=50.0, scaling="public_bounds", mechanism=DPSGD(local_steps=2))
    job = real.hub.job(train_spec(**asked, privacy=privacy, rounds=1))
    update, tensors = ask(real, real.hub.parts(job, "prepare", graph=exported.graph))
    assert isinstance(update, SafeUpdate), update
    assert abs(tensors["persons"][0] - (PERSONS - 5)) < 4
    assert (real.config.jobs / job.job_id / IMAGES_FILE).stat().st_size == 2 * 64 * (PERSONS - 5)
    scaling = Scaling(shift=(50.0,), scale=(50.0,))
    update, tensors = ask(real, real.hub.train(job, 1, weights=exported.weights, scaling=scaling))
    assert isinstance(update, SafeUpdate), update
    assert tensors["layers.0.weight"].shape == (4, 1, 3, 3)

    scored = real.hub.job(evaluate_spec(**asked, scaling=scaling, epsilon=100.0))
    parts = real.hub.parts(scored, "evaluate", graph=exported.graph, weights=exported.weights)
    update, tensors = ask(real, parts)
    assert tensors["histogram"].sum() == pytest.approx(PERSONS - 5, abs=2)


def test_what_does_not_fit_the_disk_is_refused_and_nothing_is_written(hospital, running, monkeypatch):
    hospital.opt_in(epsilon=50.0)
    running(hospital)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30 + 100))
    job = hospital.hub.job(train_spec(features=(), images=IMAGES, privacy=Privacy(scaling="public_bounds")))
    refusal, _ = ask(hospital, hospital.hub.parts(job, "prepare"))

    assert refusal.code is RefusalCode.IMAGES_TOO_LARGE
    assert not list(hospital.config.jobs.rglob("*.f16")) + list(hospital.config.home.rglob("features/**/*.f16"))


@pytest.mark.parametrize("modality", ["CT", "XY"])
def test_a_trust_without_images_and_what_is_no_modality_are_refused_before_a_debit(trust, running, modality):
    trust.opt_in()
    running(trust)
    if modality == "XY":
        for name in ("image_series", "image_occurrence"):
            pl.DataFrame({"person_id": []}).write_parquet(trust.config.omop / f"{name}.parquet")
    images = IMAGES.model_copy(update={"modality": modality})
    job = trust.hub.job(train_spec(features=(), images=images, privacy=Privacy(scaling="public_bounds")))
    refusal, _ = ask(trust, trust.hub.parts(job, "prepare"))

    assert refusal.code is RefusalCode.UNKNOWN_CONCEPT
    assert not trust.ledger()
