"""The service: Voila, cut down to showing one notebook to one signed-in person."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tornado.web
from flip_sdk.errors import PublicError
from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyterhub.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError, RedirectHandler
from traitlets import Instance
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.tornado.handler import TornadoVoilaHandler

from flip_hub import sandbox
from flip_hub.config import HubConfig
from flip_hub.dashboards.access import may_view
from flip_hub.dashboards.drawing import CELL_SECONDS, PAGE
from flip_hub.dashboards.files import for_signed_in
from flip_hub.dashboards.identity import HubIdentityProvider, OwnKernelAuthorizer
from flip_hub.dashboards.kernels import DashboardKernels, SandboxedKernelManager, started_for
from flip_hub.dashboards.layout import NOTEBOOK, path_of
from flip_hub.dashboards.page_policy import content_security_policy, static_policy
from flip_hub.dashboards.pages import Pages, key, of_viewer
from flip_hub.dashboards.public import Turnstile, caller, public_version
from flip_hub.dashboards.refused import refusal_page
from flip_hub.dashboards.sockets import KernelSocket
from flip_hub.dashboards.upkeep import EVERY_MS, Upkeep
from flip_hub.dashboards.versions import may_embed
from flip_hub.database import DashboardVersion
from flip_hub.errors import MissingError
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


class RenderHandler(TornadoVoilaHandler):  # type: ignore[misc]
    """One dashboard's page, for whoever may see it."""

    def initialize(self, office: Office, app: DashboardsApp, **kwargs: Any) -> None:
        """Take what Voila's handler takes, governance, and the service."""
        self.office, self.dashboards = office, app
        self._streamed: DashboardVersion | None = None
        super().initialize(**kwargs)

    def set_default_headers(self) -> None:
        """Confine the page: its scripts reach this service only, and no other page of the hub or of the world."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", content_security_policy(self.request.protocol, self.request.host))

    @property
    def content_security_policy(self) -> str:
        """The same, where Jupyter Server asks for it."""
        return content_security_policy(self.request.protocol, self.request.host)

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """Complete what Voila sends piece by piece."""
        if self._streamed is not None and isinstance(chunk, str):
            chunk = self.dashboards.pages.completed(self._streamed, chunk)
        super().write(chunk)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say why the page is not shown."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        reason = (error.get_message() or "") if isinstance(error, HTTPError) else ""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(refusal_page(self.office.config.title, status_code, reason))

    @allow_unauthenticated
    async def get(self, project: str, name: str, version: str | None = None) -> None:
        """The page: to whoever is signed in; what was released to everybody and drawn, to others too."""
        number = int(version) if version else None
        if self.current_user is None and await self._shown_to_nobody(project, name, number):
            return
        # who is not signed in is sent to sign in, whether there is such a dashboard or not
        if (showing := self._for_person(project, name, number)) is not None:
            await showing

    async def _shown_to_nobody(self, project: str, name: str, number: int | None) -> bool:
        """Show a page without scripts, for which nothing is run; whoever keeps it asks whether it still holds."""
        asking = caller(self.request.headers.get("X-Forwarded-For"), str(self.request.remote_ip))
        if not self.dashboards.turnstile.admits(asking):
            self.set_header("Retry-After", "5")
            raise HTTPError(429, "Too many people look at once. Try again in a moment, or sign in.")
        row = await asyncio.to_thread(public_version, self.office, project, name, number)
        if row is None or row.personal:
            return False
        if (drawn := self.dashboards.pages.drawn(row)) is None:
            self.set_header("Retry-After", "10")
            raise HTTPError(503, "This page was released a moment ago and is being drawn. Try again in a minute.")
        if not drawn.live:
            self._write_drawn(row, "public, no-cache")
        return not drawn.live

    def _write_drawn(self, row: DashboardVersion, kept: str) -> None:
        try:
            page = (self.dashboards.pages.folder(key(row)) / PAGE).read_bytes()
        except FileNotFoundError as error:
            # revoked since its row was read, and cleared
            raise HTTPError(404, "This dashboard is not there any more.") from error
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Security-Policy", static_policy(may_embed(row)))
        self.set_header("Cache-Control", kept)
        self.write(page)

    @tornado.web.authenticated
    async def _for_person(self, project: str, name: str, number: int | None) -> None:
        """Show what was drawn, where it is the same for everybody; else hand a kernel over, or start one."""
        person: str = self.current_user.username
        try:
            row = await asyncio.to_thread(may_view, self.office, person, project, name, number)
            await self._show(row, person)
        except PublicError as error:
            raise HTTPError(404 if isinstance(error, MissingError) else 403, "%s", str(error)) from error

    async def _show(self, row: DashboardVersion, person: str) -> None:
        pages = self.dashboards.pages
        if not row.personal and not (await pages.known(row)).live:
            self._write_drawn(row, "no-store")
        elif (ready := None if row.personal else pages.take(row, person)) is not None:
            self.set_header("Content-Type", "text/html; charset=UTF-8")
            self.set_header("Cache-Control", "no-store")
            self.write(pages.completed(row, ready.html))
        else:
            await pages.content(row)
            self._streamed = row
            with started_for(of_viewer(row, person)):
                await super().get(f"{path_of(row.project_id, row.name, row.version)}/{NOTEBOOK}")


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
        options = {
            "office": self.office,
            "app": self,
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
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
