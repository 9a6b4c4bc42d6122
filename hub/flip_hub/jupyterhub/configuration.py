"""All of JupyterHub's settings, from the hub's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.service import _ServiceSpawner

from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.jupyterhub.authenticator import PersonAuthenticator
from flip_hub.jupyterhub.proxy import proxy_command
from flip_hub.jupyterhub.roles import FLIP, roles
from flip_hub.jupyterhub.services import RESTART_SECONDS, STOP_SECONDS, services
from flip_hub.jupyterhub.spawner import ProjectSpawner

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_PORT = 8000
SESSION_DAYS = 0.5


def apply(c: Any, config: HubConfig) -> None:
    """Set everything: see :func:`flip_hub.jupyterhub.configure`."""
    for folder in (config.jupyterhub, config.workspaces, config.dashboards, config.home / "logs"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _addresses(c, config)
    _state(c, config)
    _people(c, config)
    _workspaces(c, config)
    c.JupyterHub.services = services(config)
    c.JupyterHub.load_roles = roles()
    # JupyterHub looks for dead services every 30 seconds, waits as long for them to end, and has no setting for it
    _ServiceSpawner.poll_interval = RESTART_SECONDS
    _ServiceSpawner.interrupt_timeout = STOP_SECONDS


def _addresses(c: Any, config: HubConfig) -> None:
    public = urlsplit(config.hub_url)
    base = public.path.rstrip("/") + "/"
    c.JupyterHub.bind_url = f"http://127.0.0.1:{public.port or DEFAULT_PORT}{base}"
    c.JupyterHub.public_url = config.hub_url.rstrip("/") + "/"
    c.JupyterHub.hub_ip = "127.0.0.1"
    c.JupyterHub.hub_port = config.jupyterhub_port
    c.JupyterHub.default_url = f"{base}services/{FLIP}/"
    c.ConfigurableHTTPProxy.command = proxy_command(config)
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{config.proxy_api_port}"
    c.ConfigurableHTTPProxy.log_level = "warn"


def _state(c: Any, config: HubConfig) -> None:
    c.JupyterHub.db_url = f"sqlite:///{config.jupyterhub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(config.jupyterhub / "cookie_secret")
    c.JupyterHub.pid_file = str(config.jupyterhub / "jupyterhub.pid")
    # without its own pid file, two hubs in one folder end each other's proxy
    c.ConfigurableHTTPProxy.pid_file = str(config.jupyterhub / "proxy.pid")
    c.JupyterHub.logging_config = _logging(config)
    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.template_vars = {"hub_title": config.title, "flip_service": FLIP}


def _people(c: Any, config: HubConfig) -> None:
    c.JupyterHub.cookie_max_age_days = SESSION_DAYS
    c.JupyterHub.admin_access = False
    if "authenticator_class" in c.JupyterHub:
        return
    if config.production:
        raise ConfigError(
            "Password sign-in is for demonstrations.",
            "Set c.JupyterHub.authenticator_class to your organisation's sign-in (OpenID Connect) before configure(c).",
        )
    c.JupyterHub.authenticator_class = PersonAuthenticator
    c.PersonAuthenticator.flip_config = config
    c.PersonAuthenticator.any_allow_config = True
    c.PersonAuthenticator.auth_refresh_age = 60


def _workspaces(c: Any, config: HubConfig) -> None:
    c.JupyterHub.allow_named_servers = True
    c.JupyterHub.redirect_to_server = False
    c.Spawner.disable_user_config = True
    c.Spawner.default_url = "/lab"
    c.Spawner.start_timeout = 60
    c.Spawner.http_timeout = 60
    c.Spawner.poll_interval = 15
    c.LocalProcessSpawner.interrupt_timeout = 10
    c.LocalProcessSpawner.term_timeout = 5
    if "spawner_class" in c.JupyterHub:
        return
    if config.production:
        raise ConfigError(
            "Workspaces as local processes are for demonstrations.",
            "Set c.JupyterHub.spawner_class to one that starts containers before configure(c).",
        )
    c.JupyterHub.spawner_class = ProjectSpawner
    c.ProjectSpawner.flip_config = config


def _logging(config: HubConfig) -> dict[str, Any]:
    """To ``<home>/logs/jupyterhub.log``, besides the terminal."""
    file = {
        "class": "logging.handlers.RotatingFileHandler",
        "filename": str(config.home / "logs" / "jupyterhub.log"),
        "maxBytes": 20_000_000,
        "backupCount": 5,
        "encoding": "utf-8",
        "level": "INFO",
        "formatter": "console",
    }
    return {
        "handlers": {"file": file},
        "loggers": {"JupyterHub": {"level": "INFO", "handlers": ["console", "file"]}},
    }
