"""What the service's round reads off a kernel's processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from flip_hub.dashboards.upkeep import memory_of

HELD = 64 * 2**20
FORKS = 8
FORKING = f"""
import os, signal, sys
held = bytearray(os.urandom(1)) * {HELD}
children = []
for _ in range({FORKS}):
    child = os.fork()
    if child == 0:
        signal.pause()
    children.append(child)
print("ready", flush=True)
sys.stdin.read()
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
"""


@pytest.fixture
def forking() -> Iterator[int]:
    """A process whose children share what it held before it made them."""
    process = subprocess.Popen([sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process.pid
    process.communicate()


def test_memory_that_children_share_counts_once(forking: int) -> None:
    """Each counted as its own, a kernel with many idle children was ended for memory that it never took."""
    assert HELD < memory_of(forking) < 2 * HELD


def test_a_process_that_ended_takes_no_memory() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert memory_of(process.pid) == 0
