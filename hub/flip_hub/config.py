"""The hub's configuration: one frozen record, read once at the start and passed in.

``<home>/hub.toml`` first, then the environment (``FLIP_HUB_`` and the setting's name in capitals).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flip_hub.errors import ConfigError

ENVIRONMENT_PREFIX = "FLIP_HUB_"
FILE_NAME = "hub.toml"


@dataclass(frozen=True)
class HubConfig:
    """Every setting of the hub.

    Attributes:
        home: the one folder that holds all of the hub's state.
        title: the hub's name as people and Trusts see it.
        production: refuses what only a demonstration may do (password sign-in, for example).
        encrypted_by: what encrypts the disks, in words, where this machine cannot see it (a hypervisor, for example);
            in production it is told, or dm-crypt is found.
        hub_url: public address of JupyterHub.
        gateway_address: ``host:port`` that Trusts dial; empty: the gateway's own host and port.
        gateway_host: address the gateway listens on.
        gateway_port: port the gateway listens on.
        control_port: loopback port of Flower's Runtime and Control API.
        service_port: loopback port of the governance service, behind the Hub's proxy.
        service_processes: how many processes answer there; as many as cores that pages may use, where many people work.
        dashboards_port: loopback port of Voila, behind the Hub's proxy.
        dashboard_kernels: how many kernels of dashboards may run at once, warm ones included.
        dashboards_warm: how many of them wait, already run, for the next viewers of each dashboard with controls.
        jupyterhub_port: loopback port of JupyterHub's own API.
        proxy_api_port: loopback port on which configurable-http-proxy takes its routes.
        database_url: ``postgresql://name@host/database``, without the password; empty: SQLite in the home folder.
        database_password_file: file that holds the database's password; without it, libpq's own ways (PGPASSWORD,
            PGPASSFILE).
        package_index: address of an index of Python packages (PEP 503 or 691) out of which approved ones are handed to
            workspaces; empty: none are.
        max_package_bytes: largest package that is handed to workspaces.
        max_blob_bytes: largest upload that is taken.
        max_project_bytes: largest sum of one project's uploads.
        max_output_bytes: largest file that is released or brought in.
        max_request_bytes: largest sum of one release request's files.
        disclosure_limits: preset of limits that files are held to before they leave, of ``policies/disclosure``.
        malware_scanner: command that scans a file on its way in, whose path is added (``clamdscan --no-summary
            --fdpass``): it ends with 0 where it found nothing and with 1 where it found something. Production needs it.
        sign_off_hours: how long a signed-off job may run.
        decision_hours: how long a job waits for a reviewer where a person decides; then it ends undecided.
        clock_skew_seconds: how old a Trust's signed notice may be, and how far ahead.
        online_seconds: a Trust that was heard of within this time counts as online.
        task_seconds: how long a task is good for; a round waits that long, and its patience, for a connected Trust.
        image_seconds: the same, where Trusts may have to make their images first.
        patience_seconds: how long a round waits for a Trust that is not connected, before it goes on without it.
        oidc_issuer: ``https`` address of the provider at which people sign in (OpenID Connect). Production needs it.
        oidc_client_id: the hub's name there; its redirect address there is ``<hub_url>/hub/oauth_callback``.
        oidc_client_secret_file: file that holds the hub's secret there (``client_secret_post``).
        oidc_title: the provider's name, on the button.
        oidc_scopes: what the hub asks to be told; ``offline_access`` where refresh tokens are given for it alone.
        oidc_name_claim: claim that is a person's name at this hub.
        oidc_groups_claim: claim that lists a person's groups.
        oidc_organisation_claim: claim that is a person's organisation; empty: it is what the operator registered.
        oidc_roles: which group gives which role: ``group = role``, separated by semicolons. A role that is named here
            is given by its groups alone; the others stay the operator's.
        oidc_registers: whether people in such a group who are not registered yet are registered as they sign in.
        oidc_required_amr: at least one of these methods (RFC 8176, separated by spaces) has to be in ``amr``.
        oidc_required_acr: ``acr`` has to be one of these, where there are any; they are asked for. Production needs one
            of the two.
        oidc_verified_email: whether an e-mail address has to be a verified one, where the provider tells one.
        oidc_refresh_seconds: how often the provider is asked again whether a person who is signed in is still there,
            and in which groups.
        session_idle_minutes: a session in which nothing is done for this long ends.
        session_hours: a session ends after this long, whatever is done.
        listen_address: what the proxy and JupyterHub's own API listen on; containers need an address that they reach.
        spawner: what starts workspaces: ``local`` (processes in a sandbox, for demonstrations), ``systemd`` or
            ``docker`` (one server), or ``kube`` (Kubernetes). Production needs one of the last three.
        workspace_image: container image of workspaces (``docker``, ``kube``).
        workspace_uid: number of the account inside containers; with ``docker``, the hub runs as it or as root.
        workspace_hub_url: JupyterHub's own API as containers reach it, such as ``http://172.30.0.1:8081``.
        workspace_proxy_url: the proxy as containers reach it, such as ``http://172.30.0.1:8000``; empty: ``hub_url``.
        workspace_network: internal network of Docker that workspaces are in.
        workspace_namespace: Kubernetes namespace of workspaces and of the hub.
        workspace_storage_class: Kubernetes storage class of homes; empty: the cluster's own default.
        workspace_storage: size of a home in Kubernetes.
        workspace_claim: the hub's own persistent volume claim in Kubernetes: what was brought in is read from it.
        workspace_pull_secret: name of the Kubernetes secret for the registry; empty: it needs none.
        workspace_account: Unix account that workspaces of ``systemd`` run as; nobody signs in as it.
        workspace_slice: systemd slice that holds all workspaces together.
        workspace_profiles: file of what workspaces may use, instead of ``policies/workspaces/profiles.yaml``.
        workspace_idle_minutes: a workspace that nobody used for this long is stopped.
        workspace_hours: a workspace is stopped after this long, whatever is done in it.
        workspace_grace_minutes: how long a running workspace goes on after its project's quota of GPU-hours is used up.
        dask_gateway_url: address of a dask-gateway, as workspaces reach it (``<hub_url>/services/dask-gateway``), where
            notebooks get their Dask clusters; empty: a cluster is the workspace's own processors.
        emergency_max_hours: how long emergency access may be opened for, at most.
        emergency_review_days: a review of one that takes longer than this is shown as overdue.
        link_days: a link to a dashboard ends after so many days at most.
    """

    home: Path
    title: str = "FLIP hub"
    production: bool = False
    encrypted_by: str = ""
    hub_url: str = "http://127.0.0.1:8000"
    gateway_address: str = ""
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 9443
    control_port: int = 9444
    service_port: int = 8010
    service_processes: int = 1
    dashboards_port: int = 8011
    dashboard_kernels: int = 12
    dashboards_warm: int = 2
    jupyterhub_port: int = 8081
    proxy_api_port: int = 8001
    database_url: str = ""
    database_password_file: str = ""
    package_index: str = ""
    max_package_bytes: int = 1024 * 1024 * 1024
    max_blob_bytes: int = 256 * 1024 * 1024
    max_project_bytes: int = 16 * 1024 * 1024 * 1024
    max_output_bytes: int = 64 * 1024 * 1024
    max_request_bytes: int = 256 * 1024 * 1024
    disclosure_limits: str = "acro"
    malware_scanner: str = ""
    sign_off_hours: float = 24.0
    decision_hours: float = 168.0
    clock_skew_seconds: float = 120.0
    online_seconds: float = 30.0
    task_seconds: float = 120.0
    image_seconds: float = 3600.0
    patience_seconds: float = 30.0
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret_file: str = ""
    oidc_title: str = "your organisation"
    oidc_scopes: str = "openid profile email"
    oidc_name_claim: str = "preferred_username"
    oidc_groups_claim: str = "groups"
    oidc_organisation_claim: str = ""
    oidc_roles: str = ""
    oidc_registers: bool = False
    oidc_required_amr: str = "mfa"
    oidc_required_acr: str = ""
    oidc_verified_email: bool = True
    oidc_refresh_seconds: float = 300.0
    session_idle_minutes: float = 30.0
    session_hours: float = 12.0
    listen_address: str = "127.0.0.1"
    spawner: str = "local"
    workspace_image: str = ""
    workspace_uid: int = 1000
    workspace_hub_url: str = ""
    workspace_proxy_url: str = ""
    workspace_network: str = ""
    workspace_namespace: str = ""
    workspace_storage_class: str = ""
    workspace_storage: str = "20Gi"
    workspace_claim: str = ""
    workspace_pull_secret: str = ""
    workspace_account: str = ""
    workspace_slice: str = "flip-workspaces.slice"
    workspace_profiles: str = ""
    workspace_idle_minutes: float = 240.0
    workspace_hours: float = 168.0
    workspace_grace_minutes: float = 15.0
    dask_gateway_url: str = ""
    emergency_max_hours: float = 4.0
    emergency_review_days: float = 3.0
    link_days: int = 90

    def __post_init__(self) -> None:
        """Refuse a password where it would be shown, copied and backed up with the settings."""
        if urlsplit(self.database_url).password:
            mend = "Write it into a file that only the hub can read, and name that in database_password_file."
            raise ConfigError("The database's password does not belong into its address.", mend)

    @classmethod
    def load(cls, home: Path | str | None = None, environ: Mapping[str, str] = os.environ) -> HubConfig:
        """Read ``hub.toml`` of a home folder, then the environment.

        Args:
            home: the hub's home; without it, ``FLIP_HUB_HOME``.
            environ: the environment to read.

        Raises:
            ConfigError: no home, no file, or a setting that does not fit.
        """
        folder = home or environ.get(ENVIRONMENT_PREFIX + "HOME")
        if not folder:
            raise ConfigError("The hub's home folder is not known.", "Give --home or set FLIP_HUB_HOME.")
        path = Path(folder).absolute()
        return cls(home=path, **(_from_file(path / FILE_NAME) | _from_environment(environ)))

    @property
    def database(self) -> str:
        """SQLAlchemy address of the database."""
        return self.database_url or f"sqlite:///{self.home / 'flip.db'}"

    def database_password(self) -> str:
        """The database's password; empty where it has none, or libpq finds it.

        Raises:
            ConfigError: the file cannot be read, or others can read it too.
        """
        if not self.database_password_file:
            return ""
        return self._private("database_password_file", self.database_password_file)

    def oidc_client_secret(self) -> str:
        """The hub's secret at its provider.

        Raises:
            ConfigError: the file cannot be read, or others can read it too.
        """
        return self._private("oidc_client_secret_file", self.oidc_client_secret_file)

    def _private(self, setting: str, name: str) -> str:
        path = self.home / name
        try:
            if path.stat().st_mode & 0o007:
                raise ConfigError(f"Everybody can read {path}.", f"Close it: chmod 600 {path}.")
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path} cannot be read.", f"Correct {setting}, and let the hub read the file."
            ) from error

    @property
    def gateway(self) -> str:
        """``host:port`` that Trusts dial."""
        return self.gateway_address or f"{self.gateway_host}:{self.gateway_port}"

    @property
    def keys(self) -> Path:
        """Private keys: governance.pem and dispatcher.pem."""
        return self.home / "keys"

    @property
    def tls(self) -> Path:
        """ca.pem, ca.key, server.pem and server.key of the gateway."""
        return self.home / "tls"

    @property
    def secrets(self) -> Path:
        """Shared secrets of the hub's own processes, one file each."""
        return self.home / "secrets"

    @property
    def blobs(self) -> Path:
        """Content-addressed store of graphs, weights, updates and notebooks."""
        return self.home / "blobs"

    @property
    def dashboards(self) -> Path:
        """Published notebooks, ``<project>/<name>/``."""
        return self.home / "dashboards"

    @property
    def workspaces(self) -> Path:
        """Home folders of workspaces, ``<project>/<person>/``."""
        return self.home / "workspaces"

    @property
    def incoming(self) -> Path:
        """Files that the airlock admitted, ``<project>/``: what workspaces see as their ``incoming`` folder."""
        return self.home / "incoming"

    @property
    def airlock(self) -> Path:
        """Where files lie while their checks run."""
        return self.home / "airlock"

    @property
    def jupyterhub(self) -> Path:
        """JupyterHub's own database, cookie secret and pid files."""
        return self.home / "jupyterhub"


_TYPES = {field.name: field.type for field in fields(HubConfig) if field.name != "home"}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no {path}.", "Make the hub's home with: flip-hub init --home …") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "Correct the file.") from error
    if unknown := sorted(set(content) - set(_TYPES)):
        raise ConfigError(f"{path} has unknown settings: {', '.join(unknown)}.", "Remove or correct them.")
    return {name: _checked(name, value) for name, value in content.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {ENVIRONMENT_PREFIX + name.upper(): name for name in _TYPES}
    return {name: _parsed(name, environ[variable]) for variable, name in names.items() if variable in environ}


def _parsed(name: str, text: str) -> object:
    try:
        match _TYPES[name]:
            case "bool":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case "int":
                return int(text)
            case "float":
                return float(text)
            case _:
                return text
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"{ENVIRONMENT_PREFIX}{name.upper()} is not of type {_TYPES[name]}.", "Correct it."
        ) from error


def _checked(name: str, value: object) -> object:
    wanted: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}
    if not isinstance(value, wanted[str(_TYPES[name])]) or (isinstance(value, bool) and _TYPES[name] != "bool"):
        raise ConfigError(f"{FILE_NAME}: {name} is not of type {_TYPES[name]}.", "Correct it.")
    return float(value) if _TYPES[name] == "float" and isinstance(value, int) else value
