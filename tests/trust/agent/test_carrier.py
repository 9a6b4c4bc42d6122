"""The Trust's carrier by itself; tests/integration/test_flower_carrier.py has it speak with a real gateway."""

from __future__ import annotations

import logging
import time

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from flip_sdk.contract.notices import HubEnrolment
from flip_trust.agent import carrier as carrier_module
from flip_trust.agent.carrier import FleetCarrier, HubUnreachableError, Received, _check_length, _inflated
from flip_trust.errors import SetupError
from flwr.app import ArrayRecord, ConfigRecord, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.proto.fleet_pb2 import PullMessagesResponse, PushMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects

from demo.processes import free_ports


def pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def hub(tls_authority):
    port = free_ports(["hub"])["hub"]
    return HubEnrolment(
        title="a hub that is away",
        address=f"127.0.0.1:{port}",
        governance_key="A" * 43,
        dispatcher_key="A" * 43,
        ca_certificate=tls_authority,
    )


@pytest.fixture
def node_key(tmp_path):
    path = tmp_path / "node.pem"
    path.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    return path


def message(content: RecordDict) -> Message:
    """A message as the gateway makes them."""
    metadata = Metadata(
        run_id=1,
        message_id="id",
        src_node_id=1,
        dst_node_id=7,
        reply_to_message_id="",
        group_id="",
        created_at=time.time(),
        ttl=60.0,
        message_type="query",
    )
    return make_message(metadata, content)


@pytest.mark.parametrize("content", [b"", b"nonsense", pem(ed25519.Ed25519PrivateKey.generate())])
def test_a_key_of_another_kind_is_refused_with_what_to_do(hub, node_key, content):
    node_key.write_bytes(content)
    with pytest.raises(SetupError) as caught:
        FleetCarrier(hub, node_key)
    assert caught.value.mend


def test_a_missing_key_is_refused(hub, tmp_path):
    with pytest.raises(SetupError):
        FleetCarrier(hub, tmp_path / "none.pem")


def test_two_agents_cannot_share_a_key(hub, node_key):
    with FleetCarrier(hub, node_key), pytest.raises(SetupError), FleetCarrier(hub, node_key):
        pass
    with FleetCarrier(hub, node_key):
        pass


def test_a_hub_that_is_away_is_said_once_and_never_raised(hub, node_key, caplog):
    caplog.set_level(logging.WARNING, logger=carrier_module.__name__)
    with FleetCarrier(hub, node_key) as carrier:
        assert [carrier.receive(0.01) for _ in range(3)] == [None, None, None]
        assert not carrier.connected
    assert len(caplog.records) == 1


def test_an_answer_to_a_hub_that_is_away_fails(hub, node_key, monkeypatch):
    monkeypatch.setattr(carrier_module, "_REPLY_SECONDS", -1.0)
    received = Received({}, message(RecordDict({})))
    with FleetCarrier(hub, node_key) as carrier, pytest.raises(HubUnreachableError):
        carrier.reply(received, {"reply": b""})


def test_an_answer_nobody_waits_for_fails(hub, node_key, monkeypatch):
    received = Received({}, message(RecordDict({})))
    with FleetCarrier(hub, node_key) as carrier:
        monkeypatch.setattr(carrier._client, "PushMessages", lambda _: PushMessagesResponse())
        with pytest.raises(HubUnreachableError):
            carrier.reply(received, {"reply": b""})


def test_a_bundle_is_never_asked_for(hub, node_key, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(
        carrier_module.FleetHttpClient,
        "_unary_unary",
        lambda _, path, response_type, **rest: asked.append(path) or response_type(),
    )
    with FleetCarrier(hub, node_key) as carrier:
        carrier.receive(0.0)
    assert asked == ["/v1/fleet/activate-node", "/v1/fleet/pull-messages", "/v1/fleet/deactivate-node"]


def test_a_message_of_many_objects_is_dropped(hub, node_key, monkeypatch):
    many = PullMessagesResponse()
    many.messages_list.add()
    tree = many.message_object_trees.add()
    for _ in range(4):
        tree.children.add()
    with FleetCarrier(hub, node_key) as carrier:
        monkeypatch.setattr(carrier, "_activate", lambda: None)
        monkeypatch.setattr(carrier._client, "PullMessages", lambda _: many)
        assert carrier.receive(0.0) is None


def test_one_record_of_bytes_is_received():
    sent = message(RecordDict({"flip": ConfigRecord({"task": b"1", "graph": b"", "text": "dropped"})}))
    contents = {object_id: item.deflate() for object_id, item in get_all_nested_objects(sent).items()}
    received = _inflated(sent.object_id, contents)
    assert received.parts == {"task": b"1", "graph": b""}
    assert received.message.metadata.message_id == sent.object_id


@pytest.mark.parametrize(
    "sent",
    [
        message(RecordDict({})),
        message(RecordDict({"other": ConfigRecord({"task": b""})})),
        message(RecordDict({"flip": ArrayRecord()})),
        RecordDict({"flip": ConfigRecord({"task": b""})}),
    ],
)
def test_other_shapes_are_dropped(sent):
    contents = {object_id: item.deflate() for object_id, item in get_all_nested_objects(sent).items()}
    with pytest.raises(carrier_module._UnreadableError):
        _inflated(sent.object_id, contents)


@pytest.mark.parametrize("content", [b"", b"\x00", b"Message,x,1\x00\xff", b"os.system,,0\x00"])
def test_bytes_that_are_no_object_are_dropped(content):
    with pytest.raises(carrier_module._UnreadableError):
        _inflated("id", {"id": content})


@pytest.mark.parametrize("headers", [{}, {"content-length": "x"}, {"content-length": "9999999999"}])
def test_an_answer_too_long_to_read_is_not_read(headers):
    with pytest.raises(httpx.HTTPError):
        _check_length(httpx.Response(200, headers=headers))
    _check_length(httpx.Response(200, headers={"content-length": "12"}))
