"""What workspaces in containers have in common: one image, one account, the same places inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from flip_hub.config import HubConfig
from flip_hub.jupyterhub.local import RUNTIME, START
from flip_hub.jupyterhub.spawner import ProjectWorkspace

HOME = Path("/home/researcher")
SETTINGS = Path("/etc/flip/workspace")
"""Where the Jupyter configuration is mounted, read-only."""
PORT = 8888
LARGEST_TEMPORARY = 1024**3
"""Bytes of ``/tmp``, the only other place that can be written."""


class ContainerWorkspace(ProjectWorkspace):
    """A workspace whose files and addresses are not the hub's own."""

    @property
    def home_inside(self) -> Path:
        """The home, as the workspace sees it."""
        return HOME

    @property
    def configuration_inside(self) -> Path:
        """Where the workspace sees its Jupyter configuration."""
        return SETTINGS

    @property
    def proxy_inside(self) -> str:
        """The proxy, as the workspace reaches it."""
        return self.flip_config.workspace_proxy_url or self.flip_config.hub_url

    def get_env(self) -> dict[str, str]:
        """The environment: nothing of the hub's own besides what JupyterHub and the workspace need."""
        return {**super().get_env(), "HOME": str(HOME), "JUPYTER_RUNTIME_DIR": RUNTIME}


def command() -> list[str]:
    """What a container starts: the image's Python has JupyterLab, JupyterHub and flip-sdk."""
    return ["python", "-P", "-c", START]


def faults(config: HubConfig) -> Iterator[str]:
    """What is wrong with the settings that Docker and Kubernetes share."""
    if not config.workspace_image:
        yield "workspace_image is empty: name the image of workspaces, with its digest."
    elif "@sha256:" not in config.workspace_image and config.production:
        yield "workspace_image has no digest: in production name it as image@sha256:…, so that it cannot be exchanged."
    if config.workspace_uid < 1:
        yield "workspace_uid is root's: choose another number."
    if not _is_address(config.workspace_hub_url):
        yield "workspace_hub_url is no http address: say where containers reach JupyterHub's own API."
    if config.workspace_proxy_url and not _is_address(config.workspace_proxy_url):
        yield "workspace_proxy_url is no http address: say where containers reach the proxy, or leave it empty."
    if config.listen_address == "127.0.0.1":
        yield "listen_address is 127.0.0.1, which no container reaches: listen on the network of workspaces."


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
