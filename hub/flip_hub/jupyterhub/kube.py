"""A workspace as a pod of Kubernetes: no token of the cluster, no root, no writing but to its home."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubespawner import KubeSpawner
from traitlets import default

from flip_hub.config import HubConfig
from flip_hub.governance.profiles import Profile
from flip_hub.jupyterhub import containers
from flip_hub.jupyterhub.cluster import COMPONENT, CONFIG_MAP, items
from flip_hub.jupyterhub.containers import ContainerWorkspace

_QUANTITY = re.compile(r"[1-9][0-9]*(?:[KMGTP]i?)?")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
NO_RIGHTS = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
WELCOME = "for name in tutorials dashboards; do [ -e ~/$name ] || cp -R /opt/flip/notebooks/$name ~ || true; done"
"""Puts the image's notebooks into a new home; an image without them is no fault."""


class KubeWorkspace(ContainerWorkspace, KubeSpawner):  # type: ignore[misc]
    """A pod for each person and project, with a persistent volume claim of its own."""

    @default("namespace")
    def _namespace_default(self) -> str:
        return self.flip_config.workspace_namespace

    @default("component_label")
    def _component_label_default(self) -> str:
        return COMPONENT

    @default("pvc_name_template")
    def _pvc_name_template_default(self) -> str:
        return "flip-home-{user_server}"

    def prepare(self) -> None:
        """Say what the pod is made of. The home is made in the cluster."""
        config = self.flip_config
        self.cmd, self.port = containers.command(), containers.PORT
        self.image = config.workspace_image
        self.image_pull_secrets = [config.workspace_pull_secret] if config.workspace_pull_secret else []
        self.extra_labels = {"flip/project": self.name}
        self._account(config)
        self._storage(config)

    def limit(self, profile: Profile) -> None:
        """Give the pod what its profile says; a third of it is set aside, so that nodes are not left empty."""
        self.cpu_limit, self.cpu_guarantee = profile.cpu, round(profile.cpu / 3, 3)
        self.mem_limit, self.mem_guarantee = profile.memory, profile.memory // 3
        cards = {profile.resource: str(profile.gpus)} if profile.gpus else {}
        self.extra_resource_limits = self.extra_resource_guarantees = cards
        self.node_selector = dict(profile.node_selector)
        self.tolerations = [dict(one) for one in profile.tolerations]

    def _account(self, config: HubConfig) -> None:
        self.uid = self.gid = self.fs_gid = config.workspace_uid
        self.service_account = None
        self.automount_service_account_token = False
        self.privileged = self.allow_privilege_escalation = False
        self.container_security_context = NO_RIGHTS
        self.pod_security_context = {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "fsGroupChangePolicy": "OnRootMismatch",
        }
        self.extra_pod_config = {"enableServiceLinks": False}

    def _storage(self, config: HubConfig) -> None:
        self.storage_pvc_ensure = True
        # what is in a home belongs to the project's team: no person deletes it by deleting a server
        self.delete_pvc = False
        self.storage_class = config.workspace_storage_class or None
        self.storage_capacity = config.workspace_storage
        self.storage_extra_labels = {"flip/project": self.name}
        self.volumes = {name: {"name": name, **source} for name, source in self._sources(config).items()}
        home = {"name": "home", "mountPath": str(containers.HOME)}
        temporary = {"name": "temporary", "mountPath": "/tmp"}  # noqa: S108 - the pod's own
        settings = {"name": "settings", "mountPath": str(containers.SETTINGS), "readOnly": True}
        self.volume_mounts = {"home": home, "settings": settings, "temporary": temporary}
        if config.workspace_claim:
            self.volume_mounts["incoming"] = {
                "name": "hub",
                "mountPath": str(containers.HOME / config.incoming.name),
                "subPath": f"{config.incoming.name}/{self.name}",
                "readOnly": True,
            }
        self.working_dir = str(containers.HOME)
        self.init_containers = {"welcome": self._welcome(config, home)}

    def _sources(self, config: HubConfig) -> dict[str, Any]:
        found: dict[str, Any] = {
            "home": {"persistentVolumeClaim": {"claimName": self.pvc_name}},
            "settings": {"configMap": {"name": CONFIG_MAP, "items": items()}},
            "temporary": {"emptyDir": {"sizeLimit": str(containers.LARGEST_TEMPORARY)}},
        }
        if config.workspace_claim:
            found["hub"] = {"persistentVolumeClaim": {"claimName": config.workspace_claim, "readOnly": True}}
        return found

    def _welcome(self, config: HubConfig, home: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": "welcome",
            "image": config.workspace_image,
            "command": ["sh", "-c", WELCOME],
            "env": [{"name": "HOME", "value": str(containers.HOME)}],
            "volumeMounts": [home],
            "securityContext": {**NO_RIGHTS, "runAsUser": config.workspace_uid, "runAsGroup": config.workspace_uid},
        }


def faults(config: HubConfig) -> Iterator[str]:
    """What is wrong with the settings."""
    yield from containers.faults(config)
    if not _NAME.fullmatch(config.workspace_namespace):
        yield "workspace_namespace is no name of a namespace: name the one that the hub is in."
    if not _QUANTITY.fullmatch(config.workspace_storage):
        yield "workspace_storage is no size: write it as 20Gi."
    for setting in ("workspace_storage_class", "workspace_claim", "workspace_pull_secret"):
        if getattr(config, setting) and not _NAME.fullmatch(getattr(config, setting)):
            yield f"{setting} is no name that Kubernetes takes."
