"""The second demo as a whole, as a person starts it: images in, a network trained over three Trusts, nothing left."""

from __future__ import annotations

import re
import subprocess
import sys

import psutil
import pytest

from demo.platform import REPOSITORY

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.xdist_group("platform")]


def test_images_are_sent_deidentified_and_trained_on_and_nothing_is_left_running(tmp_path):
    home = tmp_path / "demo"
    command = [sys.executable, "-m", "demo.imaging", "--exit", "--home", str(home)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    figures = dict(re.findall(r"│ (\w[^│]*?)\s+│\s+[\d.]+ │ ([\d.]+) │", done.stdout))

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 left") == 3
    assert "Voila renders" in done.stdout
    assert float(figures["federated over three Trusts, private"]) > 0.7
    assert float(figures["majority class"]) == 0.5
    assert [
        process for process in psutil.process_iter(["cmdline"]) if str(home) in " ".join(process.info["cmdline"] or ())
    ] == []
