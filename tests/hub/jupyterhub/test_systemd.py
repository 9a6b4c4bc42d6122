"""The units that systemd is asked for, read from what its program is given: systemd runs nothing here."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flip_hub import sandbox
from flip_hub.governance.profiles import profiles
from flip_hub.jupyterhub.systemd import CONFINED

from tests.hub.jupyterhub.forms import PERSON, PROJECT, account, made, of_form
from tests.hub.jupyterhub.homes import populated_home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts units for another account")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's home in which the person's project is open."""
    return populated_home(tmp_path_factory.mktemp("form") / "home").home


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that stand for systemd's and write down what they were given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in (
        ("systemd-run", f'printf "%s\\n" "$@" > {tmp_path}/given'),
        ("systemctl", f"[ $1 = --version ] && echo systemd 257 && exit; [ $1 = is-active ] && [ -e {tmp_path}/given ]"),
    ):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr("systemdspawner.systemd.RUN_ROOT", str(tmp_path / "run"))
    return tmp_path


def given(programs: Path, home: Path, **changes: Any) -> list[str]:
    """Start a workspace, and read what systemd-run was given."""
    config = of_form(home, "systemd", workspace_account=account(), **changes)
    spawner = made(config)
    spawner.prepare()
    spawner.limit(profiles(config).named("small"))
    asyncio.run(spawner.start())
    return (programs / "given").read_text().splitlines()


def test_a_unit_runs_as_another_account_with_no_rights(programs: Path, home: Path) -> None:
    words = given(programs, home)
    assert "--uid=0" not in words
    assert any(word.startswith("--uid=") for word in words)
    assert words[words.index("--unit") + 1] == f"flip-{PROJECT}_{PERSON}"
    assert "--slice=flip-workspaces.slice" in words
    properties = dict(
        word.removeprefix("--property=").split("=", 1) for word in words if word.startswith("--property=")
    )
    assert properties["NoNewPrivileges"] == "yes"
    assert properties["CapabilityBoundingSet"] == ""
    assert properties["IPAddressDeny"] == "any"
    assert properties["PrivateTmp"] == "yes"
    assert (properties["MemoryMax"], properties["CPUQuota"], properties["MemorySwapMax"]) == ("4000000000", "200%", "0")


@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_it_runs_the_sandbox(programs: Path, home: Path) -> None:
    words = given(programs, home)
    own = str(home / "workspaces" / PROJECT / PERSON)
    assert "bwrap" in words
    assert words[words.index("--bind") + 1] == own


def test_its_token_is_in_a_file_that_root_alone_reads_and_in_no_command_line(programs: Path, home: Path) -> None:
    words = given(programs, home)
    assert not any("the-narrow-token" in word for word in words)
    (file,) = (programs / "run").rglob("*.env")
    assert "the-narrow-token" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o400


def test_the_home_is_the_accounts(programs: Path, home: Path) -> None:
    given(programs, home)
    own = home / "workspaces" / PROJECT / PERSON
    assert own.stat().st_uid != 0
    assert all(path.lstat().st_uid == own.stat().st_uid for path in own.rglob("*"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_knows_every_property(tmp_path: Path) -> None:
    unit = tmp_path / "flip.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n" + "".join(f"{key}={word}\n" for key, word in CONFINED.items()))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if str(unit) in line]
