"""How much of a computer a workspace may use: the least of what limits it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

SMALLEST_BYTES = 512 * 2**20
"""A worker with less memory than this would be restarted over and over."""
KEPT = 0.25
"""Of the memory, for the notebooks and JupyterLab themselves."""


@dataclass(frozen=True)
class Share:
    """What a cluster may use.

    Attributes:
        workers: processes.
        threads: of each.
        memory_bytes: of each.
    """

    workers: int
    threads: int
    memory_bytes: int


def share(cores: int, memory_bytes: int, environ: Mapping[str, str] = os.environ) -> Share:
    """Divide what there is.

    Args:
        cores: that this process may use, by affinity and control group.
        memory_bytes: that it may use, by control group and resource limits.
        environ: what the workspace's profile says: ``CPU_LIMIT`` in cores and ``MEM_LIMIT`` in bytes, as JupyterHub
            tells them.
    """
    allowed = max(1, min(cores, int(_number(environ, "CPU_LIMIT", cores))))
    memory = int(min(memory_bytes, _number(environ, "MEM_LIMIT", memory_bytes)) * (1 - KEPT))
    workers = max(1, min(allowed, memory // SMALLEST_BYTES))
    return Share(workers, max(1, allowed // workers), memory // workers)


def resized(whole: Share, workers: int) -> Share:
    """The same processors and memory, divided among another number of workers."""
    cores, memory = whole.workers * whole.threads, whole.workers * whole.memory_bytes
    return Share(workers, max(1, cores // workers), memory // workers)


def _number(environ: Mapping[str, str], name: str, otherwise: float) -> float:
    try:
        return float(environ[name])
    except (KeyError, ValueError):
        return otherwise
