"""What integration tests do as ada, and what they read afterwards out of the hub's and the Trusts' own records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import torch
from flip_sdk.contract.jobs import LocalNoise, TrustModel
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.jobs import Job
from flip_sdk.project import Project

import flip_sdk
from demo.people import ADA, PROJECT
from demo.platform import Platform
from demo.story import Story


def project_of(story: Story, project: str = PROJECT) -> Project:
    """A project as ada's own session at the hub opens it."""
    return flip_sdk.connect(story.platform.api, story.visitor(ADA).token).project(project)


def start_training(
    project: Project, rounds: int, epsilon: float, *, trust_model: TrustModel | None = None, **options: Any
) -> Job:
    """Submit a training job over the project's Trusts."""
    features = project.catalogue().features()
    model = torch.nn.Linear(len(features), 1)
    # the noisy count of a small Trust must stay above its floor, and nobody looks at the accuracy here
    noise = trust_model or LocalNoise()
    privacy = flip_sdk.Privacy(epsilon=epsilon, delta=1e-5, scaling_share=0.9, trust_model=noise)
    return project.train(model, features=features, label="malignant", privacy=privacy, rounds=rounds, **options)


def wait_for_round(platform: Platform, job: Job, number: int, seconds: float = 90) -> None:
    """Until a job has completed this round; an end before it is an error of the test."""

    def reached() -> bool:
        job.refresh()
        assert job.state not in JOB.ends(), (job.state, job.view.reason)
        return job.view.round >= number

    platform.wait_until(reached, seconds, f"round {number} of {job.id}", log="dispatcher")


def wait_for_end(platform: Platform, job: Job, seconds: float) -> JobState:
    """Until a job has ended."""
    platform.wait_until(patient(lambda: job.refresh().state in JOB.ends()), seconds, f"{job.id} ends", log="dispatcher")
    return job.state


def patient(condition: Callable[[], bool]) -> Callable[[], bool]:
    """The same condition, false while the hub is away."""

    def held() -> bool:
        try:
            return condition()
        except flip_sdk.ConnectionFailedError:
            return False

    return held


def ledger(platform: Platform, trust: str) -> dict[str, Any]:
    """A Trust's ledger, as its steward reads it."""
    found: dict[str, Any] = json.loads(platform.flip_trust(trust, "ledger", "--json"))
    return found


def debited_steps(platform: Platform, trust: str, job: Job) -> int:
    """How many Gaussian releases of a job the Trust's ledger covers."""
    events = [line["event"] for line in ledger(platform, trust)["events"] if line["job_id"] == job.id]
    return sum(int(event.get("steps", 1)) for event in events)


def received(platform: Platform, trust: str, job: Job) -> int:
    """How many different releases of a job the hub received from a Trust."""
    query = "SELECT count(DISTINCT step || round) FROM received_update WHERE job_id = ? AND trust = ?"
    return int(read(platform.hub_home / "flip.db", query, job.id, trust)[0][0])


def read(database: Any, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Look into a program's database, without being able to write."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()
