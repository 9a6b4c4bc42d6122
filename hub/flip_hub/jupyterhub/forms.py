"""The forms in which workspaces are started: one setting chooses, and all of its faults are told at once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.governance.profiles import profiles

FORMS = {
    "local": ("flip_hub.jupyterhub.local", "LocalSpawner"),
    "systemd": ("flip_hub.jupyterhub.systemd", "SystemdWorkspace"),
    "docker": ("flip_hub.jupyterhub.docker", "DockerWorkspace"),
    "kube": ("flip_hub.jupyterhub.kube", "KubeWorkspace"),
}
CONTAINERS = frozenset({"docker", "kube"})


def spawner(config: HubConfig) -> type[Any]:
    """The class that starts this hub's workspaces.

    Raises:
        ConfigError: with everything that is wrong.
    """
    if config.spawner not in FORMS:
        raise ConfigError(f"There is no spawner {config.spawner!r}.", f"Choose out of: {', '.join(FORMS)}.")
    module_name, class_name = FORMS[config.spawner]
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        mend = f"Install it: pip install 'flip-hub[{config.spawner}]'"
        raise ConfigError(f"What spawner = {config.spawner} needs is not installed ({error.name}).", mend) from error
    profiles(config)
    found = [*_of_times(config), *_faults(module.faults, config)]
    if found:
        told = f"spawner = {config.spawner} cannot be used: {' '.join(found)}"
        raise ConfigError(told, "Correct these settings (docs/workspaces.md).")
    chosen: type[Any] = getattr(module, class_name)
    return chosen


def _faults(find: Callable[[HubConfig], Iterable[str]], config: HubConfig) -> list[str]:
    return list(find(config))


def _of_times(config: HubConfig) -> list[str]:
    names = ("workspace_idle_minutes", "workspace_hours", "workspace_grace_minutes")
    return [f"{name} is not more than 0." for name in names if getattr(config, name) <= 0]
