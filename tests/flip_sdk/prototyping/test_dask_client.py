"""The workspace's Dask cluster: real schedulers and workers, and kernels as processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import distributed
import psutil
import pytest
from flip_sdk.errors import SetupError
from flip_sdk.prototyping import meeting

import flip_sdk as flip

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("dask")]

BEGIN = "import flip_sdk as flip; client = flip.dask_client(1); "
TELL = "print(client.submit(sum, [40, 2]).result(), client.dashboard_link, flush=True); "
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "dask.md"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a folder for what runs."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/a-project/")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def kernel(workspace: Path) -> Iterator[subprocess.Popen[str]]:
    """A kernel that has started the cluster, and waits."""
    command = [sys.executable, "-c", BEGIN + TELL + "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        answer, link = running.stdout.readline().split()
        assert answer == "42"
        assert re.fullmatch(r"/user/ada/a-project/dask/dashboard/[0-9a-f]{16}/status", link)
        yield running
        running.kill()


def below(kernel: subprocess.Popen[str]) -> list[psutil.Process]:
    process = psutil.Process(kernel.pid)
    return [process, *process.children(recursive=True)]


def test_others_of_the_workspace_find_it_nobody_else_and_it_ends_with_its_kernel(
    workspace: Path, kernel: subprocess.Popen[str]
) -> None:
    second = [sys.executable, "-c", BEGIN + TELL + "assert client is flip.dask_client()"]
    told = subprocess.run(second, capture_output=True, text=True, check=True).stdout
    known = meeting.found()
    assert known is not None
    assert told.split() == ["42", f"/user/ada/a-project/dask/dashboard/{known.id}/status"]

    processes = below(kernel)
    heard = [at for one in processes for at in one.net_connections("inet") if at.status == psutil.CONN_LISTEN]
    assert {at.laddr.ip for at in heard} == {"127.0.0.1"}
    private = [meeting.place(), meeting.dashboard_socket(), meeting.place() / "cluster.json"]
    assert [path.stat().st_mode & 0o077 for path in private] == [0, 0, 0]
    assert (workspace / ".dask" / "dask-scratch-space").is_dir()

    for security in (None, distributed.Security.temporary()):
        address = known.address if security else known.address.replace("tls", "tcp")
        with pytest.raises(OSError):  # noqa: PT011 - each kind of refusal is one
            distributed.Client(address, security=security, timeout=1)

    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()
    assert psutil.wait_procs(processes[1:], timeout=20)[1] == []
    assert meeting.found() is None
    subprocess.run([sys.executable, "-c", BEGIN + "client.shutdown()"], check=True, capture_output=True)
    assert sorted(path.name for path in meeting.place().iterdir()) == ["lock"]


def test_a_script_that_its_workers_would_run_again_is_told_how(workspace: Path) -> None:
    script = workspace / "script.py"
    script.write_text(BEGIN)
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=90)
    assert ended.returncode
    assert 'if __name__ == "__main__":' in ended.stderr


def test_no_workers_are_no_cluster() -> None:
    with pytest.raises(SetupError):
        flip.dask_client(0)


def test_a_gateway_that_is_not_there_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIP_DASK_GATEWAY", "http://127.0.0.1:9")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "a-token")
    with pytest.raises(SetupError) as caught:
        flip.dask_client()
    assert caught.value.mend


@pytest.mark.slow
def test_the_examples_of_the_guide_run(workspace: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    told = "print(rows.shape, len(answers), best[0] > 0.5)"
    script = "\n".join(["import flip_sdk as flip", "client = flip.dask_client()", *blocks, told])
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[-2] == "(12, 3) 4 True"
