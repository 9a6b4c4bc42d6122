"""Several processes answer on one socket; one does what is due, and another one takes over when it is killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from flip_hub.api import duties

from demo.processes import free_ports, wait_until

PROGRAM = """
import logging, sys
from pathlib import Path
from flip_hub.api import create_app
from flip_hub.config import HubConfig
from flip_hub.home import make_home
from flip_hub.serving import run
from flip_hub.testing import FakeAuthenticator
logging.basicConfig(level=logging.INFO)
home, port = Path(sys.argv[1]), int(sys.argv[2])
config = make_home(home / "hub", {}, by="olga")
run(lambda: create_app(config, FakeAuthenticator(), components=home), "127.0.0.1", port, 2)
"""
PATIENCE = 60.0


class Served:
    """The service, in two processes."""

    def __init__(self, home: Path, port: int) -> None:
        self.log = home / "log"
        self.address = f"http://127.0.0.1:{port}/services/flip/api/health"
        with self.log.open("w") as log:
            words = [sys.executable, "-c", PROGRAM, str(home), str(port)]
            self.running = subprocess.Popen(words, stderr=log, env=os.environ | {"PYTHONWARNINGS": "ignore"})

    def on_duty(self) -> list[int]:
        """Ids of the processes that began to do what is due, in order."""
        return [int(one) for one in re.findall(r"process (\d+) does what is due", self.log.read_text())]

    def answers(self) -> bool:
        """Whether it answers."""
        with suppress(httpx.HTTPError):
            return httpx.get(self.address, trust_env=False).is_success
        return False


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, free_ports(["service"])["service"])
    yield made
    made.running.terminate()
    made.running.wait()


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_gone(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.processes
def test_another_process_takes_over_from_a_killed_one_and_all_end_with_the_first(served: Served) -> None:
    wait_until(lambda: served.answers() and bool(served.on_duty()), PATIENCE, "it answers")
    first, before = served.on_duty()[0], _children(served.running.pid)
    assert len(before) == 3
    assert first in before
    os.kill(first, signal.SIGKILL)
    wait_until(
        lambda: len(served.on_duty()) == 2 and len(_children(served.running.pid)) == 3, PATIENCE, "another takes over"
    )
    assert first not in _children(served.running.pid)
    wait_until(served.answers, PATIENCE, "it answers again")
    left = _children(served.running.pid)
    served.running.kill()
    wait_until(lambda: all(map(_is_gone, left)), PATIENCE, "all end")


def test_what_is_due_is_done_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "LOOKS_SECONDS", 0.001)
    done: list[str] = []

    async def one(name: str, end: asyncio.Event) -> None:
        async with duties.alone(tmp_path / "lock"):
            done.append(f"{name} begins")
            await end.wait()
            done.append(f"{name} ends")

    async def both() -> None:
        ends = [asyncio.Event(), asyncio.Event()]
        running = [asyncio.create_task(one(name, end)) for name, end in zip("ab", ends, strict=True)]
        while len(done) < 1:
            await asyncio.wait(running, timeout=0.001)
        for end in ends:
            end.set()
        await asyncio.gather(*running)

    asyncio.run(both())
    assert done == ["a begins", "a ends", "b begins", "b ends"]
