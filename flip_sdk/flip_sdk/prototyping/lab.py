"""The Dask panes of JupyterLab: an extension of the workspace's own server that shows one dashboard and nothing else.

JupyterLab's part is dask-labextension's. Its server part starts clusters that listen on ports, and its proxy fetches
from any address of this computer; this one reads the running cluster's socket and answers GET alone, with what a page
needs.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, NoReturn

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.iostream import StreamClosedError
from tornado.netutil import Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from flip_sdk.prototyping import meeting
from flip_sdk.prototyping.local import link

RESOURCE = "dask"
"""What an authoriser is asked for."""
PAGE = r"(?:individual-[a-z-]+|status|workers|tasks|system|profile|graph|groups)"
READABLE = re.compile(rf"{PAGE}|individual-plots\.json|statics/[\w./-]+|static/[\w./-]+")
TYPES = ("text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/", "font/")
LARGEST_BYTES = 8 * 2**20
"""Of one answer: twice the largest script of the dashboard."""
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-scripts allow-same-origin"
)
"""A page of the dashboard loads nothing from elsewhere and starts no download."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "flip_sdk.prototyping.lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = url_path_join(server.web_app.settings["base_url"], "dask")
    dashboard = rf"{base}/dashboard/(?P<cluster>[0-9a-f]{{16}})"
    server.web_app.add_handlers(
        ".*$",
        [
            (rf"{base}/clusters/?", ClustersHandler),
            (rf"{base}/clusters/[\w-]+", ClustersHandler),
            (rf"{base}/dashboard-check/.+", CheckHandler),
            (rf"{dashboard}/(?P<page>{PAGE})/ws", LiveHandler),
            (rf"{dashboard}/(?P<path>[^?]*)", PaneHandler),
        ],
    )


class ClustersHandler(APIHandler):
    """The workspace's clusters: none, or the one."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    def get(self) -> None:
        """As dask-labextension reads it."""
        known = meeting.found()
        models = [] if known is None else [_model(known)]
        self.finish(json.dumps(models))

    @web.authenticated
    @authorized
    def put(self) -> NoReturn:
        """Clusters belong to kernels."""
        raise web.HTTPError(HTTPStatus.FORBIDDEN, "Start a cluster in a notebook: flip.dask_client()")

    @web.authenticated
    @authorized
    def delete(self) -> NoReturn:
        """Clusters belong to kernels."""
        raise web.HTTPError(HTTPStatus.FORBIDDEN, "End the cluster in a notebook: flip.dask_client().shutdown()")

    patch = put


class CheckHandler(APIHandler):
    """Whether another address has a dashboard: this server asks no other address."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    def get(self) -> None:
        """As dask-labextension reads it."""
        self.finish(json.dumps({"url": "", "isActive": False, "plots": {}}))


class PaneHandler(JupyterHandler):
    """A page of the dashboard, or what it is made of."""

    auth_resource = RESOURCE

    @property
    def content_security_policy(self) -> str:
        """In JupyterLab's own frames, and nowhere else."""
        return POLICY

    def set_default_headers(self) -> None:
        """JupyterHub forbids all frames, before the policy of a handler is asked."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)

    @web.authenticated
    @authorized
    async def get(self, cluster: str, path: str) -> None:
        """Fetch it over the cluster's socket.

        Raises:
            HTTPError: 404 for what a dashboard does not have, and where the cluster does not run.
        """
        _require(cluster)
        if not READABLE.fullmatch(path) or ".." in path:
            raise web.HTTPError(HTTPStatus.NOT_FOUND)
        answer = await _fetch(f"/{path}?{self.request.query}")
        kind = answer.headers.get("Content-Type", "")
        if answer.code != HTTPStatus.OK or not kind.startswith(TYPES):
            raise web.HTTPError(HTTPStatus.NOT_FOUND)
        self.set_header("Content-Type", kind)
        self.finish(answer.body)


class LiveHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """What moves on a page."""

    auth_resource = RESOURCE
    _upstream: WebSocketClientConnection | None = None

    def set_default_headers(self) -> None:
        """None of them makes sense for a websocket."""

    @ws_authenticated
    @authorized
    async def get(self, cluster: str, page: str) -> None:
        """Connect to the cluster first, then to the browser.

        Raises:
            HTTPError: 404 where the cluster does not run.
        """
        _require(cluster)
        wanted = self.request.headers.get("Sec-WebSocket-Protocol", "")
        request = HTTPRequest(f"ws://dask/{page}/ws?{self.request.query}", request_timeout=_SECONDS)
        protocols = [word.strip() for word in wanted.split(",") if word.strip()]
        try:
            self._upstream = await websocket_connect(
                request, subprotocols=protocols, resolver=_SocketResolver(), on_message_callback=self._onwards
            )
        except (OSError, StreamClosedError, HTTPClientError) as error:
            raise web.HTTPError(HTTPStatus.NOT_FOUND) from error
        await super().get(cluster=cluster, page=page)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Bokeh's; what else is told there is a token."""
        return "bokeh" if "bokeh" in subprotocols else None

    def open(self, cluster: str, page: str) -> None:  # noqa: ARG002
        """Keep the connection alive."""
        super().open()

    async def on_message(self, message: str | bytes) -> None:
        """From the browser to the cluster."""
        if self._upstream is not None:
            await self._upstream.write_message(message, binary=isinstance(message, bytes))

    def _onwards(self, message: str | bytes | None) -> None:
        if message is None:
            self.close()
        elif self.ws_connection is not None:
            self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        """The page was left."""
        super().on_close()
        if self._upstream is not None:
            self._upstream.close()


_SECONDS = 20.0


class _SocketResolver(Resolver):
    """Every name is the cluster's socket: there is no other place to ask."""

    async def resolve(self, *_: Any, **__: Any) -> list[tuple[int, Any]]:
        import socket

        return [(socket.AF_UNIX, str(meeting.dashboard_socket()))]


def _require(cluster: str) -> None:
    known = meeting.found()
    if known is None or known.id != cluster:
        raise web.HTTPError(HTTPStatus.NOT_FOUND, "This Dask cluster ended.")


async def _fetch(address: str) -> HTTPResponse:
    client = SimpleAsyncHTTPClient(force_instance=True, resolver=_SocketResolver(), max_body_size=LARGEST_BYTES)
    try:
        return await client.fetch(
            HTTPRequest(f"http://dask{address}", follow_redirects=False, request_timeout=_SECONDS), raise_error=False
        )
    except (OSError, StreamClosedError, HTTPClientError) as error:
        raise web.HTTPError(HTTPStatus.NOT_FOUND) from error
    finally:
        client.close()


def _model(known: meeting.Meeting) -> dict[str, Any]:
    return {
        "id": known.id,
        "name": "This workspace's cluster",
        "scheduler_address": known.address,
        "dashboard_link": link(known.id),
        "workers": known.workers,
        "cores": known.cores,
        "memory": f"{known.memory_bytes / 2**30:.1f} GiB",
    }
