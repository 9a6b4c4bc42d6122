"""The service: Voila, cut down to rendering one notebook for one signed-in member."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tornado.web
from flip_sdk.errors import PublicError
from jupyter_server.auth.decorator import authorized
from jupyterhub.utils import url_path_join
from tornado.web import HTTPError, RedirectHandler
from traitlets import Instance
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.tornado.handler import TornadoVoilaHandler

from flip_hub import sandbox
from flip_hub.config import HubConfig
from flip_hub.dashboards.access import NOTEBOOK, check_may_view
from flip_hub.dashboards.identity import HubIdentityProvider, OwnKernelAuthorizer
from flip_hub.dashboards.kernels import DashboardKernels, SandboxedKernelManager, viewed_by
from flip_hub.dashboards.refused import refusal_page
from flip_hub.errors import MissingError
from flip_hub.jupyterhub.roles import FLIP

CULL_SECONDS = 600
SHARE = Path(__file__).parent / "share"
"""A Jupyter data folder, with the template of the pages."""
_NAME = r"([a-z0-9][a-z0-9-]{0,39})"
_KEPT = ("/api/kernels/", "/voila/static/", "/voila/templates/", "/voila/api/themes/", "/voila/labextensions/")


class RenderHandler(TornadoVoilaHandler):  # type: ignore[misc]
    """One dashboard's page, for a member of its project."""

    def initialize(self, flip_config: HubConfig, **kwargs: Any) -> None:
        """Take what Voila's handler takes, and the hub's configuration."""
        self.flip_config = flip_config
        super().initialize(**kwargs)

    def set_default_headers(self) -> None:
        """Confine the page: its scripts reach this service only, and no other page of the hub or of the world."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", content_security_policy(self.request.protocol, self.request.host))

    @property
    def content_security_policy(self) -> str:
        """The same, where Jupyter Server asks for it."""
        return content_security_policy(self.request.protocol, self.request.host)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say why the page is not shown."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        reason = (error.get_message() or "") if isinstance(error, HTTPError) else ""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(refusal_page(self.flip_config.title, status_code, reason))

    @tornado.web.authenticated
    async def get(self, project: str, name: str) -> None:
        """Render it in a fresh kernel."""
        person: str = self.current_user.username
        try:
            check_may_view(self.flip_config, person, project, name)
        except PublicError as error:
            raise HTTPError(404 if isinstance(error, MissingError) else 403, "%s", str(error)) from error
        with viewed_by(person):
            await super().get(f"{project}/{name}/{NOTEBOOK}")


class StopHandler(VoilaShutdownKernelHandler):  # type: ignore[misc]
    """The page was closed: its kernel ends."""

    auth_resource = "kernels"

    @tornado.web.authenticated
    @authorized
    async def post(self, kernel_id: str) -> None:
        """Stop one's own kernel."""
        await super().post(kernel_id)


class DashboardsApp(Voila):  # type: ignore[misc]
    """Voila with sign-in, without its tree of files.

    Attributes:
        flip_config: the hub's configuration.
    """

    name = "dashboards"
    flip_config = Instance(HubConfig)

    def init_handlers(self) -> list[Any]:
        """Only what a rendered page needs; everything else does not exist."""
        kept = [handler for handler in super().init_handlers() if self._keeps(handler[0])]
        options = {
            "flip_config": self.flip_config,
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
        return [
            *kept,
            (url_path_join(self.server_url, r"voila/api/shutdown/(.*)"), StopHandler),
            (
                url_path_join(self.server_url, f"voila/render/{_NAME}/{_NAME}/{re.escape(NOTEBOOK)}"),
                RenderHandler,
                options,
            ),
            (url_path_join(self.server_url, "?"), RedirectHandler, {"url": f"/services/{FLIP}/", "permanent": False}),
        ]

    def _keeps(self, pattern: str) -> bool:
        path = "/" + pattern.removeprefix(self.server_url).lstrip("/")
        return path.startswith((*_KEPT, "/oauth_callback"))


def content_security_policy(protocol: str, host: str) -> str:
    """What a dashboard's page may load and reach.

    Its notebook was written by a researcher, and is viewed by colleagues under their own session at the same host.
    """
    own = f"{host}/services/dashboards/"
    sockets = "wss" if protocol == "https" else "ws"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src {protocol}://{own} {sockets}://{own}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "sandbox allow-scripts allow-same-origin",
        )
    )


def voila_config(config: HubConfig, environ: dict[str, str]) -> Config:
    """Voila's settings for a service that JupyterHub started with this environment."""
    address = urlsplit(environ["JUPYTERHUB_SERVICE_URL"])
    c = Config()
    c.DashboardsApp.root_dir = str(config.dashboards)
    c.DashboardsApp.ip = address.hostname
    c.DashboardsApp.port = address.port
    c.DashboardsApp.port_retries = 0
    c.DashboardsApp.base_url = environ["JUPYTERHUB_SERVICE_PREFIX"]
    c.DashboardsApp.open_browser = False
    c.DashboardsApp.auto_token = True
    c.DashboardsApp.config_file_paths = []
    c.DashboardsApp.identity_provider_class = HubIdentityProvider
    c.DashboardsApp.authorizer_class = OwnKernelAuthorizer
    c.HubOAuth.cache_max_age = 30
    c.VoilaConfiguration.template = "flip"
    c.VoilaConfiguration.strip_sources = True
    c.VoilaConfiguration.show_tracebacks = False
    c.VoilaConfiguration.allow_template_override = "NO"
    c.VoilaConfiguration.allow_theme_override = "NO"
    c.VoilaConfiguration.file_allowlist = []
    c.VoilaConfiguration.multi_kernel_manager_class = DashboardKernels
    c.DashboardKernels.kernel_manager_class = f"{SandboxedKernelManager.__module__}.{SandboxedKernelManager.__name__}"
    c.DashboardKernels.cull_idle_timeout = CULL_SECONDS
    c.DashboardKernels.cull_interval = 60
    c.DashboardKernels.cull_connected = True
    return c


def run(config: HubConfig) -> None:
    """Serve: see :func:`flip_hub.dashboards.serve`."""
    os.environ["JUPYTER_PATH"] = str(SHARE)
    settings = voila_config(config, dict(os.environ))
    app = DashboardsApp(config=settings, flip_config=config)
    app.config.SandboxedKernelManager.sandboxed = sandbox.required(config, app.log, "Dashboards")
    app.initialize([])
    app.start()
