"""All of JupyterHub's settings, from the hub's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.service import _ServiceSpawner

from flip_hub import encryption
from flip_hub.config import HubConfig
from flip_hub.errors import ConfigError
from flip_hub.jupyterhub.authenticator import PersonAuthenticator
from flip_hub.jupyterhub.forms import CONTAINERS, spawner
from flip_hub.jupyterhub.organisation import PATIENCE, OrganisationAuthenticator
from flip_hub.jupyterhub.provider import check_issuer
from flip_hub.jupyterhub.proxy import proxy_command, proxy_port
from flip_hub.jupyterhub.roles import FLIP, roles
from flip_hub.jupyterhub.services import RESTART_SECONDS, STOP_SECONDS, services
from flip_hub.jupyterhub.signing import EACH_REQUEST
from flip_hub.keys import secret
from flip_hub.oidc import Rules

TEMPLATES = Path(__file__).parent / "templates"


def apply(c: Any, config: HubConfig) -> None:
    """Set everything: see :func:`flip_hub.jupyterhub.configure`."""
    for folder in (config.jupyterhub, config.workspaces, config.dashboards, config.home / "logs"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _addresses(c, config)
    _state(c, config)
    _people(c, config)
    _workspaces(c, config)
    encryption.required(config)
    c.JupyterHub.services = services(config)
    c.JupyterHub.load_roles = roles()
    # JupyterHub looks for dead services every 30 seconds, waits as long for them to end, and has no setting for it
    _ServiceSpawner.poll_interval = RESTART_SECONDS
    _ServiceSpawner.interrupt_timeout = STOP_SECONDS


def _addresses(c: Any, config: HubConfig) -> None:
    public = urlsplit(config.hub_url)
    if config.production and public.scheme != "https":
        mend = "Set hub_url to the https address that people's browsers know."
        raise ConfigError("Without https, sessions could be read on their way.", mend)
    base = public.path.rstrip("/") + "/"
    c.JupyterHub.bind_url = f"http://{config.listen_address}:{proxy_port(config)}{base}"
    c.JupyterHub.public_url = config.hub_url.rstrip("/") + "/"
    c.JupyterHub.hub_ip = config.listen_address
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
    c.JupyterHub.template_vars = {
        "hub_title": config.title,
        "flip_service": FLIP,
        "idle_minutes": round(config.session_idle_minutes),
        "longest_hours": round(config.session_hours),
    }


def _people(c: Any, config: HubConfig) -> None:
    # the session table ends sessions; a cookie that is younger than its session is never what ends one early
    c.JupyterHub.cookie_max_age_days = 2 * config.session_hours / 24
    c.JupyterHub.oauth_token_expires_in = round(config.session_hours * 3600)
    c.JupyterHub.tornado_settings = {"cookie_options": {"samesite": "Lax"}}
    c.JupyterHub.admin_access = False
    c.KnownPeople.auth_refresh_age = EACH_REQUEST
    c.KnownPeople.auth_refresh_age = EACH_REQUEST
    c.KnownPeople.auth_refresh_strict = True
    if "authenticator_class" in c.JupyterHub:
        return
    if config.oidc_issuer:
        _organisation(c, config)
    elif config.production:
        raise ConfigError(
            "Password sign-in is for demonstrations.",
            "Set oidc_issuer and what belongs to it to your organisation's sign-in (docs/identity.md), or "
            "c.JupyterHub.authenticator_class to a KnownPeople of your own before configure(c).",
        )
    else:
        c.JupyterHub.authenticator_class = PersonAuthenticator
        c.PersonAuthenticator.flip_config = config
        c.PersonAuthenticator.any_allow_config = True


def _organisation(c: Any, config: HubConfig) -> None:
    """Sign-in at a provider (OpenID Connect)."""
    check_issuer(config.oidc_issuer, production=config.production)
    Rules.of(config)
    if not (config.oidc_client_id and config.oidc_client_secret_file):
        mend = "Set oidc_client_id and oidc_client_secret_file as the provider has them."
        raise ConfigError("The hub has no name, or no secret, at its provider.", mend)
    c.JupyterHub.authenticator_class = OrganisationAuthenticator
    settings = c.OrganisationAuthenticator
    settings.flip_config = config
    settings.client_id = config.oidc_client_id
    settings.client_secret = config.oidc_client_secret()
    settings.oauth_callback_url = f"{config.hub_url.rstrip('/')}/hub/oauth_callback"
    settings.login_service = config.oidc_title
    settings.scope = config.oidc_scopes.split()
    settings.enable_pkce = True
    settings.enable_auth_state = True
    settings.any_allow_config = True
    settings.http_request_kwargs = PATIENCE
    if config.oidc_required_acr:
        settings.extra_authorize_params = {"acr_values": config.oidc_required_acr}
    c.CryptKeeper.keys = [bytes.fromhex(secret(config, "auth-state"))]


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
    if config.production and config.spawner == "local":
        raise ConfigError(
            "Workspaces as local processes are for demonstrations.",
            "Set spawner to systemd, docker or kube (docs/workspaces.md), or c.JupyterHub.spawner_class to a "
            "ProjectWorkspace of your own before configure(c).",
        )
    c.JupyterHub.spawner_class = spawner(config)
    c.ProjectWorkspace.flip_config = config
    # what runs on another machine, or as a unit of its own, outlives a hub that is restarted to be upgraded
    c.JupyterHub.cleanup_servers = config.spawner == "local"
    if config.spawner in CONTAINERS:
        c.JupyterHub.hub_connect_url = config.workspace_hub_url
        # an image may have to be fetched, and a node to be made
        c.Spawner.start_timeout = 300


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
