"""Programs that JupyterHub starts, watches and signs people in to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from flip_hub.config import ENVIRONMENT_PREFIX, HubConfig
from flip_hub.jupyterhub.proxy import program, tied
from flip_hub.jupyterhub.roles import CULLER, DASHBOARDS, FLIP, OFF_BOARDING
from flip_hub.keys import secret

CULL_SECONDS = 300
"""How often it is looked at most for workspaces that nobody uses."""

START_SECONDS = 180
"""How long a service may take to answer: JupyterHub gives up altogether when one does not."""

RESTART_SECONDS = 2
"""How soon a service that died is started again."""

STOP_SECONDS = 5
"""How long a service may take to end before it is told more firmly."""


def services(config: HubConfig) -> list[dict[str, Any]]:
    """JupyterHub's ``services``."""
    return [
        _web_service(config, FLIP, config.service_port, [program("flip-hub"), "serve"]),
        _web_service(config, DASHBOARDS, config.dashboards_port, [program("flip-hub"), "dashboards"]),
        # no program: its token is for a command that an operator types on this machine
        {"name": OFF_BOARDING, "api_token": secret(config, OFF_BOARDING)},
        {"name": CULLER, "command": logged(config, CULLER, _culler(config))},
    ]


def logged(config: HubConfig, name: str, command: Sequence[str]) -> list[str]:
    """The same command, writing to ``<home>/logs/<name>.log`` and ending when JupyterHub does.

    The wrappers replace themselves by the command: it is one process.
    """
    log = config.home / "logs" / f"{name}.log"
    return [*tied(), "/bin/sh", "-c", 'log="$1"; shift; exec "$@" >>"$log" 2>&1', name, str(log), *command]


def _web_service(config: HubConfig, name: str, port: int, command: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        "url": f"http://127.0.0.1:{port}",
        "command": logged(config, name, command),
        "environment": _environment(config),
        "oauth_no_confirm": True,
        "timeout": START_SECONDS,
    }


def _environment(config: HubConfig) -> dict[str, str]:
    settings = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT_PREFIX)}
    jupyter = config.jupyterhub / "services"
    return {
        **settings,
        ENVIRONMENT_PREFIX + "HOME": str(config.home),
        "JUPYTER_CONFIG_DIR": str(jupyter / "config"),
        "JUPYTER_DATA_DIR": str(jupyter / "data"),
    }


def _culler(config: HubConfig) -> list[str]:
    idle, longest = round(config.workspace_idle_minutes * 60), round(config.workspace_hours * 3600)
    every = max(1, min(CULL_SECONDS, idle // 2))
    times = (f"--timeout={idle}", f"--max-age={longest}", f"--cull-every={every}")
    return [sys.executable, "-m", "jupyterhub_idle_culler", *times]
