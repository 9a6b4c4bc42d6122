"""What stands before Flower on each listener: pure ASGI, so that it costs next to nothing."""

from __future__ import annotations

import asyncio
import binascii
import hmac
from base64 import b64decode
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from flip_sdk.contract.tasks import MAX_UPDATE_BYTES
from flwr.common.constant import SYSTEM_TIME_TOLERANCE, TIMESTAMP_HEADER, TIMESTAMP_TOLERANCE
from flwr.proto.fleet_pb2 import PullMessagesRequest
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.date import now
from flwr.supercore.primitives.asymmetric import bytes_to_public_key, verify_signature
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flip_hub.flower.state import GatewayState

FLEET = "/v1/fleet/"
FLEET_CALLS = frozenset(
    {
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "push-object",
        "pull-object",
        "confirm-message-received",
    }
)
TRUST_API = "/flip/v1"
WAIT_HEADER = "x-flip-wait"
MAX_WAIT_SECONDS = 20.0
MAX_SMALL_BODY = 64 * 1024
MAX_NOTICE_BODY = 5 * 1024 * 1024
MAX_OBJECT_BODY = MAX_UPDATE_BYTES + 4 * 1024 * 1024


class PublicGuard:
    """The one way in for Trusts: eight calls of Flower's Fleet API and ``/flip/v1``; nothing else is there."""

    def __init__(self, flower: ASGIApp, trust_app: ASGIApp, state: GatewayState) -> None:
        self._flower = flower
        self._trust_app = trust_app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 401, 404 or 413."""
        path = scope.get("path", "")
        if scope["type"] != "http":
            return
        if path.startswith(TRUST_API + "/"):
            below = {**scope, "root_path": scope.get("root_path", "") + TRUST_API}
            await _limited(self._trust_app, MAX_NOTICE_BODY, below, receive, send)
        elif scope["method"] == "POST" and path.startswith(FLEET) and path[len(FLEET) :] in FLEET_CALLS:
            await self._fleet(path[len(FLEET) :], scope, receive, send)
        else:
            await _answer(404, "not_found", scope, receive, send)

    async def _fleet(self, call: str, scope: Scope, receive: Receive, send: Send) -> None:
        # Flower authenticates each call itself, but only once it has read the body: what is large or waits is
        # looked at before
        if call in {"push-object", "pull-messages"} and not self._signed(Headers(scope=scope)):
            await _answer(401, "not_authenticated", scope, receive, send)
        else:
            limit = MAX_OBJECT_BODY if call == "push-object" else MAX_SMALL_BODY
            app = self._pull if call == "pull-messages" else self._flower
            await _limited(app, limit, scope, receive, send)

    def _signed(self, headers: Headers) -> bool:
        try:
            public_key = b64decode(headers[FLEET_HTTP_PUBLIC_KEY_HEADER], validate=True)
            signature = b64decode(headers[FLEET_HTTP_SIGNATURE_HEADER], validate=True)
            timestamp = headers[TIMESTAMP_HEADER]
            age = (now() - datetime.fromisoformat(timestamp)).total_seconds()
            return (
                -SYSTEM_TIME_TOLERANCE < age < TIMESTAMP_TOLERANCE + SYSTEM_TIME_TOLERANCE
                and self._state.knows(public_key)
                and verify_signature(bytes_to_public_key(public_key), timestamp.encode("ascii"), signature)
            )
        except (KeyError, ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
            return False

    async def _pull(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a pull until there is a message for the node, so that idle Trusts cost nothing."""
        body = await _read(receive)
        left = asyncio.ensure_future(receive())
        try:
            wait = min(float(Headers(scope=scope).get(WAIT_HEADER, "0")), MAX_WAIT_SECONDS)
            node_id = PullMessagesRequest.FromString(body).node.node_id
        except (ValueError, DecodeError):
            wait, node_id = 0.0, 0
        held = asyncio.ensure_future(self._state.inward.until(node_id, lambda: self._state.waiting_for(node_id), wait))
        try:
            await asyncio.wait({held, left}, return_when=asyncio.FIRST_COMPLETED)
            # who has hung up must not be handed a message: it would be lost
            if not left.done():
                await self._flower(scope, _replay(body, left), send)
        finally:
            held.cancel()
            left.cancel()


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
            await _answer(401, "not_authenticated", scope, receive, send)


async def _answer(status: int, code: str, scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"code": code, "message": ""}, status_code=status)(scope, receive, send)


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, left: asyncio.Future[Message]) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return pending.pop() if pending else await asyncio.shield(left)

    return receive


async def _limited(app: ASGIApp, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal():
        # with a length said beforehand, the HTTP server itself never passes on more than that
        await _answer(411, "length_required", scope, receive, send)
    elif int(length) > limit:
        await _answer(413, "too_large", scope, receive, send)
    else:
        await app(scope, receive, send)
