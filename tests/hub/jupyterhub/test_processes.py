"""A workspace's process is told from another that got its number."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from flip_hub.jupyterhub.local import LocalSpawner
from flip_hub.jupyterhub.processes import identity


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, which leads a group of its own, as services do."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def workspace(pid: int, process: str | None) -> LocalSpawner:
    """As the hub has it after it was away."""
    made = LocalSpawner.__new__(LocalSpawner)
    made.load_state({"pid": pid, "process": process} if process else {"pid": pid})
    return made


def test_a_process_is_itself_and_no_other(stranger: subprocess.Popen[bytes]) -> None:
    assert identity(os.getpid()) == identity(os.getpid())
    assert identity(stranger.pid) not in (None, identity(os.getpid()))


def test_one_that_ended_runs_no_more_though_nobody_asked(stranger: subprocess.Popen[bytes]) -> None:
    stranger.kill()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    assert identity(stranger.pid) is None
    stranger.wait()
    assert identity(stranger.pid) is None


def test_who_got_the_number_of_a_workspace_gets_none_of_its_signals(stranger: subprocess.Popen[bytes]) -> None:
    ended = workspace(stranger.pid, "another boot/1")
    assert asyncio.run(ended._signal(0)) is False
    assert asyncio.run(ended._signal(signal.SIGKILL)) is False
    assert stranger.poll() is None


def test_a_workspace_that_goes_on_is_found_again(stranger: subprocess.Popen[bytes]) -> None:
    found = workspace(stranger.pid, identity(stranger.pid))
    assert asyncio.run(found._signal(0)) is True
    assert found.get_state()["process"] == identity(stranger.pid)
    assert asyncio.run(found._signal(signal.SIGKILL)) is True
    assert stranger.wait() == -signal.SIGKILL
    assert asyncio.run(found._signal(0)) is False
