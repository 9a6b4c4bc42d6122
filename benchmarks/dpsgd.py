"""What privacy costs in a step of training: time and memory against plain torch, and against Opacus in the same run.

Each step is a whole one: a batch of about 256 of 2,560 people drawn, per-person gradients clipped, noise, update; on
one core, under the environment of the Trust's workers. Opacus is given its batches as masks on tensors in memory, which
is faster than its own data loader, and its noise is torch's ordinary one, which is not meant for privacy; ours is the
product's, out of the operating system's random numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from flip_trust.engine.sandbox import ENVIRONMENT

from benchmarks.rows import Row
from benchmarks.steps import MODELS

SECONDS = 45.0
MOST_TIME, MOST_MEMORY = 1.3, 1.5
_PRIVATE = ("opacus hooks", "opacus ghost")
_LEAST_MEMORY = 16.0
"""Megabytes below which the ratio says more about the allocator than about a way."""


def run(seconds: float = SECONDS) -> Iterator[Row]:
    """Three rows a model: time and memory over non-private torch's, and time over Opacus's better mode."""
    for name in MODELS:
        found = _measured("time", name, str(seconds))
        plain, ours = found["without privacy"], found["ours"]
        yield _row(f"dpsgd/{name}: time over non-private", ours, plain, "ms a step", MOST_TIME)
        best = min(_PRIVATE, key=found.__getitem__)
        yield _row(f"dpsgd/{name}: time over Opacus ({best[7:]})", ours, found[best], "ms a step", 1.0, below=True)
        plain, ours = (max(_LEAST_MEMORY, _measured("memory", name, way)[way]) for way in ("without privacy", "ours"))
        yield _row(f"dpsgd/{name}: memory over non-private", ours, plain, "MB added at the peak", MOST_MEMORY)


def _row(name: str, ours: float, peer: float, unit: str, most: float, *, below: bool = False) -> Row:
    ratio = ours / peer
    holds = ratio < most if below else ratio <= most
    return Row(name, round(ours, 4), round(peer, 4), unit, round(ratio, 3), f"{'<' if below else '≤'} {most:g}", holds)


def _measured(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.steps", *arguments]
    answer = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found
