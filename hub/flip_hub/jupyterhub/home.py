"""A person's home in one project: no two projects share one."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import flip_hub
from flip_hub.airlock.incoming import NAME, incoming_folder
from flip_hub.config import HubConfig
from flip_sdk import templates

WELCOME = ("tutorials", "dashboards")
"""Folders of notebooks that each new home is given."""
_NO_NOTEBOOKS = (".*", "__pycache__", "*.py")


def workspace_home(config: HubConfig, project: str, person: str) -> Path:
    """Where a person's files in a project are."""
    return config.workspaces / project / person


def prepare_home(config: HubConfig, project: str, person: str) -> Path:
    """Make the home where there is none yet, with the tutorials in it. What is there stays as it is."""
    home = workspace_home(config, project, person)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in WELCOME:
        source = templates.FOLDER if name == "dashboards" else notebooks() / name
        if source.is_dir() and not (home / name).exists():
            shutil.copytree(source, home / name, ignore=shutil.ignore_patterns(*_NO_NOTEBOOKS))
    _make_way(home / NAME)
    return home


def incoming_of(config: HubConfig, project: str, person: str) -> tuple[Path, Path]:
    """Where the files are that were brought into a project, and where this person's workspace sees them, read-only."""
    return incoming_folder(config, project), workspace_home(config, project, person) / NAME


def link_incoming(config: HubConfig, project: str, person: str) -> None:
    """Without a sandbox, which only a demonstration may be, the folder is a link."""
    source, place = incoming_of(config, project, person)
    if place.is_dir() and not place.is_symlink():
        place.rmdir()
    if not place.is_symlink():
        place.symlink_to(source, target_is_directory=True)


def _make_way(place: Path) -> None:
    """An empty folder for what is brought in; whatever a person put in its place is kept beside it."""
    is_ours = place.is_dir() and not place.is_symlink() and not any(place.iterdir())
    if place.is_symlink():
        place.unlink()
    elif place.exists() and not is_ours:
        place.rename(place.with_name(f"{place.name}-of-mine-{secrets.token_hex(3)}"))
    place.mkdir(mode=0o700, exist_ok=True)


def notebooks() -> Path:
    """The notebooks that come with FLIP: inside the installed package, else beside its source."""
    package = Path(flip_hub.__file__).resolve().parent
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parents[1] / "notebooks"
