"""Where the notebooks of a workspace, and its JupyterLab, find the one cluster: a private folder outside of its files.

The kernel that holds the lock has the cluster; the lock goes with the kernel, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

_FOLDER = "flip-dask"
_RECORD = "cluster.json"
_SOCKET = "dashboard.sock"
LONGEST_PATH = 107
"""Bytes of a Unix socket's path, on Linux."""


@dataclass(frozen=True)
class Meeting:
    """What is to be known of a running cluster.

    Attributes:
        id: of this cluster; part of its dashboard's address.
        address: the scheduler's, ``tls://127.0.0.1:…``.
        certificate: everybody's in the cluster, PEM.
        key: everybody's in the cluster, PEM.
        workers: processes.
        cores: of all of them.
        memory_bytes: of all of them.
    """

    id: str
    address: str
    certificate: str
    key: str
    workers: int
    cores: int
    memory_bytes: int


def place() -> Path:
    """The folder: Jupyter's for running things, which a sandboxed workspace has to itself."""
    runtime = os.environ.get("JUPYTER_RUNTIME_DIR")
    folder = Path(runtime) if runtime else Path(tempfile.gettempdir()) / f"flip-{os.getuid()}"
    folder = folder / _FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's")
    return folder


def dashboard_socket() -> Path:
    """Where the dashboard listens."""
    return place() / _SOCKET


def new_id() -> str:
    """An id that no cluster had before."""
    return secrets.token_hex(8)


def claim() -> IO[str] | None:
    """Take the workspace's one place for a cluster; None where a kernel has it. Closing the file gives it back."""
    file = (place() / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    _forget()
    return file


def tell(meeting: Meeting) -> None:
    """Write down what others need to find the cluster; the file appears whole, and only its owner reads it."""
    path = place() / _RECORD
    draft = path.with_suffix(f".{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(meeting), file)
    draft.replace(path)


def found() -> Meeting | None:
    """The running cluster, if there is one that can be found already; not what one left that was killed."""
    if not _held():
        return None
    try:
        content: dict[str, Any] = json.loads((place() / _RECORD).read_text("utf-8"))
        return Meeting(**content)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _held() -> bool:
    with (place() / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _forget() -> None:
    """What a cluster that ended left."""
    for name in (_RECORD, _SOCKET):
        (place() / name).unlink(missing_ok=True)


def gone(lock: IO[str]) -> None:
    """The cluster ended: nobody finds it any more, and another may start."""
    if not lock.closed:
        _forget()
        lock.close()
