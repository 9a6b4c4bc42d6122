"""A hub that was broken into, with all of its keys, sends code to a real Trust in every place where bytes can go.

None of it runs: the Trust refuses each with a fixed reason, no payload leaves its mark, and the agent goes on. (That
the agent never asks for Flower's bundle is shown in tests/trust/agent/test_carrier.py, that the gateway would not even
hand one out in test_flower_carrier.py, and hostile graphs of the right form in tests/trust/engine/.)
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from flip_hub.config import HubConfig
from flip_hub.flower.grid import Carrier, connect
from flip_sdk.contract.jobs import ModelRef
from flip_sdk.contract.records import digest
from flip_sdk.contract.signatures import PublicKey, SigningKey, verify
from flip_sdk.contract.tasks import Refusal, RefusalCode
from flip_sdk.errors import SignatureError

from tests.integration.researcher import ledger, project_of, read
from tests.trust.world import GRAPH, NAME, WEIGHTS, Hub, evaluate_spec

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("platform")]


class Payload:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (exec, (f"open({str(self.mark)!r}, 'w').close()",))


@pytest.fixture(scope="module")
def hub(story) -> Hub:
    """The hub's own keys, in wrong hands."""
    keys = story.platform.hub_home / "keys"
    return Hub(*(SigningKey.from_pem((keys / f"{name}.pem").read_bytes()) for name in ("governance", "dispatcher")))


@pytest.fixture(scope="module")
def carrier(story) -> Iterator[Carrier]:
    """The hub's own way to its Trusts, in wrong hands."""
    platform = story.platform
    config = HubConfig.load(platform.hub_home, {"FLIP_HUB_CONTROL_PORT": str(platform.ports["control"])})
    carrier = connect(config)
    yield carrier
    carrier.close()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that a payload would make."""
    return tmp_path / "a payload ran here"


def test_the_payload_would_leave_its_mark(mark: Path) -> None:
    pickle.loads(pickle.dumps(Payload(mark)))

    assert mark.exists()


def test_a_pickle_is_no_task(story, carrier, mark: Path) -> None:
    assert refusal(story, carrier, {"task": pickle.dumps(Payload(mark))}) == RefusalCode.BAD_SIGNATURE
    assert not mark.exists()


def test_a_bundle_beside_a_task_is_not_unpacked(story, carrier, hub, mark: Path) -> None:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("pyproject.toml", '[tool.flwr.app.components]\nclientapp = "client:app"\n')
        archive.writestr("client.py", f"open({str(mark)!r}, 'w').close()\n")
        archive.writestr("sitecustomize.py", f"open({str(mark)!r}, 'w').close()\n")
    job = hub.job(evaluate_spec(model=ModelRef(graph=digest(bundle.getvalue()), weights=digest(WEIGHTS)), epsilon=0.1))

    parts = hub.parts(job, "evaluate", graph=bundle.getvalue(), weights=WEIGHTS) | {"fab": bundle.getvalue()}

    assert refusal(story, carrier, parts) == RefusalCode.MODEL_REFUSED
    assert not mark.exists()
    assert not list(story.platform.trust_home(NAME).rglob("client.py"))


@pytest.mark.parametrize(
    "operator", ["builtins.exec", "os.system", "aten.from_file.default", "torch.load", "__import__"]
)
def test_a_graph_may_not_name_what_it_likes(story, carrier, hub, mark: Path, operator: str) -> None:
    graph = json.loads(GRAPH)
    graph["nodes"][0] |= {"op": operator, "args": [f"open({str(mark)!r}, 'w')"[:30]]}

    assert refusal(story, carrier, task(hub, json.dumps(graph).encode(), WEIGHTS)) == RefusalCode.MODEL_REFUSED
    assert not mark.exists()


def test_a_pickle_or_an_exported_program_is_no_graph(story, carrier, hub, mark: Path) -> None:
    exported = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.Linear(2, 1), (torch.zeros(1, 2),)), exported)

    for content in (pickle.dumps(Payload(mark)), exported.getvalue()):
        assert refusal(story, carrier, task(hub, content, WEIGHTS)) == RefusalCode.MODEL_REFUSED
    assert not mark.exists()


def test_pickled_weights_are_not_loaded(story, carrier, hub, mark: Path) -> None:
    saved = io.BytesIO()
    torch.save({"weight": Payload(mark)}, saved)

    for content in (pickle.dumps(Payload(mark)), saved.getvalue()):
        assert refusal(story, carrier, task(hub, GRAPH, content)) == RefusalCode.MODEL_REFUSED
    assert not mark.exists()


def test_each_refusal_is_in_the_trusts_audit_log_and_it_still_works(story, carrier, hub, mark: Path) -> None:
    before = refused_tasks(story)
    assert refusal(story, carrier, task(hub, pickle.dumps(Payload(mark)), WEIGHTS)) == RefusalCode.MODEL_REFUSED
    assert refused_tasks(story) == before + 1

    spent = ledger(story.platform, NAME)["budgets"][0]["spent"]
    assert project_of(story).count(epsilon=0.1).height >= 1
    assert ledger(story.platform, NAME)["budgets"][0]["spent"] > spent


def task(hub: Hub, graph: bytes, weights: bytes) -> dict[str, bytes]:
    """A properly signed task of a properly signed job, around these blobs."""
    model = ModelRef(graph=digest(graph), weights=digest(weights))
    return hub.parts(hub.job(evaluate_spec(model=model, epsilon=0.1)), "evaluate", graph=graph, weights=weights)


def refusal(story, carrier: Carrier, parts: Mapping[str, bytes]) -> RefusalCode:
    """Send to the Trust and return the reason with which it refused."""
    message = carrier.push(NAME, parts)
    (answer,) = carrier.pull([message], wait=30.0)
    assert answer.parts is not None, answer.error
    enrolled = read(story.platform.hub_home / "flip.db", "SELECT identity_key FROM trust WHERE name = ?", NAME)
    try:
        return verify(answer.parts["reply"], PublicKey(enrolled[0][0]), Refusal).code
    except SignatureError:
        pytest.fail("the Trust did not refuse")


def refused_tasks(story) -> int:
    """How many refusals the Trust's audit log has."""
    query = "SELECT count(*) FROM audit WHERE event = 'task.refused'"
    return int(read(story.platform.trust_home(NAME) / "trust.db", query)[0][0])
