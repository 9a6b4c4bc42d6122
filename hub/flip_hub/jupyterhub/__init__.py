"""JupyterHub as FLIP runs it: one project = one workspace, open only while the project is."""

from __future__ import annotations

from typing import Any

from flip_hub.config import HubConfig


def configure(c: Any, config: HubConfig | None = None) -> None:
    """Configure JupyterHub: the one line of ``jupyterhub_config.py``.

    In production, people sign in at their organisations (``oidc_issuer``), and ``spawner`` says what starts workspaces:
    ``systemd``, ``docker`` or ``kube``. A site's own configuration may set a ``c.JupyterHub.spawner_class`` before it
    calls this, which has to be a :class:`flip_hub.jupyterhub.spawner.ProjectWorkspace`, and an ``authenticator_class``,
    which has to be a :class:`flip_hub.jupyterhub.signing.KnownPeople`: gate and sessions are theirs.

    Args:
        c: JupyterHub's configuration object (``get_config()``).
        config: the hub's configuration; without it, that of ``FLIP_HUB_HOME``.

    Raises:
        ConfigError: npm packages are missing; or production with what only a demonstration may do.
    """
    from flip_hub.jupyterhub.configuration import apply

    apply(c, config or HubConfig.load())
