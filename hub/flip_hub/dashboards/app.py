"""The service: Voila, cut down to showing one notebook to one signed-in person."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tornado.web
from jupyter_server.auth.decorator import authorized
from jupyterhub.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import RedirectHandler
from traitlets import Instance
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler

from flip_hub import sandbox
from flip_hub.config import HubConfig
from flip_hub.dashboards.drawing import CELL_SECONDS
from flip_hub.dashboards.files import for_signed_in
from flip_hub.dashboards.identity import HubIdentityProvider, OwnKernelAuthorizer
from flip_hub.dashboards.kernels import DashboardKernels, SandboxedKernelManager
from flip_hub.dashboards.layout import NOTEBOOK
from flip_hub.dashboards.pages import Pages
from flip_hub.dashboards.public import Turnstile
from flip_hub.dashboards.render import RenderHandler
from flip_hub.dashboards.sockets import KernelSocket
from flip_hub.dashboards.upkeep import EVERY_MS, Upkeep
from flip_hub.governance.office import Office
from flip_hub.jupyterhub.roles import FLIP

CULL_SECONDS = 600
SHARE = Path(__file__).parent / "share"
"""A Jupyter data folder, with the template of the pages."""
_NAME = r"([a-z0-9][a-z0-9-]{0,39})"
_VERSION = r"([1-9][0-9]{0,5})"
_EXTENSIONS = ("@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget")
"""What draws controls; JupyterLab's others are for a workspace, and a page would fetch each."""
_KEPT = ("/api/kernels/", "/voila/static/", "/voila/templates/", "/voila/labextensions/")


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
    office = Instance(Office)
    pages = Instance(Pages)
    turnstile = Instance(Turnstile, ())

    def init_handlers(self) -> list[Any]:
        """Only what a rendered page needs; everything else does not exist."""
        kept = [self._watched(handler) for handler in super().init_handlers() if self._keeps(handler[0])]
        options = {"office": self.office, "app": self}
        return [
            *kept,
            (url_path_join(self.server_url, r"voila/api/shutdown/(.*)"), StopHandler),
            (
                url_path_join(self.server_url, f"voila/render/{_NAME}/{_NAME}/(?:{_VERSION}/)?{re.escape(NOTEBOOK)}"),
                RenderHandler,
                options,
            ),
            (url_path_join(self.server_url, "?"), RedirectHandler, {"url": f"/services/{FLIP}/", "permanent": False}),
        ]

    def listen(self) -> None:
        """Serve, with a round of upkeep each second."""
        self.upkeep = PeriodicCallback(Upkeep(self.office, self.pages).round, EVERY_MS)
        self.upkeep.start()
        super().listen()

    def _watched(self, handler: Any) -> Any:
        """A handler; a kernel's socket passes on what a viewer may say, and files are for the signed-in alone."""
        if handler[0].endswith("/channels"):
            return (handler[0], KernelSocket, *handler[2:])
        if issubclass(handler[1], tornado.web.StaticFileHandler):
            return (handler[0], for_signed_in(handler[1]), *handler[2:])
        return handler

    def _keeps(self, pattern: str) -> bool:
        path = "/" + pattern.removeprefix(self.server_url).lstrip("/")
        return path.startswith((*_KEPT, "/oauth_callback"))


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
    c.VoilaConfiguration.extension_allowlist = list(_EXTENSIONS)
    c.VoilaConfiguration.multi_kernel_manager_class = DashboardKernels
    c.DashboardKernels.kernel_manager_class = f"{SandboxedKernelManager.__module__}.{SandboxedKernelManager.__name__}"
    c.SandboxedKernelManager.autorestart = False
    c.VoilaExecutor.timeout = CELL_SECONDS
    c.DashboardKernels.most = config.dashboard_kernels
    c.DashboardKernels.cull_idle_timeout = CULL_SECONDS
    c.DashboardKernels.cull_interval = 60
    c.DashboardKernels.cull_connected = True
    return c


def run(config: HubConfig) -> None:
    """Serve: see :func:`flip_hub.dashboards.serve`."""
    os.environ["JUPYTER_PATH"] = str(SHARE)
    settings = voila_config(config, dict(os.environ))
    office = Office.of(config)
    app = DashboardsApp(config=settings, flip_config=config, office=office)
    app.pages = Pages(app, office, config.dashboards_warm)
    app.config.SandboxedKernelManager.sandboxed = sandbox.required(config, app.log, "Dashboards")
    app.initialize([])
    app.start()
