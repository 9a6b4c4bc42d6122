from __future__ import annotations

import logging
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flip_hub import sandbox
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.sandbox import Sandbox

needs_bubblewrap = pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")


def run(box: Sandbox, code: str, *arguments: str) -> str:
    command = box.command([sys.executable, "-c", code, *arguments])
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.txt").write_text("mine")
    (tmp_path / "secret.txt").write_text("secret")
    return own


@needs_bubblewrap
def test_it_sees_its_folder_and_nothing_beside_it(folder: Path) -> None:
    code = "import os, sys; print(open('mine.txt').read(), os.listdir('..'), os.path.exists('/root/.ssh'))"
    assert run(Sandbox(folder), code) == "mine ['own'] False"


@needs_bubblewrap
def test_it_changes_only_what_it_is_given_to_write(folder: Path) -> None:
    code = "import sys\ntry: open('new.txt', 'w').write('x'); print('written')\nexcept OSError: print('refused')"
    assert run(Sandbox(folder), code) == "refused"
    assert run(Sandbox(folder, writable=(folder,)), code) == "written"
    assert (folder / "new.txt").exists()


@needs_bubblewrap
def test_it_reaches_no_network_unless_it_may(folder: Path) -> None:
    code = (
        "import socket, sys\n"
        "try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('reached')\n"
        "except OSError: print('refused')"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert run(Sandbox(folder), code, port) == "refused"
        assert run(Sandbox(folder, network=True), code, port) == "reached"


@needs_bubblewrap
def test_it_sees_no_process_of_the_computer(folder: Path) -> None:
    code = "import os; print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit())[-1] < 10)"
    assert run(Sandbox(folder), code) == "True"


@needs_bubblewrap
def test_the_sdk_is_there_and_the_hub_is_not(folder: Path) -> None:
    code = "import importlib.util as u; print(u.find_spec('flip_sdk') is not None, u.find_spec('flip_hub') is not None)"
    found = run(Sandbox(folder), code)
    installed_beside = Path(sys.prefix) in Path(sandbox.__file__).parents
    assert found == f"True {installed_beside}"


def test_without_bubblewrap_production_refuses_and_a_demonstration_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sandbox, "usable", lambda: False)
    config, log = HubConfig(home=tmp_path), logging.getLogger("test")
    assert not sandbox.required(config, log, "Dashboards")
    assert any(record.levelno == logging.WARNING for record in caplog.records)
    with pytest.raises(ConfigError) as caught:
        sandbox.required(replace(config, production=True), log, "Dashboards")
    assert "bubblewrap" in caught.value.mend


@needs_bubblewrap
def test_a_folder_that_is_placed_elsewhere_is_read_and_not_changed(folder: Path) -> None:
    shared = folder.parent / "shared"
    shared.mkdir()
    (folder / "incoming").mkdir()
    box = Sandbox(folder, writable=(folder,), placed=((shared, folder / "incoming"),))
    code = (
        "import os, sys\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(open('incoming/codes.csv').read())\n"
        "for path in ('incoming/new.csv', 'incoming/codes.csv'):\n"
        "    try: open(path, 'w'); print('written')\n"
        "    except OSError: print('refused')\n"
        "try: os.rename('incoming', 'elsewhere'); print('moved')\n"
        "except OSError: print('stays')\n"
    )
    command = box.command([sys.executable, "-c", code])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        (shared / "codes.csv").write_text("code")  # let in while the workspace is open
        told, _ = process.communicate("go on\n", timeout=60)
    assert told.split() == ["code", "refused", "refused", "stays"]


@needs_bubblewrap
def test_it_has_no_capability_whoever_started_it(folder: Path) -> None:
    code = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd'))])"
    assert run(Sandbox(folder), code) == str(["0" * 16] * 2)
