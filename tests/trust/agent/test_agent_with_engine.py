"""The agent with the real engine: its own process, in a sandbox where this machine has one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from flip_sdk.contract.cohorts import AgeBetween, Cohort
from flip_sdk.contract.features import ClassLabel, LabelClass
from flip_sdk.contract.jobs import DPSGD, ModelRef, Privacy
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import CancelReceipt, RefusalCode, SafeUpdate
from flip_sdk.models import export_model
from flip_trust.engine import EnginePool, sandbox_available
from safetensors.numpy import load

from tests.flip_sdk.models.deep import DenseNet, UNet3d
from tests.trust.world import BENIGN, MALIGNANT, Trust, answer_of, evaluate_spec, train_spec

PUBLIC = Privacy(epsilon=50.0, scaling="public_bounds")


@dataclass
class Real(Trust):
    pool: EnginePool | None = None


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Iterator[EnginePool]:
    slots = tmp_path_factory.mktemp("engine") / "slots"
    with EnginePool(slots, "bubblewrap" if sandbox_available() else "none", spare=0) as started:
        yield started


@pytest.fixture
def real(trust, running, pool) -> Real:
    trust.opt_in(epsilon=500.0)
    config = trust.with_config(max_epsilon_per_job=100.0, total_epsilon=1000.0).config
    made = Real(config, trust.hub, trust.database, pool)
    running(made)
    return made


def ask(trust, parts):
    return answer_of(trust, trust.carrier.answer(trust.carrier.put(parts), 90))


def test_a_job_through_the_real_engine(real):
    job = real.hub.job(train_spec(privacy=Privacy(epsilon=50.0), rounds=2))
    update, tensors = ask(real, real.hub.prepare(job))
    assert abs(tensors["persons"][0] - 280) < 30
    assert tensors["sum"].shape == (2,)
    for round_ in (1, 2):
        update, tensors = ask(real, real.hub.train(job, round_))
        assert isinstance(update, SafeUpdate), update
        assert {name: value.shape for name, value in tensors.items()} == {"weight": (1, 2), "bias": (1,)}

    update, tensors = ask(real, real.hub.evaluate(real.hub.job(evaluate_spec())))
    assert abs(tensors["histogram"].sum() - 120) < 40


def test_several_classes_through_the_real_engine(real):
    torch.manual_seed(0)
    model = export_model(torch.nn.Linear(2, 3), 2, "cross_entropy")
    ref = ModelRef(graph=digest(model.graph), weights=digest(model.weights))
    label = ClassLabel(among=[LabelClass(condition_concept_ids=(one,)) for one in (MALIGNANT, BENIGN)])
    job = real.hub.job(train_spec(label=label, model=ref, loss="cross_entropy", privacy=PUBLIC, rounds=2))
    ask(real, real.hub.parts(job, "prepare", graph=model.graph))
    _, tensors = ask(real, real.hub.train(job, 1, weights=model.weights))
    assert tensors["weight"].shape == (3, 2)

    scored = real.hub.job(evaluate_spec(label=label, model=ref, epsilon=20.0))
    parts = real.hub.parts(scored, "evaluate", graph=model.graph, weights=model.weights)
    _, tensors = ask(real, parts)
    assert tensors["confusion"].shape == (3, 3)
    assert abs(tensors["confusion"][0].sum()) < 4
    assert abs(tensors["confusion"].sum() - 120) < 40

    two = export_model(torch.nn.Linear(2, 2), 2, "cross_entropy")
    asked = ModelRef(graph=digest(two.graph), weights=digest(two.weights))
    unfit = real.hub.job(evaluate_spec(label=label, model=asked))
    refusal, _ = ask(real, real.hub.parts(unfit, "evaluate", graph=two.graph, weights=two.weights))
    assert refusal.code == RefusalCode.MODEL_REFUSED


def test_dp_sgd_through_the_real_engine(real):
    job = real.hub.job(train_spec(privacy=Privacy(epsilon=50.0, mechanism=DPSGD(local_steps=2)), rounds=1))
    ask(real, real.hub.prepare(job))
    update, tensors = ask(real, real.hub.train(job, 1))

    assert isinstance(update, SafeUpdate), update
    assert np.abs(tensors["weight"]).max() > 0


@pytest.mark.parametrize("make", [pytest.param(UNet3d, marks=pytest.mark.slow), DenseNet])
def test_a_deep_model_through_the_real_engine(real, make):
    torch.manual_seed(0)
    model = export_model(make(2), 2, "binary_cross_entropy")
    steps = Privacy(epsilon=50.0, scaling="public_bounds", mechanism=DPSGD(local_steps=2))
    named = ModelRef(graph=digest(model.graph), weights=digest(model.weights))
    job = real.hub.job(train_spec(model=named, privacy=steps, rounds=1))
    ask(real, real.hub.parts(job, "prepare", graph=model.graph))
    update, tensors = ask(real, real.hub.train(job, 1, model.weights, scaling=None))

    assert isinstance(update, SafeUpdate), update
    assert {name: value.shape for name, value in tensors.items()} == {
        name: value.shape for name, value in load(model.weights).items()
    }


@pytest.mark.parametrize("kind", ["prepare", "evaluate"])
def test_an_empty_cohort_looks_like_a_small_one(real, kind):
    nobody = Cohort(criteria=(AgeBetween(low=150),))
    if kind == "prepare":
        parts = real.hub.prepare(real.hub.job(train_spec(cohort=nobody)))
    else:
        parts = real.hub.evaluate(real.hub.job(evaluate_spec(cohort=nobody)))

    assert ask(real, parts)[0].code == RefusalCode.COHORT_TOO_SMALL


def test_a_killed_worker_costs_nothing_but_time(real):
    job = real.hub.job(train_spec(privacy=PUBLIC))
    ask(real, real.hub.prepare(job))
    for session in list(real.pool._sessions):
        os.kill(session.pid, signal.SIGKILL)
    update, _ = ask(real, real.hub.train(job, 1))

    assert isinstance(update, SafeUpdate), update
    assert len(real.ledger()) == 2


def test_cancelling_kills_the_worker_at_once(real):
    steps = Privacy(epsilon=50.0, scaling="public_bounds", mechanism=DPSGD(local_steps=1000, sampling_rate=1.0))
    job = real.hub.job(train_spec(privacy=steps, rounds=50))
    ask(real, real.hub.prepare(job))
    received = real.carrier.put(real.hub.train(job, 1))
    receipt, _ = ask(real, real.hub.parts(job, "cancel"))
    refusal, tensors = answer_of(real, real.carrier.answer(received, 60))

    assert isinstance(receipt, CancelReceipt)
    assert refusal.code == RefusalCode.CANCELLED
    assert tensors is None
    assert not real.pool._sessions
    assert threading.active_count() < 50
