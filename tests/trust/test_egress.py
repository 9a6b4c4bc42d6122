from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import flip_trust
import pytest
from flip_sdk.contract.notices import StatusNotice, TrustRequest
from flip_sdk.contract.signatures import verify
from flip_sdk.contract.tasks import CancelReceipt, Refusal, RefusalCode
from flip_trust import egress
from flip_trust.agent.testing import FakeCarrier, FakeClient
from flip_trust.keys import load_identity

from tests.trust.world import NAME, notice_of

ROOT = Path(flip_trust.__file__).parent
SENDING = {"reply", "post_notice", "ask_projects", "ask_purges"}
MODULES = [path for path in ROOT.rglob("*.py") if path.name not in ("testing.py", "carrier.py", "hub_client.py")]
NOW = datetime.now(UTC)


def sends(tree: ast.AST) -> set[str]:
    """Methods of the carrier and the hub client that a module calls or passes on, other than through egress."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in SENDING
        and not (isinstance(node.value, ast.Name) and node.value.id == "egress")
    }


def test_egress_alone_calls_what_sends():
    found = {path.relative_to(ROOT).as_posix() for path in MODULES if sends(ast.parse(path.read_text()))}

    assert found == {"egress.py"}


def test_no_other_module_speaks_to_a_network():
    allowed = {"agent/carrier.py", "agent/hub_client.py"}
    # these answer the hospital's own systems, with codes and with what was sent to them, and call nobody
    listening = {
        "imaging/association.py",
        "imaging/negotiation.py",
        "imaging/receiver.py",
        "imaging/stow.py",
        "ingest/cli.py",
        "ingest/hl7/listener.py",
    }
    # asks the hospital's own PACS for images and takes them; what it says is who is looked for, to who told of them
    asking = {"imaging/dicomweb.py", "imaging/retrieve.py"}
    # the hospital's own Dask cluster, which the Trust's operator names
    spreading = {"scaleout.py"}
    speaking = {"httpx", "flwr", "socket", "http", "urllib", "requests", "aiohttp", "smtplib", "ftplib", "asyncio"}
    speaking |= {"distributed", "pynetdicom", "websockets", "paramiko", "fsspec"}
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.split(".")[0] for name in names} & speaking:
                found.add(path.relative_to(ROOT).as_posix())

    assert found - {name for name in found if name.startswith("engine/")} == allowed | listening | asking | spreading


@pytest.mark.parametrize("content", [{"persons": 400}, b"bytes", "text", None, object()])
def test_only_typed_records_leave(trust, content):
    carrier = FakeCarrier()
    received = carrier.put({})

    with pytest.raises(TypeError):
        egress.send(carrier, received, content, load_identity(trust.config))
    assert carrier.wire() == []


def test_what_leaves_is_signed_by_the_trust(trust):
    key, carrier, client = load_identity(trust.config), FakeCarrier(), FakeClient()
    refusal = Refusal(task_id="t", trust=NAME, code=RefusalCode.REPLAYED, issued_at=NOW)
    receipt = CancelReceipt(task_id="t", job_id="j", trust=NAME, issued_at=NOW)
    for record in (refusal, receipt):
        received = carrier.put({})
        egress.send(carrier, received, record, key)
        assert verify(carrier.answer(received)["reply"], key.public, type(record)) == record

    status = StatusNotice(trust=NAME, notice_id=egress.new_id(), version="0", issued_at=NOW)
    egress.announce(client, status, key)
    assert notice_of(trust, client.posted[0]) == status
    request = TrustRequest(trust=NAME, asks="projects", request_id=egress.new_id(), issued_at=NOW)
    assert egress.ask_projects(client, request, key) == []
    assert egress.ask_purges(client, request, key) == []
