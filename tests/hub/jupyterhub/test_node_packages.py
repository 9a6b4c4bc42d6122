from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import psutil
import pytest
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.jupyterhub.proxy import VARIABLE, install_command, node, node_modules, proxy_command, tied

from demo.processes import wait_until

HUB = Path(__file__).resolve().parents[3] / "hub"


def test_the_lock_names_no_registry() -> None:
    text = (HUB / "package-lock.json").read_text()
    assert "resolved" not in text
    assert not re.search(r"https?://(?!.*(funding|opencollective|github\.com))[^\"]*\.tgz", text)


def test_every_package_of_the_lock_has_a_digest() -> None:
    packages = json.loads((HUB / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_nhsuk_frontend_is_the_version_that_its_templates_pair_with() -> None:
    templates = metadata("nhsuk-frontend-jinja")
    # the backport of importlib.metadata, where a library has loaded it, moves the text into a header
    text = str(templates.get_payload() or templates["Description"])
    rows = re.findall(r"\|\s*([\d.]+)\s*\|\s*([\d.]+)\s*\|", text)
    pair = {jinja: frontend for frontend, jinja in rows}[templates["Version"]]
    assert json.loads((HUB / "package.json").read_text())["dependencies"]["nhsuk-frontend"] == pair


def test_the_proxy_is_started_by_the_node_of_the_python_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "packages" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "packages"))
    config = HubConfig(home=tmp_path)
    assert node_modules(config) == tmp_path / "packages"
    assert proxy_command(config)[-2:] == [str(node()), str(program)]


def test_missing_packages_are_an_error_that_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError) as caught:
        node_modules(HubConfig(home=tmp_path))
    assert " ".join(install_command(HUB)) in caught.value.mend


def test_the_command_that_is_named_starts(tmp_path: Path) -> None:
    program = [*install_command(tmp_path)[:2], "--version"]
    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not tied(), reason="setpriv is not installed here")
def test_what_is_tied_ends_when_its_parent_is_killed() -> None:
    script = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); input()"
    command = [sys.executable, "-c", script, *tied(), "sleep", "600"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        wait_until(lambda: "sleep" in child.name(), 10, "the child does not start")
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10, "the child outlives it")
