"""What every request is held to and every answer carries: the address it names, where it is from, how large it is."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024
STATIC = "/static/"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE = frozenset({"GET", "HEAD"})
_OURS = frozenset({"same-origin", "none"})


class Guard:
    """ASGI middleware around the whole console.

    A page elsewhere can make a browser ask this machine for something under a name of its own (DNS rebinding), or send
    a form here. The first names another address; the second comes from another origin. Both are turned away before
    anything is looked at.

    Args:
        app: what it guards.
        addresses: ``host:port`` by which the console may be called.
        scheme: ``http`` or ``https``.
    """

    def __init__(self, app: ASGIApp, addresses: Iterable[str], scheme: str = "http") -> None:
        self._app, self._addresses = app, frozenset(addresses)
        self._origins = frozenset(f"{scheme}://{address}" for address in self._addresses)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith(STATIC)
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise HTTPException(413, "That is more than a form of this console holds.")
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "private, max-age=3600" if is_static else "no-store")
            await send(message)

        if refused := self._refused(scope["method"], Headers(scope=scope)):
            await PlainTextResponse(refused, 421)(scope, receive, guarded)
            return
        await self._app(scope, limited, guarded)

    def _refused(self, method: str, headers: Headers) -> str:
        if headers.get("host", "").lower() not in self._addresses:
            return "This console answers to its own address alone. Open the address that flip-trust console printed."
        if method in _SAFE:
            return ""
        if headers.get("origin", "").lower() not in self._origins | {""}:
            return "This form was sent from another page. Open the console and send it from there."
        if headers.get("sec-fetch-site", "same-origin") not in _OURS:
            return "This form was sent from another page. Open the console and send it from there."
        return ""
