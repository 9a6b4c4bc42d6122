"""What the public listener lets through, and who it listens to."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import timedelta

import httpx
import pytest
from flip_hub.flower.fleet import CALLS, MAX_OBJECT_BODY, MAX_SMALL_BODY, FleetApi
from flip_hub.flower.guard import MAX_NOTICE_BODY, PublicGuard, SecretGuard
from flip_hub.flower.state import GatewayState
from flwr.common.constant import HEARTBEAT_MIN_INTERVAL, TIMESTAMP_HEADER
from flwr.proto.fleet_pb2 import ActivateNodeRequest, ActivateNodeResponse, PullMessagesRequest, PullMessagesResponse
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.date import now
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.primitives.asymmetric import generate_key_pairs, public_key_to_bytes, sign_message
from flwr.superlink.federation import NoOpFederationManager
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

OURS, THEIRS = generate_key_pairs(), generate_key_pairs()


@pytest.fixture
def state():
    state = GatewayState(NoOpFederationManager(), InMemoryObjectStore())
    state.enrol({"aldgate": public_key_to_bytes(OURS[1])})
    return state


@pytest.fixture
def app(state):
    trust_app = Starlette(routes=[Route("/notices", lambda _: PlainTextResponse("noted"), methods=["POST"])])
    return PublicGuard(FleetApi(state), trust_app)


def signed(pair=OURS, claimed=None, **wrong: str) -> dict[str, str]:
    timestamp = wrong.get("timestamp", now().isoformat())
    signature = sign_message(pair[0], wrong.get("signs", timestamp).encode())
    return {
        FLEET_HTTP_PUBLIC_KEY_HEADER: b64encode(public_key_to_bytes((claimed or pair)[1])).decode(),
        TIMESTAMP_HEADER: timestamp,
        FLEET_HTTP_SIGNATURE_HEADER: b64encode(signature).decode(),
    }


def post(app, path: str, content: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://gateway") as client:
            return await client.post(path, content=content, headers=headers)

    return asyncio.run(call())


def activation(pair=OURS) -> bytes:
    request = ActivateNodeRequest(public_key=public_key_to_bytes(pair[1]), heartbeat_interval=HEARTBEAT_MIN_INTERVAL)
    return request.SerializeToString()


def test_an_enrolled_trust_is_let_in(app, state):
    response = post(app, "/v1/fleet/activate-node", activation(), signed())
    assert response.status_code == 200
    assert ActivateNodeResponse.FromString(response.content).node_id
    assert state.online() == ["aldgate"]


def test_only_eight_calls_of_flower_are_there():
    assert set(CALLS) == {
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "push-object",
        "pull-object",
        "confirm-message-received",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/fleet/",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/get-run",
        "/v1/fleet/get-fab",
        "/v1/fleet/pull-messages/",
        "/v1/fleet//pull-messages",
        "/v1/fleet/../control/start-run",
        "/v1/control/start-run",
        "/v1/runtime/pull-messages",
        "/pull-messages",
        "/flip/v1",
        "/flip/v10/notices",
        "/notices",
    ],
)
def test_whatever_is_not_named_is_not_there(app, path):
    assert post(app, path, activation(), signed()).status_code == 404


def test_the_trust_api_is_mounted(app):
    assert post(app, "/flip/v1/notices", b"x").text == "noted"
    assert post(app, "/flip/v1/other", b"x").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(THEIRS),
        signed(THEIRS, claimed=OURS),
        signed(signs="another time"),
        signed(timestamp=(now() - timedelta(hours=1)).isoformat()),
        signed(timestamp=(now() + timedelta(hours=1)).isoformat()),
        signed(timestamp="yesterday"),
        signed() | {FLEET_HTTP_SIGNATURE_HEADER: "not base64!"},
        signed() | {FLEET_HTTP_PUBLIC_KEY_HEADER: b64encode(b"no key").decode()},
    ],
    ids=["nothing", "stranger", "stolen", "other-text", "old", "early", "no-time", "no-signature", "no-key"],
)
def test_whoever_is_not_enrolled_is_not_listened_to(app, state, headers):
    for call in CALLS:
        assert post(app, f"/v1/fleet/{call}", activation(), headers).status_code == 401
    assert state.online() == []


def test_a_node_speaks_for_itself_alone(app, state):
    state.enrol({"aldgate": public_key_to_bytes(OURS[1]), "brookfield": public_key_to_bytes(THEIRS[1])})
    other = Node(node_id=state.get_node_id_by_public_key(public_key_to_bytes(THEIRS[1])))
    assert post(app, "/v1/fleet/activate-node", activation(THEIRS), signed()).status_code == 401
    pull = PullMessagesRequest(node=other).SerializeToString()
    assert post(app, "/v1/fleet/pull-messages", pull, signed()).status_code == 401
    beat = SendNodeHeartbeatRequest(node=other, heartbeat_interval=HEARTBEAT_MIN_INTERVAL).SerializeToString()
    assert post(app, "/v1/fleet/send-node-heartbeat", beat, signed()).status_code == 401


@pytest.mark.parametrize("call", sorted(CALLS))
def test_a_body_that_is_no_protobuf_is_refused(app, call):
    assert post(app, f"/v1/fleet/{call}", b"\xff\xff\xff\xff", signed()).status_code == 422


def test_bodies_have_limits(app):
    assert post(app, "/v1/fleet/push-messages", b"x" * (MAX_SMALL_BODY + 1), signed()).status_code == 413
    assert post(app, "/flip/v1/notices", b"x" * (MAX_NOTICE_BODY + 1)).status_code == 413
    said = signed() | {"content-length": str(MAX_OBJECT_BODY + 1)}
    assert post(app, "/v1/fleet/push-object", b"", said).status_code == 413


def test_a_body_whose_length_is_not_said_is_refused(app):
    headers = signed() | {"transfer-encoding": "chunked"}
    for path in ("/v1/fleet/push-object", "/flip/v1/notices"):
        assert post(app, path, b"x", headers).status_code == 411


def test_flowers_own_no_is_passed_on(app):
    assert post(app, "/v1/fleet/activate-node", activation(), signed()).status_code == 200
    again = post(app, "/v1/fleet/activate-node", activation(), signed())
    assert again.status_code == 412
    assert again.json()["code"] == 2004


def test_a_pull_is_held_until_there_is_a_message(app, state):
    node_id = state.get_node_id_by_public_key(public_key_to_bytes(OURS[1]))
    state.activate_node(node_id, HEARTBEAT_MIN_INTERVAL)
    pull = PullMessagesRequest(node=Node(node_id=node_id)).SerializeToString()
    arrivals: list[str] = []

    async def call() -> httpx.Response:
        state.inward.attach()
        waiting = state.inward.until

        async def send_meanwhile(key, ready, seconds):
            assert seconds == 20.0
            sending = asyncio.create_task(asyncio.to_thread(state.send, "aldgate", {"task": b"1"}))
            await waiting(key, ready, seconds)
            arrivals.append(await sending)

        state.inward.until = send_meanwhile
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://gateway") as client:
            return await client.post("/v1/fleet/pull-messages", content=pull, headers=signed() | {"x-flip-wait": "999"})

    found = PullMessagesResponse.FromString(asyncio.run(call()).content)
    assert [message.metadata.message_id for message in found.messages_list] == arrivals


def test_who_hung_up_is_not_handed_a_message(app, state):
    node_id = state.get_node_id_by_public_key(public_key_to_bytes(OURS[1]))
    state.activate_node(node_id, HEARTBEAT_MIN_INTERVAL)
    state.send("aldgate", {"task": b"1"})
    pull = PullMessagesRequest(node=Node(node_id=node_id)).SerializeToString()
    headers = signed() | {"content-length": str(len(pull)), "x-flip-wait": "20"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/fleet/pull-messages",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    received = [{"type": "http.disconnect"}, {"type": "http.request", "body": pull, "more_body": False}]

    async def receive():
        return received.pop()

    async def send(message):
        raise AssertionError(message)

    asyncio.run(app(scope, receive, send))
    assert state.waiting_for(node_id)


def test_the_secret_guard_lets_nobody_else_pass():
    async def inner(scope, receive, send):
        await PlainTextResponse("in")(scope, receive, send)

    app = SecretGuard(inner, "s3cret")
    assert post(app, "/x", headers={"authorization": "Bearer s3cret"}).text == "in"
    for headers in ({}, {"authorization": "Bearer"}, {"authorization": "Bearer s3cret2"}, {"authorization": "s3cret"}):
        assert post(app, "/x", headers=headers).status_code == 401
