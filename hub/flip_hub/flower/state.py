"""Flower's own in-memory LinkState, with what a carrier needs besides: who lost what, and a bell when something came.

Uses internals of the pinned flwr; ``tests/integration/test_flower_contract.py`` says so when they change.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import getLogger

from flwr.app import ConfigRecord, Message, MessageType, Metadata, RecordDict
from flwr.app.message import make_message, remove_content_from_message
from flwr.common.constant import NOOP_ACCOUNT_NAME, NOOP_FLWR_AID, SUPERLINK_NODE_ID
from flwr.proto.message_pb2 import ObjectTree
from flwr.server.superlink.linkstate.in_memory_linkstate import InMemoryLinkState
from flwr.supercore.constant import NOOP_FEDERATION_ID, NodeStatus, TaskType
from flwr.supercore.date import now
from flwr.supercore.inflatable.inflatable_object import (
    InflatableObject,
    UnexpectedObjectContentError,
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.object_store import NoObjectInStoreError, ObjectStore
from flwr.superlink.federation import FederationManager
from google.protobuf.message import DecodeError

from flip_hub.flower.grid import Incoming, IncomingError, TrustOfflineError

RECORD = "flip"
MAX_OBJECTS = 3
"""Message, its RecordDict and one ConfigRecord: whatever has more is not ours."""
MESSAGE_SECONDS = 12 * 3600.0
SECONDS_AWAY = 3.0
MAX_COLLECTED_BYTES = 64 * 1024 * 1024
_log = getLogger(__name__)


class Bell:
    """Lets coroutines wait until something may have changed; rung from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: dict[object, asyncio.Event] = {}
        self._closed = False

    def attach(self) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self, key: object) -> None:
        """Wake whoever waits for this key."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, key)

    def close(self) -> None:
        """Nobody waits any more (call it in the loop)."""
        self._closed = True
        for key in list(self._events):
            self._wake(key)

    def _wake(self, key: object) -> None:
        if event := self._events.pop(key, None):
            event.set()

    async def until(self, key: object, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for ``ready()``, looked at on every ring and once a second, at most ``seconds``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not self._closed:
            event = self._events.setdefault(key, asyncio.Event())
            left = deadline - loop.time()
            if ready() or left <= 0:
                return
            try:
                await asyncio.wait_for(event.wait(), min(left, 1.0))
            except TimeoutError:
                continue  # time passing may itself have changed things: a Trust's lease ran out


@dataclass
class _Outstanding:
    node_id: int
    created_at: float
    lost: bool = False


class GatewayState(InMemoryLinkState):
    """One long-lived run for all jobs, whose messages are addressed to Trusts by name."""

    def __init__(self, federation_manager: FederationManager, object_store: ObjectStore) -> None:
        super().__init__(federation_manager, object_store)
        self.epoch = secrets.token_hex(8)
        self.inward = Bell()
        self.outward = Bell()
        self._trusts: dict[str, tuple[bytes, int]] = {}
        self._outstanding: dict[str, _Outstanding] = {}
        self._run_id = self._open_run()

    def _open_run(self) -> int:
        run_id = self.create_run(None, None, None, {}, NOOP_FEDERATION_ID, None, NOOP_FLWR_AID, TaskType.SERVER_APP)
        task_id = self.get_run_info(run_ids=[run_id])[0].primary_task_id
        if task_id is None or not self.claim_task(task_id) or not self.activate_task(task_id):
            raise RuntimeError("Flower did not start the run.")
        # the run lives as long as this process: there is no one else whose heartbeat could fail
        self.task_token_store[task_id].active_until = datetime.max.replace(tzinfo=UTC)
        return run_id

    # --- Trusts -------------------------------------------------------------------------------------------------

    def enrol(self, keys: Mapping[str, bytes]) -> None:
        """Make the nodes agree with the enrolled keys (Trust name → P-384 public key in PEM)."""
        with self.lock:
            for name, (key, node_id) in list(self._trusts.items()):
                if keys.get(name) != key:
                    self.delete_node(NOOP_FLWR_AID, node_id)
                    # Flower would refuse the same key for ever, though a Trust may be enrolled again
                    self.node_public_key_to_node_id.pop(key, None)
                    del self._trusts[name]
            for name, key in keys.items():
                if name not in self._trusts:
                    node_id = self.create_node(NOOP_FLWR_AID, NOOP_ACCOUNT_NAME, key, 0, name=name)
                    self._trusts[name] = (key, node_id)

    def online(self) -> list[str]:
        """Names of the Trusts whose lease runs."""
        with self.lock:
            nodes = {node.node_id for node in self.get_node_info(statuses=[NodeStatus.ONLINE])}
            return sorted(name for name, (_, node_id) in self._trusts.items() if node_id in nodes)

    # --- from the dispatcher ------------------------------------------------------------------------------------

    def send(self, trust: str, parts: Mapping[str, bytes]) -> str:
        """Store a message for one Trust and wake it.

        Raises:
            TrustOfflineError: it is not connected.
        """
        with self.lock:
            if trust not in self.online():
                raise TrustOfflineError(f"{trust} is not connected.")
            node_id = self._trusts[trust][1]
        with no_object_id_recompute():
            message = self._message(node_id, parts)
            message_id = message.metadata.message_id
            objects = get_all_nested_objects(message)
            self.object_store.preregister(self._run_id, get_object_tree(message))
            for object_id, item in objects.items():
                self.object_store.put(object_id, item.deflate())
        with self.lock:
            self._outstanding[message_id] = _Outstanding(node_id, message.metadata.created_at)
            if self.store_message_ins(remove_content_from_message(message)) is None:
                self._forget(message_id)
                raise TrustOfflineError(f"{trust} is not connected.")
        self.inward.ring(node_id)
        return message_id

    def _message(self, node_id: int, parts: Mapping[str, bytes]) -> Message:
        metadata = Metadata(
            run_id=self._run_id,
            message_id="",
            src_node_id=SUPERLINK_NODE_ID,
            dst_node_id=node_id,
            reply_to_message_id="",
            group_id=secrets.token_hex(8),
            created_at=now().timestamp(),
            ttl=MESSAGE_SECONDS,
            message_type=MessageType.QUERY,
        )
        message = make_message(metadata, RecordDict({RECORD: ConfigRecord(dict(parts))}))
        message.metadata.__dict__["_message_id"] = message.object_id
        return message

    def arrived(self, ids: Collection[str]) -> bool:
        """Whether :meth:`collect` would return something."""
        with self.lock:
            return any(self._fate(i) is not None for i in ids)

    def collect(self, ids: Collection[str]) -> list[Incoming]:
        """What became of these messages, each once, and no more than one answer when answers are large."""
        found: list[Incoming] = []
        size = 0
        for message_id in ids:
            with self.lock:
                fate = self._fate(message_id)
                if fate is None:
                    continue
                contents = self._answer(message_id) if fate == "" else {}
                self._forget(message_id)
            found.append(_inflated(message_id, contents) if fate == "" else Incoming(message_id, None, fate))
            size += sum(len(part) for part in (found[-1].parts or {}).values())
            if size > MAX_COLLECTED_BYTES:
                break
        return found

    def _fate(self, message_id: str) -> IncomingError | None:
        outstanding = self._outstanding.get(message_id)
        if outstanding is None or message_id not in self.message_ins_store:
            return "lost"
        if self._answer(message_id):
            return ""
        if outstanding.lost:
            return "lost"
        # an agent that was killed and restarted is away for a moment only, and then takes or loses the message
        away = now().timestamp() - self.nodes[outstanding.node_id].online_until
        return "offline" if away > SECONDS_AWAY else None

    def _answer(self, message_id: str) -> dict[str, bytes]:
        """The answer's objects, its root last; empty while some are still on their way."""
        reply_id = self.message_ins_id_to_message_res_id.get(message_id)
        if reply_id is None:
            return {}
        try:
            tree = self.object_store.get_object_tree(reply_id)
        except NoObjectInStoreError:
            return {}
        contents = {node.object_id: self.object_store.get(node.object_id) or b"" for node in iterate_object_tree(tree)}
        return contents if all(contents.values()) else {}

    def _forget(self, message_id: str) -> None:
        reply_id = self.message_ins_id_to_message_res_id.get(message_id)
        self._outstanding.pop(message_id, None)
        self.delete_messages({message_id})
        for object_id in (message_id, reply_id):
            if object_id is not None:
                self.object_store.delete(object_id)

    def sweep(self) -> None:
        """Forget messages that nobody asked about before they expired."""
        oldest = now().timestamp() - MESSAGE_SECONDS
        with self.lock:
            for message_id in [i for i, item in self._outstanding.items() if item.created_at < oldest]:
                self._forget(message_id)

    # --- from the Trusts, through Flower's Fleet API -------------------------------------------------------------

    def waiting_for(self, node_id: int) -> bool:
        """Whether a message waits to be pulled by this node."""
        with self.lock:
            return any(
                message.metadata.dst_node_id == node_id and message.metadata.delivered_at == ""
                for message in self.message_ins_store.values()
            )

    def get_message_ins(self, node_id: int, limit: int | None, *, run_id: int | None = None) -> list[Message]:
        """Flower's, and: a Trust that pulls again without having confirmed its last message never got it."""
        with self.lock:
            self._lose(node_id, lambda message_id: message_id in self.object_store)
            return super().get_message_ins(node_id, limit, run_id=run_id)

    def activate_node(self, node_id: int, heartbeat_interval: float) -> bool:
        """Flower's, and: an agent that starts anew has forgotten what the one before it was given."""
        activated = super().activate_node(node_id, heartbeat_interval)
        if activated:
            with self.lock:
                self._lose(node_id, lambda _: True)
        return activated

    def _lose(self, node_id: int, forgotten: Callable[[str], bool]) -> None:
        for message_id, outstanding in self._outstanding.items():
            message = self.message_ins_store.get(message_id)
            if (
                outstanding.node_id == node_id
                and message is not None
                and message.metadata.delivered_at
                and forgotten(message_id)
            ):
                outstanding.lost = True
                self.outward.ring(self)

    def store_message_and_object_tree(
        self, message: Message, object_tree: ObjectTree, session_id: str
    ) -> tuple[bool, list[str]]:
        """Flower's, for messages of the shape that carriers send."""
        ours = message.metadata.run_id == self._run_id
        if ours and sum(1 for _ in iterate_object_tree(object_tree)) > MAX_OBJECTS:
            _log.warning("an answer of node %d has too many objects: dropped", message.metadata.src_node_id)
            return False, []
        return super().store_message_and_object_tree(message, object_tree, session_id)

    def store_object(self, run_id: int, session_id: str, object_id: str, object_content: bytes) -> bool:
        """Flower's, and wakes the dispatcher."""
        stored = super().store_object(run_id, session_id, object_id, object_content)
        self.outward.ring(self)
        return stored


def _inflated(message_id: str, contents: dict[str, bytes]) -> Incoming:
    reply_id = list(contents)[-1]
    try:
        message: InflatableObject = inflate_object_from_contents(reply_id, contents)
        parts = dict(message.content[RECORD]) if isinstance(message, Message) else {}
    except (ValueError, TypeError, KeyError, IndexError, RuntimeError, DecodeError, UnexpectedObjectContentError):
        parts = {}
    if not parts or not all(isinstance(part, bytes) for part in parts.values()):
        _log.warning("the answer to %s is not one record of bytes", message_id)
        return Incoming(message_id, None, "unreadable")
    return Incoming(message_id, {name: part for name, part in parts.items() if isinstance(part, bytes)})
