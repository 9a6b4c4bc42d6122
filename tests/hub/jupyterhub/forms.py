"""Spawners of every form as JupyterHub makes them: for one person and one project, without a cluster or a daemon."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import Any

from flip_hub.config import HubConfig
from flip_hub.jupyterhub import forms
from jupyterhub import orm
from jupyterhub.objects import Hub
from traitlets.config import Config

PERSON, PROJECT = "ada", "open-project"
IMAGE = "registry.example.org/flip/workspace@sha256:" + "0" * 64
CONTAINERS = {
    "workspace_image": IMAGE,
    "workspace_uid": os.geteuid() or 1000,
    "workspace_hub_url": "http://172.30.0.1:8081",
    "workspace_proxy_url": "http://172.30.0.1:8000",
    "listen_address": "172.30.0.1",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "local": {},
    "systemd": {"workspace_account": "nobody"},
    "docker": {**CONTAINERS, "workspace_network": "flip-workspaces"},
    "kube": {
        **CONTAINERS,
        "workspace_namespace": "flip",
        "workspace_storage_class": "encrypted",
        "workspace_claim": "flip-hub",
        "workspace_pull_secret": "registry",
    },
}


def of_form(home: Path, form: str, **changes: Any) -> HubConfig:
    """A hub that starts workspaces in this form."""
    return replace(HubConfig(home=home), spawner=form, **(SETTINGS[form] | changes))


class Person:
    """What a spawner asks of JupyterHub's user."""

    def __init__(self, name: str) -> None:
        self.name, self.id, self.escaped_name, self.url = name, 1, name, f"/user/{name}/"
        self.settings: dict[str, Any] = {}

    def server_url(self, name: str) -> str:
        """Where a named server of theirs is."""
        return f"/user/{self.name}/{name}/"


def made(config: HubConfig, chosen: type[Any] | None = None, **options: Any) -> Any:
    """A spawner for the person's workspace in the project."""
    c = Config()
    c.ProjectWorkspace.flip_config = config
    hub = Hub(base_url="/hub/", port=8081)
    hub.connect_url = config.workspace_hub_url
    spawner = (chosen or forms.spawner(config))(
        config=c, user=Person(PERSON), hub=hub, orm_spawner=orm.Spawner(name=PROJECT, user_options={}), **options
    )
    spawner.api_token = "the-narrow-token"
    spawner.cert_paths = {}
    return spawner


def account() -> str:
    """Another account than root's that this machine knows."""
    return next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != 0)
