"""The box a worker runs in (bubblewrap): no network, no files but the Python installation and its own slot, read-only.

Namespaces of its own for network, processes, IPC, host name, users and mounts; no capability, no ``/proc``, an empty
``/tmp`` in memory; it dies with the agent. What is mounted is what Python needs: the system's libraries, the
interpreter, its packages, and the sources of flip_sdk and flip_trust. Where bubblewrap is missing, ``none`` runs the
same worker as an ordinary process: good enough for a demonstration on public data, and refused in production mode.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Literal

from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.blocks import REPRODUCIBLE

import flip_sdk
import flip_trust
from flip_trust.engine.records import EngineError

SandboxKind = Literal["bubblewrap", "none"]
_LOG = logging.getLogger(__name__)
SLOT = Path("/slot")
"""Where a worker in the sandbox sees its slot."""
_SYSTEM = ("/lib", "/lib32", "/lib64", "/bin", "/sbin")
_BOX = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--clearenv",
    "--hostname",
    "engine",
)
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - inside the sandbox, where it is the worker's own and in memory
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    **REPRODUCIBLE,
    # memory freed is kept instead of handed back to the system: most gradients take half the time
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(1024 * 1024 * 1024),
    "MALLOC_TOP_PAD_": str(64 * 1024 * 1024),
}


@cache
def sandbox_available() -> bool:
    """Whether bubblewrap is installed and this kernel lets it make its namespaces."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return False
    command = [bwrap, *_BOX, "--ro-bind", "/usr", "/usr", *_links(), "--", "/usr/bin/env", "true"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


def worker_command(kind: SandboxKind, slot: Path, memory_bytes: int) -> tuple[list[str], dict[str, str]]:
    """The command and the environment that start a worker over its slot.

    Raises:
        EngineError: SANDBOX_MISSING where bubblewrap was asked for and does not work here.
    """
    seen = slot if kind == "none" else SLOT
    worker = [sys.executable, "-I", "-B", "-m", "flip_trust.engine.worker", str(seen), str(memory_bytes)]
    return (worker, ENVIRONMENT) if kind == "none" else (boxed(worker, slot), {})


def boxed(command: list[str], slot: Path) -> list[str]:
    """A command inside the sandbox, with ``slot`` read-only at :data:`SLOT`.

    Raises:
        EngineError: SANDBOX_MISSING where bubblewrap does not work here.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None or not sandbox_available():
        raise EngineError(RefusalCode.SANDBOX_MISSING, "bubblewrap (bwrap) is not installed or may not make namespaces")
    mounts = [part for path in _installation() for part in ("--ro-bind", path, path)]
    environment = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
    return [
        # /tmp comes before what is mounted: the installation itself may lie in the machine's /tmp
        *(bwrap, *_BOX, *environment, "--tmpfs", "/tmp", *mounts, *_links()),  # noqa: S108
        *("--dev", "/dev", "--ro-bind", str(slot), str(SLOT), "--chdir", "/tmp"),  # noqa: S108
        *("--remount-ro", "/", "--", *command),
    ]


def warn_if_open(kind: SandboxKind) -> None:
    """Say once, clearly, that workers run without a sandbox."""
    if kind == "none":
        _LOG.warning(
            "The engine runs WITHOUT a sandbox: a flaw in torch would reach this machine's files and network. "
            'Install bubblewrap and set sandbox = "bubblewrap" before real people\'s data are loaded.'
        )


def _installation() -> list[str]:
    """Paths to mount: nothing of the Trust's home, and of a source tree only the two packages."""
    sources = [str(Path(package.__file__).resolve().parent) for package in (flip_sdk, flip_trust) if package.__file__]
    wanted = ["/usr", "/etc/ld.so.cache", sys.prefix, sys.base_prefix, *sources]
    found: list[str] = []
    for path in (p for p in wanted if os.path.exists(p)):
        if not any(path == other or path.startswith(other + "/") for other in found):
            found.append(path)
    return found


def _links() -> list[str]:
    """``/lib`` and its like, as links into ``/usr`` or as folders of their own."""
    parts: list[str] = []
    for path in _SYSTEM:
        if os.path.islink(path):
            parts += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            parts += ["--ro-bind", path, path]
    return parts
