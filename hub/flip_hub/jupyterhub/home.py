"""A person's home in one project: no two projects share one."""

from __future__ import annotations

import shutil
from pathlib import Path

import flip_hub
from flip_hub.config import HubConfig

WELCOME = ("tutorials", "dashboards")
"""Folders of notebooks that each new home is given."""


def workspace_home(config: HubConfig, project: str, person: str) -> Path:
    """Where a person's files in a project are."""
    return config.workspaces / project / person


def prepare_home(config: HubConfig, project: str, person: str) -> Path:
    """Make the home where there is none yet, with the tutorials in it. What is there stays as it is."""
    home = workspace_home(config, project, person)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in WELCOME:
        source = notebooks() / name
        if source.is_dir() and not (home / name).exists():
            shutil.copytree(source, home / name, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return home


def notebooks() -> Path:
    """The notebooks that come with FLIP: inside the installed package, else beside its source."""
    package = Path(flip_hub.__file__).resolve().parent
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parents[1] / "notebooks"
