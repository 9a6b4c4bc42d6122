"""Order and company of tests: those that start real programs begin first, as they take longest."""

from __future__ import annotations

import os

import pytest
from flip_sdk.mechanisms.blocks import REPRODUCIBLE

# as in a worker, and before torch is imported anywhere
os.environ.update(REPRODUCIBLE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One of two workers takes the shared platform's tests, the other one everything else beside it."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("processes") is None:
        return 2
    group = item.get_closest_marker("xdist_group")
    return 0 if group is not None and "platform" in group.args else 1
