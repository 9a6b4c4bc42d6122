"""One dashboard's page, for whoever may see it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import tornado.web
import voila
from flip_sdk.errors import PublicError
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import split_host_and_port
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from flip_hub.dashboards.access import may_view
from flip_hub.dashboards.drawing import PAGE
from flip_hub.dashboards.page_policy import content_security_policy, static_policy
from flip_hub.dashboards.pages import key, of_viewer
from flip_hub.dashboards.public import caller, public_version
from flip_hub.dashboards.refused import refusal_page
from flip_hub.dashboards.streaming import FAILED, with_signs_of_life
from flip_hub.dashboards.versions import may_embed
from flip_hub.database import DashboardVersion
from flip_hub.errors import MissingError
from flip_hub.governance.office import Office

if TYPE_CHECKING:
    from flip_hub.dashboards.app import DashboardsApp

_NOT_MADE = "This page could not be made just now. Open it again in a minute."


class RenderHandler(JupyterHandler):
    """Answers at a dashboard's address."""

    def initialize(self, office: Office, app: DashboardsApp) -> None:
        """Take governance, and the service."""
        self.office, self.dashboards = office, app

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
        try:
            live = row.personal or (await pages.known(row)).live
        except (RuntimeError, TimeoutError) as error:
            raise HTTPError(503, _NOT_MADE) from error
        if not live:
            self._write_drawn(row, "no-store")
            return
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        if (ready := None if row.personal else pages.take(row, person)) is not None:
            self.write(pages.completed(row, ready.html))
        else:
            await self._stream(row, person)

    async def _stream(self, row: DashboardVersion, person: str) -> None:
        """Make the page in a kernel of this person's, and send it piece by piece.

        Whatever ends this before the page is whole, ends the kernel too.
        """
        pages = self.dashboards.pages
        making = await pages.begin(row, of_viewer(row, person), self._told())
        try:
            async with aclosing(with_signs_of_life(making.pieces)) as pieces:
                async for piece in pieces:
                    self.write(pages.completed(row, piece))
                    await self.flush()
        except StreamClosedError:
            await pages.end(making.kernel_id)
        except BaseException as error:
            await pages.end(making.kernel_id)
            if not self._headers_written and isinstance(error, (RuntimeError, TimeoutError)):
                raise HTTPError(503, _NOT_MADE) from error
            if self._headers_written:
                self.write(FAILED)
            raise

    def _told(self) -> dict[str, str]:
        """What a notebook finds in its environment of who asks for it, by the names that Voila gives them."""
        host, port = split_host_and_port(self.request.host.lower())
        return {
            "SCRIPT_NAME": self.request.path,
            "PATH_INFO": "",
            "QUERY_STRING": self.request.query,
            "SERVER_SOFTWARE": f"voila/{voila.__version__}",
            "SERVER_PROTOCOL": self.request.version,
            "SERVER_NAME": host,
            "SERVER_PORT": str(port or ""),
            "VOILA_PREHEAT": "False",
            "VOILA_BASE_URL": self.base_url,
            "VOILA_SERVER_URL": self.settings.get("server_url", "/"),
            "VOILA_REQUEST_URL": self.request.full_url(),
            "VOILA_APP_PORT": str(port or ""),
        }
