"""What of a hub's home is kept in a backup, and as what."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from flip_hub.config import HubConfig
from flip_hub.database import Base

KIND = "hub"
TABLES, FILES, BLOBS = "database/", "files/", "blobs/"

_SECRET = ("keys", "tls", "secrets")
_APART = {*_SECRET, "jupyterhub", "blobs", "logs", "workspaces"}
_PASSING = (".lock", ".pid", ".db", ".db-wal", ".db-shm", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal")
_NAMED = (
    "blob_use.digest",
    "received_update.tensors",
    "checkpoint.state_digest",
    "model_version.graph",
    "model_version.weights",
    "dashboard_version.notebook",
    "shared_sum.roster",
    "output.content",
    "release.content",
    "release.crate",
    "release.criteria",
    "ingress.content",
)
"""Columns that name a blob."""


def named_columns() -> Iterator[tuple[str, str]]:
    """Table and column of each one that names a blob."""
    for place in _NAMED:
        table, column = place.split(".")
        assert column in Base.metadata.tables[table].columns
        yield table, column


def plain_files(config: HubConfig, *, workspaces: bool) -> Iterator[tuple[str, Path]]:
    """Settings, dashboards, workspaces, and whatever else a part of the hub keeps in the home: name and path."""
    password = config.home / config.database_password_file
    for top in sorted(config.home.iterdir()):
        if top.name.startswith(".") or (top.name in _APART and not (top.name == "workspaces" and workspaces)):
            continue
        for path in _under(top):
            # a password in the home is kept with the secrets
            if path != password and not (path.parent == config.home and path.name.endswith(_PASSING)):
                yield path.relative_to(config.home).as_posix(), path


def secret_files(config: HubConfig) -> dict[str, bytes]:
    """Private keys, certificates, shared secrets, and JupyterHub's own state (which holds hashes of tokens)."""
    paths = [path for name in _SECRET for path in _under(config.home / name)]
    if config.database_password_file and config.home in (config.home / config.database_password_file).parents:
        paths.append(config.home / config.database_password_file)
    found = {path.relative_to(config.home).as_posix(): path.read_bytes() for path in paths}
    for path in sorted(config.jupyterhub.glob("*")):
        if path.is_file() and not path.name.endswith(_PASSING):
            name = path.relative_to(config.home).as_posix()
            found[name] = _snapshot(path) if path.suffix == ".sqlite" else path.read_bytes()
    return found


def _under(place: Path) -> Iterator[Path]:
    if place.is_dir() and not place.is_symlink():
        for path in sorted(place.iterdir()):
            yield from _under(path)
    elif place.is_symlink() or place.exists():
        yield place


def _snapshot(path: Path) -> bytes:
    """A SQLite database as of one moment, whoever writes to it."""
    source, copy = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20), sqlite3.connect(":memory:")
    with closing(source), closing(copy):
        source.backup(copy)
        return copy.serialize()
