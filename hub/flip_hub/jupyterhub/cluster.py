"""What a cluster needs before its first workspace: the hub's rights, the workspaces' network and configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flip_hub.config import HubConfig
from flip_hub.jupyterhub.containers import PORT
from flip_hub.jupyterhub.proxy import proxy_port
from flip_hub.jupyterhub.spawner import CONFIGURATION

COMPONENT = "flip-workspace"
CONFIG_MAP = "flip-workspace"
HUB = {"app.kubernetes.io/name": "flip-hub"}
"""Label of the hub's own pod."""
WORKSPACES = {"app.kubernetes.io/component": COMPONENT}
_DNS = {"kubernetes.io/metadata.name": "kube-system"}


def manifests(config: HubConfig) -> list[dict[str, Any]]:
    """Everything to apply to the hub's namespace."""
    return [configuration(config), network(config), *rights(config)]


def configuration(config: HubConfig) -> dict[str, Any]:
    """The workspaces' Jupyter configuration."""
    data = {_key(path): path.read_text(encoding="utf-8") for path in _files()}
    return {**_head(config, "v1", "ConfigMap", CONFIG_MAP), "immutable": False, "data": data}


def items() -> list[dict[str, str]]:
    """Where each of its files is mounted."""
    return [{"key": _key(path), "path": str(path.relative_to(CONFIGURATION))} for path in _files()]


def network(config: HubConfig) -> dict[str, Any]:
    """Workspaces are reached by the hub alone, and reach it and the cluster's names alone."""
    hub = {"podSelector": {"matchLabels": HUB}}
    names = {"namespaceSelector": {"matchLabels": _DNS}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ports = [{"protocol": "TCP", "port": port} for port in (config.jupyterhub_port, proxy_port(config))]
    return {
        **_head(config, "networking.k8s.io/v1", "NetworkPolicy", "flip-workspaces"),
        "spec": {
            "podSelector": {"matchLabels": WORKSPACES},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [hub], "ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": [
                {"to": [hub], "ports": ports},
                {"to": [names], "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
            ],
        },
    }


def rights(config: HubConfig) -> list[dict[str, Any]]:
    """What the hub's account may do in its namespace: workspaces, and their homes without deleting one."""
    api = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "create", "delete"]},
        {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "watch", "create"]},
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list", "watch"]},
    ]
    subject = {"kind": "ServiceAccount", "name": "flip-hub", "namespace": config.workspace_namespace}
    return [
        _head(config, "v1", "ServiceAccount", "flip-hub"),
        {**_head(config, f"{api}/v1", "Role", "flip-hub"), "rules": rules},
        {
            **_head(config, f"{api}/v1", "RoleBinding", "flip-hub"),
            "subjects": [subject],
            "roleRef": {"kind": "Role", "name": "flip-hub", "apiGroup": api},
        },
    ]


def _head(config: HubConfig, version: str, kind: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": config.workspace_namespace, "labels": HUB},
    }


def _files() -> Iterator[Path]:
    found = (path for path in sorted(CONFIGURATION.rglob("*")) if path.is_file())
    return (path for path in found if "__pycache__" not in path.parts)


def _key(path: Path) -> str:
    # a ConfigMap's keys have no folders
    return "--".join(path.relative_to(CONFIGURATION).parts)
