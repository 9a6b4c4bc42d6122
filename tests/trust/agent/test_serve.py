"""``flip-trust serve`` as a process: it starts without a hub, ends when it is told to, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trust.world import wait_until

pytestmark = pytest.mark.processes


def started(home: Path, **environ: str) -> tuple[subprocess.Popen, Path]:
    log = home / "agent.log"
    command = [str(Path(sys.executable).with_name("flip-trust")), "serve", "--home", str(home)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=os.environ | environ)
    wait_until(lambda: process.poll() is not None or "agent.started" in log.read_text(), 90)
    return process, log


def test_it_ends_when_it_is_told_to(trust):
    process, log = started(trust.config.home)
    process.send_signal(signal.SIGTERM)

    assert process.wait(40) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["event"] == "agent.stopped"
    assert not list(trust.config.slots.glob("*/*"))


def test_production_without_a_sandbox_is_refused(trust):
    process, log = started(trust.config.home, FLIP_TRUST_PRODUCTION="true", FLIP_TRUST_ENCRYPTED_BY="a test")

    assert process.wait(40) == 1
    assert "sandbox" in log.read_text()


def test_a_second_agent_of_one_trust_is_refused_and_ctrl_c_ends_the_first(trust):
    first, _ = started(trust.config.home)
    command = [str(Path(sys.executable).with_name("flip-trust")), "serve", "--home", str(trust.config.home)]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    first.send_signal(signal.SIGINT)

    assert second.returncode == 1
    assert "Traceback" not in second.stderr
    assert first.wait(40) == 0
