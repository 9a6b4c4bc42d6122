"""A real JupyterLab of a workspace, with the panel in it, at a played hub."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "extensions" / "flip-lab"
CONFIGURATION = ROOT / "hub" / "flip_hub" / "jupyterhub" / "workspace"
TOKEN = "only-for-this-test"
START_SECONDS = 60.0


@dataclass(frozen=True)
class RunningLab:
    """A JupyterLab that answers.

    Attributes:
        address: without a slash at its end.
        files: what its file browser shows.
    """

    address: str
    files: Path


@contextmanager
def running_lab(folder: Path, environment: Mapping[str, str]) -> Iterator[RunningLab]:
    """Start JupyterLab as a workspace does, but for the hub in front of it."""
    files, home, extensions = (folder / name for name in ("files", "home", "extensions"))
    for made in (files, home, extensions / "@flip"):
        made.mkdir(parents=True)
    (extensions / "@flip" / "lab").symlink_to(EXTENSION / "flip_lab" / "labextension")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"),
        *(f"--ServerApp.root_dir={files}", f"--LabApp.extra_labextensions_path={extensions}"),
    ]
    # kernels speak over sockets there, whose names may have 107 characters
    runtime = tempfile.mkdtemp(prefix="flip-")
    told = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "FLIP"))},
        **environment,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(CONFIGURATION),
        "JUPYTER_RUNTIME_DIR": runtime,
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "PYTHONPATH": str(EXTENSION),
    }
    log = (folder / "lab.log").open("wb")
    process = subprocess.Popen(command, env=told, stdout=log, stderr=subprocess.STDOUT, cwd=files)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(process, f"{address}/api?token={TOKEN}", folder / "lab.log")
        yield RunningLab(address, files)
    finally:
        process.terminate()
        process.wait(20)
        log.close()
        shutil.rmtree(runtime, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"JupyterLab does not answer: {log.read_text()[-2000:]}")
