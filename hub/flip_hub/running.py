"""Whether a hub's programs run: each holds a shared lock on its home, and a restore needs it alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flip_hub.errors import ConflictError

LOCK = "running.lock"


@contextmanager
def in_use(home: Path) -> Iterator[None]:
    """Run in a home. The lock goes with the process, however it ends.

    Raises:
        ConflictError: the hub is being restored.
    """
    with _locked(home, fcntl.LOCK_SH, "This hub is being restored.", "Start it again when that is done."):
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Change a home while no program runs in it.

    Raises:
        ConflictError: one does.
    """
    mend = "Stop JupyterHub, the gateway and the dispatcher first: they hold running.lock in the hub's home."
    with _locked(home, fcntl.LOCK_EX, "This hub is running.", mend):
        yield


@contextmanager
def _locked(home: Path, kind: int, message: str, mend: str) -> Iterator[None]:
    with (home / LOCK).open("a") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(message, mend) from error
        yield
