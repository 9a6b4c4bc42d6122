"""What every answer carries and every request is held to: headers that let nothing foreign in, and a size."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Of everything but blobs, whose own limit is a setting."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware around the whole service.

    Args:
        app: what it guards.
        prefix: path of the service, with a slash at both ends.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._static = app, prefix + "static/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith(self._static)
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise HTTPException(413, f"More than {MAX_BODY_BYTES:,} bytes.")
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = headers.get("content-security-policy", "")
                headers.update(HEADERS)
                if own.startswith("sandbox;"):
                    # a file that somebody uploaded: held to more, not to less
                    headers["content-security-policy"] = own
                headers.setdefault("cache-control", "public, max-age=3600" if is_static else "no-store")
            await send(message)

        is_blob = scope["method"] == "PUT" and ("/blobs/" in scope["path"] or "/ingress/uploads/" in scope["path"])
        await self._app(scope, receive if is_blob else limited, guarded)
