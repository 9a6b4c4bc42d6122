"""What stands before each of the gateway's listeners: pure ASGI, and whatever is not named here is not there."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from flip_hub.flower.fleet import PREFIX, problem, refusal_of_length

TRUST_API = "/flip/v1"
MAX_NOTICE_BODY = 5 * 1024 * 1024


class PublicGuard:
    """The one way in for Trusts: Flower's Fleet API and ``/flip/v1``."""

    def __init__(self, fleet: ASGIApp, trust_app: ASGIApp) -> None:
        self._fleet = fleet
        self._trust_app = trust_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 404, 411 or 413."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.startswith(PREFIX):
            await self._fleet(scope, receive, send)
        elif not path.startswith(TRUST_API + "/"):
            await problem(404)(scope, receive, send)
        elif refused := refusal_of_length(scope, MAX_NOTICE_BODY):
            await refused(scope, receive, send)
        else:
            mounted = {**scope, "root_path": scope.get("root_path", "") + TRUST_API}
            await self._trust_app(mounted, receive, send)


class SecretGuard:
    """Before the loopback listener: everything needs the hub's own secret."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._expected = f"Bearer {secret}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 401."""
        if scope["type"] != "http":
            return
        given = Headers(scope=scope).get("authorization", "").encode()
        if hmac.compare_digest(given, self._expected):
            await self._app(scope, receive, send)
        else:
            await problem(401)(scope, receive, send)
