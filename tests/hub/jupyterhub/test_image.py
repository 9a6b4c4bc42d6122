"""The recipe of workspaces' image: its steps are run in a sandbox over this machine's own Debian, without Docker."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from flip_hub import sandbox
from flip_hub.jupyterhub import containers, kube
from flip_hub.jupyterhub.home import WELCOME
from flip_hub.jupyterhub.local import START
from flip_hub.jupyterhub.spawner import CONFIGURATION

ROOT = Path(__file__).resolve().parents[3]
RECIPE = ROOT / "images" / "workspace" / "Dockerfile"
PYTHON = """
import importlib.util, os, pathlib, sys
sys.path.insert(0, os.environ["JUPYTER_CONFIG_DIR"])
import flip_lab, flip_workspace.doors, jupyterhub.singleuser, jupyterlab, dask_labextension, monai, opendp, torch
import flip_sdk as flip
from flip_sdk import dashboards, templates
share = pathlib.Path(sys.prefix, "share/jupyter/labextensions/@flip/lab/package.json")
print(share.is_file(), len(templates.listed()), importlib.util.find_spec("flip_hub"), os.listdir("/opt/flip/notebooks"))
"""


def instructions() -> Iterator[tuple[str, str]]:
    """What the recipe does, in order."""
    for line in RECIPE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


def test_what_it_copies_is_there_and_is_not_ignored() -> None:
    ignored = RECIPE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for word, rest in instructions():
        if word == "COPY":
            for source in rest.split()[:-1]:
                assert any(ROOT.glob(source)), source
                assert any(PurePosixPath(source).is_relative_to(one) for one in kept), source


def test_it_is_as_the_spawners_take_it() -> None:
    found = list(instructions())
    assert ("WORKDIR", str(containers.HOME)) in found
    assert ("USER", "1000:1000") in found
    placed = {rest.split()[-1].rstrip("/") for word, rest in found if word == "COPY"}
    for name in WELCOME:
        assert f"/opt/flip/notebooks/{name}" in placed
        assert name in kube.WELCOME


class Machine:
    """This machine's own files, read-only, with folders of their own where the image has its own."""

    def __init__(self, folder: Path) -> None:
        self.places = {name: folder / name.strip("/").replace("/", "-") for name in ("/src", "/opt", "/home")}
        for place in self.places.values():
            place.mkdir()
        self.environ: dict[str, str] = {"PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}", "HOME": "/tmp"}
        self.environ |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self.folder = "/"

    def path(self, inside: str) -> Path:
        """Where a place of the image is kept."""
        whole = PurePosixPath(self.folder, inside)
        name = next(name for name in self.places if whole.is_relative_to(name))
        return self.places[name] / whole.relative_to(name)

    def run(self, *command: str, network: bool = False, **environ: str) -> str:
        """Run a command as the image would."""
        line = ["bwrap", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        for place in Path("/").iterdir():
            if place.is_symlink():
                line += ["--symlink", str(place.readlink()), str(place)]
            elif str(place) not in {"/dev", "/proc", "/tmp", *self.places}:
                line += ["--ro-bind", str(place), str(place)]
        line += [word for name, place in self.places.items() for word in ("--bind", str(place), name)]
        # where this machine has them in a folder that the image has too
        for kept in (sys.base_prefix, str(CONFIGURATION)):
            line += ["--ro-bind-try", kept, kept]
        line += ["--chdir", self.folder, *([] if network else ["--unshare-net"]), *command]
        done = subprocess.run(line, env=self.environ | environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def do(self, word: str, rest: str) -> None:
        """One instruction."""
        match word:
            case "ENV":
                given = dict(one.split("=", 1) for one in shlex.split(rest))
                # this machine's Python may lie elsewhere than the image's
                if "PATH" in given:
                    given["PATH"] = f"{given['PATH'].partition(':')[0]}:{self.environ['PATH']}"
                self.environ |= given
            case "WORKDIR":
                self.folder = rest
                self.path(rest).mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    self._copy(source, target)
            case "RUN":
                self.run("sh", "-c", rest, network=True)
            case _:
                assert word in {"ARG", "FROM", "USER"}

    def _copy(self, source: str, target: str) -> None:
        for path in ROOT.glob(source):
            place = self.path(target)
            if path.is_dir():
                shutil.copytree(
                    path, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            else:
                place = place / path.name if target.endswith("/") else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)


@pytest.mark.slow
@pytest.mark.skipif(not sandbox.usable(), reason="bubblewrap is missing or does not work here")
def test_its_steps_make_a_workspace(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for word, rest in instructions():
        machine.do(word, rest)
    told = machine.run("python", "-P", "-c", PYTHON, JUPYTER_CONFIG_DIR=str(CONFIGURATION))
    # the panel is there; the hub's own package is not
    assert told.split(maxsplit=3)[:3] == ["True", "5", "None"]
    assert all(name in told for name in WELCOME)
    machine.run("python", "-m", "pip", "check")
    # what a container starts, up to where JupyterHub's addresses are missing
    until = START.replace("sys.exit(main())", "print('ready')").replace("open_doors();", "")
    assert machine.run("python", "-P", "-c", until, JUPYTER_CONFIG_DIR=str(CONFIGURATION)).strip() == "ready"
