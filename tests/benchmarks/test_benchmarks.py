"""The benchmarks' command line, and that the stock app computes what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.rows import Row
from benchmarks.stock_app.rounds_stock import client_app

ROOT = Path(__file__).resolve().parents[2]


def test_benchmarks_are_found_by_their_files():
    assert {"accuracy", "rounds"} <= set(command.names())
    assert not {"rows", "stock", "gateway", "__main__"} & set(command.names())


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_a_missed_bar_is_told_by_the_exit_code(monkeypatch, capsys, holds, code):
    row = Row("x/y", 1.0, 2.0, "s", 2.0, "< 3", holds)
    monkeypatch.setattr(command, "_rows", lambda _: iter([row]))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "rounds", "--json"])
    assert command.main() == code
    assert json.loads(capsys.readouterr().out) == {
        "name": "x/y",
        "ours": 1.0,
        "peer": 2.0,
        "unit": "s",
        "ratio": 2.0,
        "bar": "< 3",
        "holds": holds,
    }


def test_an_unknown_benchmark_is_refused():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "nonsense"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 2


def test_the_stock_app_clips_each_persons_gradient(monkeypatch):
    monkeypatch.setattr(client_app, "NOISE", 0.0)
    far = np.full((3, 2), 1e6)
    total = client_app.noisy_sum(np.zeros(3), far, np.zeros(3))
    assert np.linalg.norm(total) == pytest.approx(3 * client_app.MAX_GRAD_NORM)
