"""The fake hub that ships with the SDK answers as the real one does: the same calls against both, the same outcomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
import torch
from flip_sdk.contract.states import JOB
from flip_sdk.project import Project
from flip_sdk.testing import FakeHub

import flip_sdk
from demo.people import ADA
from demo.story import HOLDINGS
from tests.integration.researcher import project_of

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("platform")]
PROJECT = "two-hubs"
"""A project of its own, as its questions take a budget that other tests need."""
EVENTS = {step.event for step in JOB.transitions} | {"round"}
PRIVACY = flip_sdk.Privacy(epsilon=0.5, delta=1e-5, scaling_share=0.9)
SMALL = flip_sdk.Privacy(epsilon=0.1, delta=1e-5)


@pytest.fixture(scope="module")
def played() -> Project:
    fake = FakeHub(project_id=PROJECT)
    for trust in fake.trusts.values():
        trust.publish_holdings(HOLDINGS, datetime.now(UTC))
    return flip_sdk.connect(fake.api, fake.token, transport=fake.transport).project(PROJECT)


@pytest.fixture(scope="module")
def real(story) -> Project:
    story.apply(PROJECT)
    story.sign_off(PROJECT)
    story.opt_in_everywhere(PROJECT)
    story.wait_for_consent(PROJECT)
    return project_of(story, PROJECT)


def train(project: Project, **changes: Any) -> flip_sdk.Job:
    features = project.catalogue().features()[:4]
    asked = {"features": features, "label": "malignant", "privacy": PRIVACY, "rounds": 2} | changes
    return project.train(asked.pop("model", torch.nn.Linear(4, 1)), **asked)


def shape(frame: pl.DataFrame) -> dict[str, str]:
    """Its columns, but for those of single Trusts: there may be fewer than the fake ones."""
    return {name: str(dtype) for name, dtype in frame.schema.items() if not name.startswith("persons_")}


def training(project: Project) -> list[object]:
    job = train(project)
    result = job.result()
    # two bins and not ten: the noisy count of the smaller cohort stays above its floor
    figures = project.evaluate(result, epsilon=0.8, bins=2).result().figures()
    told = job.events()
    return [
        job.state,
        shape(result.history()),
        result.history()["round"].to_list(),
        sorted(result.model().state_dict()),
        [event for event in told["event"].to_list() if event in EVENTS],
        shape(figures),
        "all" in figures["trust"].to_list(),
    ]


def cancelling(project: Project) -> list[object]:
    job = train(project, rounds=400)
    cancelled = job.cancel()
    with pytest.raises(flip_sdk.FlipError) as caught:
        job.result()
    return [type(cancelled), type(caught.value), job.state]


def numbers_of_the_project(project: Project) -> list[object]:
    count = project.count(epsilon=0.1)
    catalogue = project.catalogue()
    told = (catalogue.concepts, catalogue.imaging(), catalogue.years(), catalogue.freshness(), catalogue.quality())
    return [shape(project.budget()), *map(shape, told), shape(count), count["trust"].to_list()[-1]]


def questions(project: Project) -> list[object]:
    """Demo Trusts keep no follow-up; the fake ones do, so curves are compared elsewhere."""
    by_diagnosis = flip_sdk.by_condition("malignant")
    told = [
        project.cross_table(by_diagnosis, epsilon=0.3),
        project.histogram("mean radius", bins=4, epsilon=0.3),
        project.mean("mean radius", epsilon=0.5),
        project.logistic_regression("malignant", on=["mean texture"], rounds=2, epsilon=2.0),
    ]
    return [(shape(frame), frame.columns) for frame in told]


def mistakes(project: Project) -> list[object]:
    unknown = flip_sdk.Feature(concept_id=2_000_000_999, low=0, high=1)
    tried: dict[str, Callable[[], object]] = {
        "batch norm": lambda: train(project, model=torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))),
        "inputs": lambda: train(project, model=torch.nn.Linear(5, 1)),
        "feature": lambda: train(project, features=[unknown], model=torch.nn.Linear(1, 1)).result(),
        "label": lambda: train(project, label="no such thing"),
        "trust": lambda: train(project, trusts=["nowhere"]),
        "budget": lambda: train(project, privacy=flip_sdk.Privacy(epsilon=11.0, delta=1e-5)),
        "job": lambda: project.job("no-such-job"),
        "rounds": lambda: train(project, rounds=501),
    }
    return [(name, _error(call)) for name, call in tried.items()]


def _error(call: Callable[[], object]) -> object:
    try:
        call()
    except flip_sdk.FlipError as error:
        return type(error).__name__, sorted(v.rule for v in getattr(error, "violations", ()))
    return "nothing was wrong"


@pytest.mark.parametrize("conversation", [numbers_of_the_project, training, cancelling, questions, mistakes])
def test_both_answer_alike(conversation, played, real) -> None:
    assert conversation(played) == conversation(real)


def test_both_know_who_asks(story, played) -> None:
    hub = flip_sdk.connect(story.platform.api, story.visitor(ADA).token)
    fake = FakeHub(project_id=PROJECT)
    for trust in fake.trusts.values():
        trust.publish_holdings(HOLDINGS, datetime.now(UTC))
    other = flip_sdk.connect(fake.api, fake.token, transport=fake.transport)
    assert hub.me.name == other.me.name
    assert shape(hub.projects()) == shape(other.projects())
