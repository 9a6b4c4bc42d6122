"""A played hub on a loopback port, and the panel's own way to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flip_lab.hub import Hub
from flip_sdk.project import Project
from flip_sdk.testing import FakeHub

import flip_sdk


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
