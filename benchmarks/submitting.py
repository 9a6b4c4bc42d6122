"""Jobs as the benchmarks submit them: over the hub's API, as ada, and followed to their end."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import torch
from flip_sdk.connection import Connection
from flip_sdk.contract.api import JobEvents, JobView, SubmitJob
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import ModelRef, Privacy, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.models import export_model
from flip_sdk.settings import load

from demo.measurements import MALIGNANT, MEASUREMENTS
from demo.people import ADA, PROJECT
from demo.processes import PlatformError
from demo.story import Story


def upload_model(story: Story) -> ModelRef:
    """A logistic regression on all measurements, uploaded to the project."""
    torch.manual_seed(0)
    model = export_model(torch.nn.Linear(len(MEASUREMENTS), 1), len(MEASUREMENTS), "binary_cross_entropy")
    story.visitor(ADA).api("GET", "me")
    connection = Connection(load(story.platform.api, story.visitor(ADA).cookies["flip-session"]))
    for content in (model.graph, model.weights):
        connection.upload(PROJECT, content)
    return ModelRef(graph=digest(model.graph), weights=digest(model.weights))


def training(model: ModelRef, rounds: int, privacy: Privacy) -> TrainSpec:
    """A training job over every Trust of the project."""
    features = tuple(Feature(concept_id=m.concept_id, low=m.low, high=m.high, name=m.name) for m in MEASUREMENTS)
    label = Label(condition_concept_ids=(MALIGNANT,))
    return TrainSpec(project_id=PROJECT, features=features, label=label, model=model, privacy=privacy, rounds=rounds)


def submit(story: Story, spec: TrainSpec) -> tuple[str, datetime]:
    """The job's id, and when it was sent off."""
    record = SubmitJob(spec=spec, idempotency_key=secrets.token_urlsafe(16))
    submitted = datetime.now(UTC)
    answer = story.visitor(ADA).api("POST", f"projects/{PROJECT}/jobs", record)
    return JobView.parse(answer.content).job_id, submitted


def finished(story: Story, job_id: str) -> list[datetime]:
    """When each round closed, once the job is over.

    Raises:
        PlatformError: it ended without a result, or a Trust did not take part.
    """
    closed: list[datetime] = []
    after = 0
    while True:
        page = JobEvents.parse(story.visitor(ADA).api("GET", f"jobs/{job_id}/events?after={after}&wait=20").content)
        closed += [event.at for event in page.events if event.event == "round"]
        if any(event.numbers["trusts"] < len(story.trusts) for event in page.events if event.event == "round"):
            raise PlatformError(f"A Trust did not take part: {page.job.refusals}")
        after = max([after, *(event.sequence for event in page.events)])
        if page.job.state == JobState.COMPLETED:
            return closed
        if page.job.state in JOB.ends():
            raise PlatformError(f"The job ended without a result: {page.job.reason}")
