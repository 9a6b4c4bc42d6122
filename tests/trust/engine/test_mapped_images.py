"""A cohort's images in a real worker: mapped from their file inside the sandbox, however large it is."""

from __future__ import annotations

import os

import numpy as np
import psutil
import pytest
import torch
from flip_sdk.contract.jobs import Scaling
from flip_sdk.mechanisms.computation import Computation
from flip_sdk.mechanisms.snapshot import Snapshot
from flip_sdk.models import export_model
from flip_trust.engine import EnginePool, sandbox_available
from flip_trust.engine.pool import MEMORY_BYTES

SANDBOX = "bubblewrap" if sandbox_available() else "none"
NO_BOUNDS, NO_SCALING = np.zeros((0, 2)), Scaling(shift=(), scale=())
ROWS, VALUES = 16_384, 4096
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with EnginePool(tmp_path_factory.mktemp("trust") / "slots", SANDBOX, settle=0.0) as pool:
        yield pool


def people(path, rows, values):
    images = np.memmap(path, np.float16, "r", shape=(rows, values))
    return Snapshot(np.zeros((rows, 0)), np.arange(rows) % 2, images=images)


def own_memory(pid):
    """Of a worker and its sandbox, without what they map of files, in bytes."""
    every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(one.memory_info().rss - one.memory_info().shared for one in every)


def test_gradients_are_those_in_memory_and_the_file_is_never_in_it(pool, tmp_path):
    path = tmp_path / "images.f16"
    np.random.default_rng(1).integers(0, 15360, (ROWS, VALUES), np.int16).tofile(path)
    torch.manual_seed(2)
    network = torch.nn.Sequential(torch.nn.Linear(VALUES, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    exported = export_model(network, VALUES, "mse")
    session = pool.open(people(path, ROWS, VALUES), NO_BOUNDS, exported.graph)
    before = own_memory(session.pid)
    found = session.gradient(exported.weights, NO_SCALING, "mse", 0.3).tensors
    grown = own_memory(session.pid) - before
    session.close()

    held = Snapshot(np.zeros((ROWS, 0)), np.arange(ROWS) % 2, images=np.fromfile(path, np.float16).reshape(ROWS, -1))
    expected = Computation(held, NO_BOUNDS, exported.graph).gradient(exported.weights, NO_SCALING, "mse", 0.3)
    assert all(np.allclose(found[key], expected[key], atol=1e-6 * ROWS) for key in expected)
    assert path.stat().st_size == 128 * MEGABYTE
    assert grown < 48 * MEGABYTE
    assert os.stat(path).st_nlink == 1


def test_a_cohort_larger_than_a_workers_memory_is_opened(pool, tmp_path):
    path, values = tmp_path / "images.f16", 4_000_000
    rows = 2 * MEMORY_BYTES // (2 * values)
    path.touch()
    os.truncate(path, 2 * rows * values)
    session = pool.open(people(path, rows, values), NO_BOUNDS, None)

    assert session.statistics(1.0).tensors["persons"] == [rows]
    session.close()
