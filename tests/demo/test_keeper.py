"""A keeper restarts its program, clears what a dead one left behind, and leaves nothing when it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.processes import Keeper, PlatformError, Program, free_ports, kill, wait_until

FAMILY = "sleep 3001 & setsid sleep 3002 & exec sleep 3003"
"""A program with a child in its own group and one that left it, as a JupyterHub has."""


@pytest.fixture
def keeper(tmp_path):
    kept = Keeper(Program("family", ("/bin/bash", "-c", FAMILY), {}, tmp_path), tmp_path)
    wait_until(lambda: len(kept.processes()) == 3, 10, "the family starts")
    yield kept
    kept.ask_to_stop()
    kept.wait(20)


def test_a_killed_program_starts_again_without_its_old_children(keeper) -> None:
    before = keeper.processes()

    kill(before[0].pid)

    wait_until(lambda: keeper.starts == 2 and len(keeper.processes()) == 3, 10, "the family starts again")
    assert not any(process.is_running() for process in before)


def test_stopping_leaves_nothing(keeper) -> None:
    family = keeper.processes()

    keeper.ask_to_stop()
    keeper.wait(20)

    assert not any(process.is_running() for process in family)


def test_a_program_that_dies_again_and_again_is_started_again_ever_more_slowly(tmp_path) -> None:
    keeper = Keeper(Program("brief", ("/bin/false",), {}, tmp_path), tmp_path)
    try:
        wait_until(lambda: keeper.starts >= 3, 10, "three starts")
    finally:
        keeper.ask_to_stop()
        keeper.wait(20)


def test_nothing_outlives_a_platform_that_is_killed(tmp_path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from demo.processes import *\n"
        f"home = Path({str(tmp_path)!r})\n"
        f"k = Keeper(Program('family', ('/bin/bash', '-c', {FAMILY!r}), {{}}, home), home)\n"
        "wait_until(lambda: len(k.processes()) == 3, 10, 'start')\n"
        "print(*[p.pid for p in k.processes()], flush=True)\n"
        "time.sleep(60)\n"
    )
    platform = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    family = [psutil.Process(int(pid)) for pid in platform.stdout.readline().split()]
    assert len(family) == 3

    platform.kill()
    platform.communicate()

    wait_until(lambda: not any(process.is_running() for process in family), 20, "the family is gone")


def test_a_condition_that_never_holds_says_what_and_shows_the_log() -> None:
    with pytest.raises(PlatformError) as caught:
        wait_until(lambda: False, 0.1, "the hub does not answer", last_words=lambda: "port in use")

    assert "port in use" in str(caught.value)


def test_ports_are_free_and_different() -> None:
    assert len(set(free_ports(["a", "b", "c"]).values())) == 3
