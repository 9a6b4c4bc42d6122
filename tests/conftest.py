"""Order and company of tests: those that start real programs begin first, as they take longest."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from flip_sdk.mechanisms.blocks import REPRODUCIBLE

from tests import evidence

# as in a worker, and before torch is imported anywhere
os.environ.update(REPRODUCIBLE)
MEMORY = Path("/dev/shm")
LONGEST = ("platform", "shared-noise", "running-hub")
LONG = 64
ROOM = 8 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Tests' folders lie in memory where there is room: a database that waits for a disk tests nothing more.

    Raises:
        pytest.UsageError: groups would be torn apart, silently, and their programs started on every worker.
    """
    if config.getoption("dist", "no") == "loadgroup" and not hasattr(pytest.Item, "_nodeid"):
        raise pytest.UsageError("pytest-xdist 3.8 loses its groups under pytest 9.2 (its issue 1386): use 9.1.")
    if MEMORY.is_dir() and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if recorder := evidence.recorder(config):
        config.pluginmanager.register(recorder)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long value is named by its place: a token or a file made on import is another on each worker."""
    return argname if isinstance(val, str | bytes) and len(val) > LONG else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported stays: to look through it for garbage, again and again, took a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share programs stay together on one worker, as those of a file do; what takes longest begins first."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group")
    if group and group.args[0] in LONGEST:
        return LONGEST.index(group.args[0])
    starts = item.get_closest_marker("processes") or item.get_closest_marker("browser")
    return len(LONGEST) + (starts is None)
