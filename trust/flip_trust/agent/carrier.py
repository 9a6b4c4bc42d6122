"""The Trust's side of the carrier: dial the hub's gateway, receive tasks as bytes, send answers as bytes.

The one module at a Trust that imports ``flwr``. It speaks Flower's Fleet protocol with Flower's own client and never
asks for a bundle: what arrives is bytes inside one record, and only installed code decides what to do with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import WARNING, getLogger
from pathlib import Path
from typing import IO, Self

# read by flwr when it is imported: a Trust tells nobody but its hub about itself
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flip_sdk.contract.notices import HubEnrolment
from flip_sdk.contract.tasks import MAX_MODEL_BYTES
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import HEARTBEAT_MIN_INTERVAL, TIMESTAMP_HEADER
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import ActivateNodeRequest, DeactivateNodeRequest, PullMessagesRequest, PushMessagesRequest
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest, PushObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.inflatable.inflatable_object import (
    UnexpectedObjectContentError,
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor
from google.protobuf.message import DecodeError

from flip_trust.agent.hub_client import HubUnreachableError, pinned
from flip_trust.errors import SetupError

__all__ = ["FleetCarrier", "HubUnreachableError", "Received"]

RECORD = "flip"
MAX_OBJECTS = 3
"""Message, its RecordDict and one ConfigRecord: whatever has more is not a task."""
MAX_ANSWER_BYTES = 2 * MAX_MODEL_BYTES + 8 * 1024 * 1024
"""A graph, weights and a signed task travel in one object."""
WAIT_HEADER = "x-flip-wait"
SECONDS_BETWEEN_HEARTBEATS = HEARTBEAT_MIN_INTERVAL / 2
_PAUSES = (0.2, 0.5, 1.0, 2.0)
_REPLY_SECONDS = 15.0
_SIGNATURE_SECONDS = 5.0
_GOODBYE_SECONDS = 3.0
_BAD_CONTENT = (ValueError, TypeError, LookupError, RuntimeError, DecodeError, UnexpectedObjectContentError)
_log = getLogger(__name__)
for _chatty in ("flwr", "httpx"):
    getLogger(_chatty).setLevel(WARNING)


@dataclass(frozen=True)
class Received:
    """One message from the hub. ``parts`` are bytes that nobody has verified yet."""

    parts: Mapping[str, bytes]
    message: Message = field(repr=False)


class _UnreadableError(Exception):
    """A message that is not one record of bytes, or is gone."""


class FleetCarrier:
    """A connection to the hub's gateway that mends itself. ``receive`` in one thread, ``reply`` in any.

    It never raises for a hub that is away: it says in the log what it waits for and tries again.
    """

    def __init__(self, hub: HubEnrolment, node_key: Path) -> None:
        """Prepare to dial.

        Args:
            hub: the pinned enrolment (``address``, ``ca_certificate``).
            node_key: P-384 private key, PKCS #8 PEM. Beside it lies ``<name>.session``: which node this agent last was,
                so that one that was killed can be taken over from at once.

        Raises:
            SetupError: the key cannot be read.
        """
        private = _private_key(node_key)
        authentication = _Signature(NodeAuthHttpInterceptor(private, private.public_key()))
        self._public_key = public_key_to_bytes(private.public_key())
        self._address = hub.address
        self._waiting = _WaitHeader()
        self._client = FleetHttpClient(
            f"https://{hub.address}", interceptors=[authentication, self._waiting], verify=pinned(hub)
        )
        # the hub's answers are read whole: look at their length first, and go nowhere else on its word
        self._client._client.event_hooks = {"response": [_check_length]}
        self._client._client.follow_redirects = False
        self._session = node_key.with_suffix(".session")
        self._lock: IO[str] | None = None
        self._node: Node | None = None
        self._failures = 0
        self._said = ""
        self._closing = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Claim the key for this process and begin the heartbeat; dialling happens in ``receive``.

        Raises:
            SetupError: another agent on this machine runs with the same key.
        """
        self._lock = self._session.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise SetupError("Another agent runs with this Trust's node key.", "Stop it first.") from error
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell the hub good-bye, so that it knows at once that this Trust is away."""
        self._closing.set()
        self._heart.join()
        if self._node is not None:
            self._client._client.timeout = httpx.Timeout(_GOODBYE_SECONDS)
            with contextlib.suppress(httpx.HTTPError, ValueError):
                self._client.DeactivateNode(DeactivateNodeRequest(node_id=self._node.node_id))
                self._remember("")
        self._client.close()
        if self._lock is not None:
            self._lock.close()

    @property
    def connected(self) -> bool:
        """Whether the hub accepted this Trust, and answered the last time."""
        return self._node is not None and not self._failures

    def receive(self, wait: float = 2.0) -> Received | None:
        """The next message, or None after about ``wait`` seconds without one. Safe to call in a tight loop."""
        try:
            node = self._node or self._activate()
            self._waiting.seconds = wait
            response = self._client.PullMessages(PullMessagesRequest(node=node))
            self._well()
            if not response.messages_list:
                return None
            return self._fetch(node, response.messages_list[0].metadata.run_id, response.message_object_trees[0])
        except _UnreadableError as error:
            _log.warning("a message was dropped: %s", error)
        except (httpx.HTTPError, ValueError) as error:
            self._failed(error, wait)
        return None

    def reply(self, received: Received, parts: Mapping[str, bytes]) -> None:
        """Answer a message, once.

        Raises:
            HubUnreachableError: the hub is away, or restarted and forgot the message; it will ask again.
        """
        message = Message(RecordDict({RECORD: ConfigRecord(dict(parts))}), reply_to=received.message)
        deadline = time.monotonic() + _REPLY_SECONDS
        # Flower would deflate and hash the whole message each time it is asked for an identifier
        with no_object_id_recompute():
            message.metadata.__dict__["_message_id"] = message.object_id
            for attempt in itertools.count():
                try:
                    return self._send(message, first=attempt == 0)
                except httpx.HTTPStatusError as error:
                    if error.response.is_client_error or time.monotonic() > deadline:
                        raise HubUnreachableError(f"The hub did not take the answer: {error}") from error
                except (httpx.HTTPError, ValueError) as error:
                    if time.monotonic() > deadline or self._closing.is_set():
                        raise HubUnreachableError(f"The hub does not answer: {error}") from error
                self._closing.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)])
        return None

    def _send(self, message: Message, first: bool) -> None:
        node = Node(node_id=message.metadata.src_node_id)
        response = self._client.PushMessages(
            PushMessagesRequest(
                node=node,
                messages_list=[message_to_proto(remove_content_from_message(message))],
                message_object_trees=[get_object_tree(message)],
            )
        )
        if first and not response.objects_to_push:
            raise HubUnreachableError("The hub no longer waits for this answer.")
        for object_id, item in get_all_nested_objects(message).items():
            if object_id not in response.objects_to_push:
                continue
            request = PushObjectRequest(
                node=node,
                run_id=message.metadata.run_id,
                object_id=object_id,
                object_content=item.deflate(),
                session_id=response.session_id,
            )
            if not self._client.PushObject(request).stored:
                raise HubUnreachableError("The hub stopped taking this answer.")

    def _fetch(self, node: Node, run_id: int, tree: ObjectTree) -> Received:
        ids = [item.object_id for item in iterate_object_tree(tree)]
        if len(ids) > MAX_OBJECTS:
            raise _UnreadableError("it has too many objects")
        contents = {}
        for object_id in ids:
            answer = self._client.PullObject(PullObjectRequest(node=node, run_id=run_id, object_id=object_id))
            if not answer.object_available:
                raise _UnreadableError("the hub took it back")
            contents[object_id] = answer.object_content
        self._client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(node=node, run_id=run_id, message_object_id=tree.object_id)
        )
        return _inflated(tree.object_id, contents)

    def _activate(self) -> Node:
        if self._lock is not None:
            self._lock.seek(0)
            if previous := self._lock.read().strip():
                # an agent that was killed said no good-bye; its lease would keep this one out
                with contextlib.suppress(httpx.HTTPStatusError):
                    self._client.DeactivateNode(DeactivateNodeRequest(node_id=int(previous)))
        request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=HEARTBEAT_MIN_INTERVAL)
        node_id = self._client.ActivateNode(request).node_id
        self._remember(str(node_id))
        self._node = Node(node_id=node_id)
        return self._node

    def _remember(self, node_id: str) -> None:
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.write(node_id)
            self._lock.flush()

    def _beat(self) -> None:
        while not self._closing.wait(SECONDS_BETWEEN_HEARTBEATS):
            node = self._node
            if node is None:
                continue
            request = SendNodeHeartbeatRequest(node=node, heartbeat_interval=HEARTBEAT_MIN_INTERVAL)
            try:
                self._client.SendNodeHeartbeat(request)
            except (httpx.HTTPError, ValueError) as error:
                _log.debug("heartbeat: %s", error)

    def _well(self) -> None:
        if self._failures or not self._said:
            _log.info("connected to the hub at %s", self._address)
        self._failures, self._said = 0, "connected"

    def _failed(self, error: Exception, wait: float) -> None:
        words = f"the hub at {self._address} does not answer"
        if isinstance(error, httpx.HTTPStatusError):
            status = error.response.status_code
            words = f"the hub answered {status}"
            if status == httpx.codes.UNAUTHORIZED:
                self._node = None
                words = (
                    "the hub does not know this agent: it restarted, this Trust is not enrolled (any more), or a clock "
                    "is off by five minutes"
                )
            elif self._node is None and error.response.is_client_error:
                words = (
                    "the hub does not let this Trust in yet: it is not enrolled, or another agent with its key still "
                    "holds a lease of up to 20 seconds"
                )
        if words != self._said:
            _log.warning("%s; trying again (%s)", words, error)
            self._said = words
        self._closing.wait(min(_PAUSES[min(self._failures, len(_PAUSES) - 1)], wait))
        self._failures += 1


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SetupError(f"{path} cannot be read as a private key.", "Restore it from a backup.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SetupError(f"{path} is not a P-384 key.", "Restore it from a backup.")
    return key


class _Signature:
    """Flower's signed timestamp, made anew every few seconds: it is good for 300, and P-384 is slow."""

    def __init__(self, inner: NodeAuthHttpInterceptor) -> None:
        self._inner = inner
        self._headers: dict[str, str] = {}
        self._until = 0.0

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add the three headers."""
        if time.monotonic() > self._until:
            self._inner.intercept(context, self._keep)
            self._until = time.monotonic() + _SIGNATURE_SECONDS
        else:
            context.request.headers.update(self._headers)
        return call_next(context)

    def _keep(self, signed: ProtobufRequestContext) -> httpx.Response:
        names = (FLEET_HTTP_PUBLIC_KEY_HEADER, TIMESTAMP_HEADER, FLEET_HTTP_SIGNATURE_HEADER)
        self._headers = {name: signed.request.headers[name] for name in names}
        return httpx.Response(httpx.codes.OK)


class _WaitHeader:
    """Asks the gateway to hold a pull until there is a message."""

    seconds = 0.0

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add the header to pulls."""
        if context.rpc_method.endswith("/PullMessages"):
            context.request.headers[WAIT_HEADER] = str(self.seconds)
        return call_next(context)


def _check_length(response: httpx.Response) -> None:
    length = response.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MAX_ANSWER_BYTES:
        raise httpx.DecodingError("the hub's answer has no length, or is larger than any may be")


def _inflated(message_id: str, contents: dict[str, bytes]) -> Received:
    try:
        message = inflate_object_from_contents(message_id, contents)
        record = message.content[RECORD] if isinstance(message, Message) else None
    except _BAD_CONTENT as error:
        raise _UnreadableError(f"it is not one record of bytes ({type(error).__name__})") from error
    if not isinstance(message, Message) or not isinstance(record, ConfigRecord):
        raise _UnreadableError("it is not one record of bytes")
    message.metadata.__dict__["_message_id"] = message_id
    return Received({name: part for name, part in record.items() if isinstance(part, bytes)}, message)
