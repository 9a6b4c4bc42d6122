"""Which internals of Flower the two adapters stand on. Fails loudly when another flwr changes one of them.

When it fails after an upgrade: read what changed, mend `flip_hub/flower/` and `flip_trust/agent/carrier.py`, run
`tests/integration/test_flower_carrier.py` (real processes), then correct the pin and the table here.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from flip_hub.flower import fleet
from flip_hub.flower.fleet import CALLS
from flip_hub.flower.state import GatewayState
from flwr.app.metadata import Metadata
from flwr.common import constant
from flwr.proto.fleet_pb2 import ActivateNodeRequest, DeactivateNodeRequest
from flwr.server.superlink.linkstate.in_memory_linkstate import InMemoryLinkState
from flwr.supercore.corestate.in_memory_corestate import InMemoryCoreState, TokenRecord
from flwr.supercore.error.catalog import API_ERROR_MAP, ApiErrorCode
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.protobuf.client import ProtobufClient
from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES
from flwr.superlink.federation import NoOpFederationManager
from flwr.superlink.routers.fleet import node_auth
from flwr.superlink.servicer.fleet import fleet_handlers
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

ROOT = Path(__file__).resolve().parents[2]
FLWR = "1.41.0"

SIGNATURES = {
    InMemoryLinkState.get_message_ins: ["self", "node_id", "limit", "run_id"],
    InMemoryLinkState.activate_node: ["self", "node_id", "heartbeat_interval"],
    InMemoryLinkState.deactivate_node: ["self", "node_id"],
    InMemoryLinkState.store_message_and_object_tree: ["self", "message", "object_tree", "session_id"],
    InMemoryLinkState.store_message_ins: ["self", "message"],
    InMemoryLinkState.delete_messages: ["self", "message_ins_ids"],
    InMemoryLinkState.delete_node: ["self", "owner_aid", "node_id"],
    InMemoryLinkState.get_node_id_by_public_key: ["self", "public_key"],
    InMemoryCoreState.store_object: ["self", "run_id", "session_id", "object_id", "object_content"],
    InMemoryCoreState.claim_task: ["self", "task_id"],
    InMemoryCoreState.activate_task: ["self", "task_id"],
    InMemoryObjectStore.preregister: ["self", "run_id", "object_tree"],
    InMemoryObjectStore.put: ["self", "object_id", "object_content"],
    InMemoryObjectStore.get_object_tree: ["self", "object_id"],
    fleet_handlers.activate_node: ["request", "state"],
    fleet_handlers.deactivate_node: ["request", "state"],
    fleet_handlers.send_node_heartbeat: ["request", "state"],
    fleet_handlers.pull_messages: ["request", "state", "store"],
    fleet_handlers.push_messages: ["request", "state"],
    fleet_handlers.push_object: ["request", "state"],
    fleet_handlers.pull_object: ["request", "state"],
    fleet_handlers.confirm_message_received: ["request", "state", "store"],
    ProtobufClient.__init__: ["self", "base_url", "interceptors", "verify", "timeout", "retry_invoker"],
    NodeAuthHttpInterceptor.__init__: ["self", "private_key", "public_key"],
}


def test_the_pinned_version_is_the_one_that_was_read():
    assert importlib.metadata.version("flwr") == FLWR
    for distribution in ("hub", "trust"):
        project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
        assert f"flwr=={FLWR}" in project["dependencies"]


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signatures(function):
    assert list(inspect.signature(function).parameters) == SIGNATURES[function]


def test_the_state_keeps_what_the_gateway_reads():
    state = InMemoryLinkState(NoOpFederationManager(), InMemoryObjectStore())
    for name in (
        "lock",
        "nodes",
        "message_ins_store",
        "message_ins_id_to_message_res_id",
        "node_public_key_to_node_id",
        "task_token_store",
    ):
        assert hasattr(state, name), name
    assert "active_until" in TokenRecord.__dataclass_fields__
    own = {name for name, member in vars(GatewayState).items() if inspect.isfunction(member)}
    overridden = own & set(dir(InMemoryLinkState)) - {"__init__"}
    assert overridden == {"get_message_ins", "activate_node", "store_message_and_object_tree", "store_object"}


def test_the_calls_are_flowers_own():
    for name, call in CALLS.items():
        assert PROTOBUF_REQUEST_TYPES[("POST", f"/v1/fleet/{name}")] is call.request
    paths = inspect.getsource(FleetHttpClient)
    assert all(f'path="/v1/fleet/{name}"' in paths for name in CALLS)


def test_a_node_is_named_where_the_gateway_looks():
    assert "public_key" in ActivateNodeRequest.DESCRIPTOR.fields_by_name
    assert "node_id" in DeactivateNodeRequest.DESCRIPTOR.fields_by_name
    for call in CALLS.values():
        if call.request not in {ActivateNodeRequest, DeactivateNodeRequest}:
            assert "node" in call.request.DESCRIPTOR.fields_by_name, call.request


def test_flower_authenticates_as_the_gateway_does():
    """The gateway repeats this check so that it comes before the body; where Flower changes it, ours has to follow."""
    source = inspect.getsource(node_auth.authenticate_node)
    for piece in (
        "FLEET_HTTP_PUBLIC_KEY_HEADER",
        "FLEET_HTTP_SIGNATURE_HEADER",
        "TIMESTAMP_HEADER",
        "TIMESTAMP_TOLERANCE + SYSTEM_TIME_TOLERANCE",
        'verify_signature(\n            bytes_to_public_key(public_key), timestamp.encode("ascii"), signature',
        "get_node_id_by_public_key(public_key) != node_id",
    ):
        assert piece in source, piece
    assert fleet.TIMESTAMP_TOLERANCE == 300


def test_constants():
    assert constant.HEARTBEAT_MIN_INTERVAL == 10
    assert constant.HEARTBEAT_PATIENCE == 2
    assert ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED == 2004
    assert API_ERROR_MAP[ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED].http_status_code == 412
    assert "dst_node_id" in inspect.signature(Metadata.__init__).parameters


@pytest.mark.parametrize("module", ["flip_hub.flower.superlink", "flip_trust.agent.carrier"])
def test_flower_tells_nobody(module):
    asked = (
        f"import {module}, flwr.supercore.telemetry as t, flwr.supercore.update_check as u, os;"
        "assert t.FLWR_TELEMETRY_ENABLED == '0'; assert os.environ[u.FLWR_DISABLE_UPDATE_CHECK] == '1'"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FLWR_")}
    subprocess.run([sys.executable, "-c", asked], check=True, env=environ)


def test_the_dispatcher_needs_no_flower():
    asked = "import flip_hub.flower.client, flip_hub.flower.testing, sys; assert 'flwr' not in sys.modules"
    subprocess.run([sys.executable, "-c", asked], check=True)
