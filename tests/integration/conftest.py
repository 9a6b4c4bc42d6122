"""A real platform with two Trusts, started once for all tests that need it: hub, gateway, dispatcher and agents.

    pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("platform")]

    def test_something(story): ...

Tests share it, so each leaves it running and with consent as it was. A test that breaks more makes its own with
``new_story``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from demo.platform import Platform
from demo.story import Story, plans
from demo.telling import Teller

PASSWORD = "a-password-of-the-tests"


@pytest.fixture(scope="session")
def new_story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Story]]:
    """Starts a platform of its own: ``new_story(trusts=2, ready=True)``. Stopped after the last test."""
    with ExitStack() as stack:

        def start(trusts: int = 2, *, ready: bool = True, environ: dict[str, str] | None = None) -> Story:
            folder: Path = tmp_path_factory.mktemp("platform")
            platform = stack.enter_context(Platform(folder, plans(trusts), environ=environ or {}))
            story = Story(platform, PASSWORD, Teller(Console(quiet=True)))
            if ready:
                story.set_up()
            return story

        yield start


@pytest.fixture(scope="session")
def story(new_story: Callable[..., Story]) -> Story:
    """Two Trusts that opted in to ada's approved project."""
    return new_story()


@pytest.fixture(scope="session")
def platform(story: Story) -> Platform:
    """The programs behind :func:`story`."""
    return story.platform
