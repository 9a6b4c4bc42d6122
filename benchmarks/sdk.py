"""How soon is a researcher at work, and how small is what they install?

The peer of the import is ``import httpx, pydantic``: what any client of a JSON API loads at least. Both are whole
programs, of which the time on a processor counts. What is installed is weighed in an empty environment.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.rows import Row

TRIES = 7
MEGABYTE = 1_000_000
_CLOCK = "; import time; print(time.process_time())"


def run() -> Iterator[Row]:
    """The rows."""
    peer = seconds("import httpx, pydantic")
    for name, program, bar in (
        ("import", "import flip_sdk", 0.5),
        ("connect", "import flip_sdk; flip_sdk.connect, flip_sdk.Project", 1.5),
        ("command", "import flip_sdk.cli", 0.5),
    ):
        ours = seconds(program)
        yield Row(f"sdk/{name}", ours, peer, "s", ours / peer, f"under {bar:g} s", ours < bar)
    downloaded, installed = weights()
    yield Row("sdk/downloaded", downloaded, None, "MB", None, "under 30 MB", downloaded < 30)
    yield Row("sdk/installed", installed, None, "MB", None, "under 30 MB", installed < 30)


def seconds(program: str) -> float:
    """Of a processor, from the start of Python on."""
    found = []
    for _ in range(TRIES):
        done = subprocess.run([sys.executable, "-c", program + _CLOCK], check=True, capture_output=True, text=True)
        found.append(float(done.stdout))
    return median(found)


def weights() -> tuple[float, float]:
    """Megabytes of the wheels that pip downloads, and of what lies in an empty environment then, compiled."""
    source = Path(__file__).parents[1] / "flip_sdk"
    pip = [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        wheels, empty = Path(folder) / "wheels", Path(folder) / "empty"
        subprocess.run([*pip, "wheel", "-q", "-w", wheels, source], check=True)
        venv.create(empty, with_pip=False)
        into = ["--python", empty / "bin" / "python", "install", "-q", "--no-index", "--find-links", wheels, "flip-sdk"]
        subprocess.run([*pip, *into], check=True)
        return weight(wheels), weight(empty / "lib")


def weight(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE
