"""Flower's Fleet API, as far as a Trust needs it: eight calls, each answered by Flower's own handler on Flower's state.

Flower's FastAPI application is left out: its middleware costs nine milliseconds a request, its Control and Runtime APIs
have no business in this process, and it reads a body of any size before it asks who sent it.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from logging import getLogger
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from flip_sdk.contract.tasks import MAX_UPDATE_BYTES
from flwr.common.constant import SYSTEM_TIME_TOLERANCE, TIMESTAMP_HEADER, TIMESTAMP_TOLERANCE
from flwr.proto.fleet_pb2 import ActivateNodeRequest, DeactivateNodeRequest, PullMessagesRequest, PushMessagesRequest
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, PullObjectRequest, PushObjectRequest
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.date import now
from flwr.supercore.error import FlowerError
from flwr.supercore.error.catalog import API_ERROR_MAP
from flwr.supercore.primitives.asymmetric import bytes_to_public_key, verify_signature
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE
from flwr.superlink.servicer.fleet import fleet_handlers
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from flip_hub.flower.state import GatewayState

PREFIX = "/v1/fleet/"
WAIT_HEADER = "x-flip-wait"
MAX_WAIT_SECONDS = 20.0
MAX_SMALL_BODY = 64 * 1024
MAX_OBJECT_BODY = MAX_UPDATE_BYTES + 4 * 1024 * 1024
_log = getLogger(__name__)


@dataclass(frozen=True)
class _Call:
    request: type[Any]
    handle: Callable[[Any, GatewayState], Any]
    limit: int = MAX_SMALL_BODY


CALLS = {
    "activate-node": _Call(ActivateNodeRequest, fleet_handlers.activate_node),
    "deactivate-node": _Call(DeactivateNodeRequest, fleet_handlers.deactivate_node),
    "send-node-heartbeat": _Call(SendNodeHeartbeatRequest, fleet_handlers.send_node_heartbeat),
    "pull-messages": _Call(
        PullMessagesRequest, lambda request, state: fleet_handlers.pull_messages(request, state, state.object_store)
    ),
    "push-messages": _Call(PushMessagesRequest, fleet_handlers.push_messages),
    "push-object": _Call(PushObjectRequest, fleet_handlers.push_object, MAX_OBJECT_BODY),
    "pull-object": _Call(PullObjectRequest, fleet_handlers.pull_object),
    "confirm-message-received": _Call(
        ConfirmMessageReceivedRequest,
        lambda request, state: fleet_handlers.confirm_message_received(request, state, state.object_store),
    ),
}


class FleetApi:
    """Protobuf over HTTP, authenticated by the node's key before a body is read."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._verified: dict[bytes, tuple[bytes, str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call; 404 for every path that is none of the eight."""
        call = CALLS.get(scope["path"].removeprefix(PREFIX)) if scope["method"] == "POST" else None
        if call is None:
            response: Response | None = problem(404)
        elif refused := refusal_of_length(scope, call.limit):
            response = refused
        else:
            response = await self._answer(call, Headers(scope=scope), receive)
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, call: _Call, headers: Headers, receive: Receive) -> Response | None:
        public_key = self._authenticated(headers)
        if public_key is None:
            return problem(401)
        try:
            request = call.request.FromString(await _read(receive))
        except DecodeError:
            return problem(422)
        if not self._speaks_for_itself(request, public_key):
            return problem(401)
        if call.request is PullMessagesRequest and not await self._hold(request.node.node_id, headers, receive):
            return None
        return await asyncio.to_thread(self._handled, call, request)

    def _authenticated(self, headers: Headers) -> bytes | None:
        """The enrolled key that signed this request's timestamp, as Flower's SuperNodes do."""
        try:
            public_key = b64decode(headers[FLEET_HTTP_PUBLIC_KEY_HEADER], validate=True)
            signature = b64decode(headers[FLEET_HTTP_SIGNATURE_HEADER], validate=True)
            timestamp = headers[TIMESTAMP_HEADER]
            age = (now() - datetime.fromisoformat(timestamp)).total_seconds()
            good = (
                -SYSTEM_TIME_TOLERANCE < age < TIMESTAMP_TOLERANCE + SYSTEM_TIME_TOLERANCE
                and self._state.get_node_id_by_public_key(public_key) is not None
                and self._verify(public_key, signature, timestamp)
            )
        except (KeyError, ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
            return None
        return public_key if good else None

    def _verify(self, public_key: bytes, signature: bytes, timestamp: str) -> bool:
        # a Trust signs once a few seconds, and P-384 is the dearest part of a call
        if self._verified.get(public_key) == (signature, timestamp):
            return True
        good = verify_signature(bytes_to_public_key(public_key), timestamp.encode("ascii"), signature)
        if good:
            self._verified[public_key] = (signature, timestamp)
        return good

    def _speaks_for_itself(self, request: Any, public_key: bytes) -> bool:
        if isinstance(request, ActivateNodeRequest):
            return bool(request.public_key == public_key)
        claimed = request.node_id if isinstance(request, DeactivateNodeRequest) else request.node.node_id
        return bool(self._state.get_node_id_by_public_key(public_key) == claimed)

    async def _hold(self, node_id: int, headers: Headers, receive: Receive) -> bool:
        """Wait until there is a message for the node, so that idle Trusts cost nothing. False: it hung up."""
        try:
            seconds = min(float(headers.get(WAIT_HEADER, "0")), MAX_WAIT_SECONDS)
        except ValueError:
            seconds = 0.0
        left = asyncio.ensure_future(receive())
        held = asyncio.ensure_future(
            self._state.inward.until(node_id, lambda: self._state.waiting_for(node_id), seconds)
        )
        try:
            await asyncio.wait({held, left}, return_when=asyncio.FIRST_COMPLETED)
            # who has hung up must not be handed a message: it would be lost
            return not left.done()
        finally:
            held.cancel()
            left.cancel()

    def _handled(self, call: _Call, request: Any) -> Response:
        try:
            answer = call.handle(request, self._state)
        except FlowerError as error:
            specification = API_ERROR_MAP[error.code]
            _log.info("%s: %s", specification.public_message, error)
            return JSONResponse(error.to_json(specification.public_message), specification.http_status_code)
        except (ValueError, KeyError, TypeError, IndexError):
            _log.exception("a node's %s could not be handled", type(request).__name__)
            return problem(422)
        return Response(answer.SerializeToString(), media_type=PROTOBUF_MEDIA_TYPE)


def refusal_of_length(scope: Scope, limit: int) -> Response | None:
    """411 or 413 for a request that may not be read, or None.

    With a length said beforehand, the HTTP server itself never passes on more than that.
    """
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal():
        return problem(411)
    return problem(413) if int(length) > limit else None


def problem(status: int) -> Response:
    """An error without a word about why: who may know reads the gateway's log."""
    return JSONResponse({"code": status}, status_code=status)


async def _read(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message: Message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
