"""``flip-hub workspaces``: what is asked of the machine or the cluster on which workspaces run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from flip_hub.backup_cli import Home
from flip_hub.config import HubConfig

_out = Console(soft_wrap=True)


def register(app: typer.Typer, command: Callable[[typer.Typer, str], Any]) -> None:
    """Add the commands."""

    @command(app, "check")  # type: ignore[untyped-decorator]
    def check(home: Home = None) -> None:
        """Say whether this hub's settings of workspaces can be used here, with everything that is wrong."""
        from flip_hub.jupyterhub.forms import spawner

        config = HubConfig.load(home)
        _out.print(f"Workspaces are started by {spawner(config).__name__} (spawner = {config.spawner}).")

    @command(app, "profiles")  # type: ignore[untyped-decorator]
    def profiles_(home: Home = None) -> None:
        """List what workspaces of this hub may use."""
        from flip_hub.governance.profiles import profiles

        known = profiles(HubConfig.load(home))
        table = Table("Profile", "Title", "Limits", "GPU-hours an hour", "Which projects")
        for one in known.profiles:
            free = one.everybody or one.name == known.default
            cost = f"{one.gpu_hours:g}" if one.gpus else ""
            table.add_row(one.name, one.title, one.words, cost, "every one" if free else "those that are given it")
        _out.print(table, soft_wrap=False)

    @command(app, "manifests")  # type: ignore[untyped-decorator]
    def manifests_(home: Home = None) -> None:
        """Print what a Kubernetes cluster is given before its first workspace; pipe it to kubectl apply -f -."""
        from flip_hub.jupyterhub.cluster import manifests
        from flip_hub.jupyterhub.forms import spawner

        config = HubConfig.load(home)
        spawner(config)
        yaml.safe_dump_all(manifests(config), sys.stdout, sort_keys=False)
