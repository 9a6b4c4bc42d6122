"""A played hub on a loopback port, and the panel's own way to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flip_lab.hub import Hub
from flip_sdk.project import Project
from flip_sdk.testing import FakeHub

import flip_sdk
from tests.lab.running import RunningLab, running_lab

TABLE = "sex,persons\nfemale,120\nmale,3\n"
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def played() -> FakeHub:
    return FakeHub()


@pytest.fixture
def environment(played: FakeHub, monkeypatch: Any) -> Iterator[dict[str, str]]:
    with played.serve() as told:
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        yield told


@pytest.fixture
def hub(environment: dict[str, str]) -> Hub:
    return Hub(lambda _: None)


@pytest.fixture
def project(played: FakeHub) -> Project:
    """As a notebook has it."""
    return flip_sdk.connect(played.api, played.token, transport=played.transport).project(played.view.project_id)


@pytest.fixture(scope="package")
def lab_hub() -> FakeHub:
    """The hub of the one JupyterLab that is started: what a test asks there stays for the next."""
    return FakeHub()


@pytest.fixture(scope="package")
def lab(lab_hub: FakeHub, tmp_path_factory: Any) -> Iterator[RunningLab]:
    with lab_hub.serve() as environment, running_lab(tmp_path_factory.mktemp("lab"), environment) as running:
        (running.files / "table.csv").write_text(TABLE)
        (running.files / "weights.pkl").write_bytes(b"never read")
        (running.files / "report.ipynb").write_text(json.dumps(NOTEBOOK))
        yield running
