"""Real workers: warm, one job each, killed, hung, and never able to take the agent with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from flip_sdk.contract.jobs import DPSGD, Scaling
from flip_sdk.contract.prepare import longest
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.computation import Computation
from flip_trust.engine import EngineError, EnginePool, sandbox_available
from flip_trust.engine.process import Worker
from safetensors.numpy import save

from tests.flip_sdk.models.zoo import FEATURES
from tests.trust.engine.cases import BOUNDS, graph, model, node, people, value
from tests.trust.world import wait_until

SANDBOX = "bubblewrap" if sandbox_available() else "none"
ENDLESS = DPSGD(local_steps=1000, sampling_rate=1.0)
MANY = 20_000
"""Persons with whom a thousand steps take far longer than any test waits."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with EnginePool(tmp_path_factory.mktemp("trust") / "slots", SANDBOX, settle=0.0) as pool:
        yield pool


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def killed(session):
    os.kill(session.pid, signal.SIGKILL)


def closed(session):
    session.close()


@pytest.mark.parametrize(("name", "end"), [("linear", killed), ("frozen", closed)])
def test_a_worker_computes_what_the_engine_computes_until_it_is_ended(pool, name, end):
    exported, loss = model(name)
    snapshot, scaling = people(MANY), Scaling(shift=(0.5,) * FEATURES, scale=(2.0,) * FEATURES)
    here = Computation(snapshot, BOUNDS, exported.graph)
    session = pool.open(snapshot, BOUNDS, exported.graph)
    compare_gradient(session, here, exported, loss, scaling)
    compare_counts(session, here, exported, scaling)
    assert session.dp_sgd(exported.weights, scaling, loss, DPSGD(), 1.0, expected_persons=float(MANY)).noised
    failed = []

    def compute():
        try:
            session.dp_sgd(exported.weights, scaling, loss, ENDLESS, 1.0, expected_persons=float(MANY))
        except EngineError as error:
            failed.append(error.code)

    thread = threading.Thread(target=compute)
    thread.start()
    end(session)
    thread.join(60)
    assert failed == [RefusalCode.ENGINE_FAILED]
    session.close()
    assert gone(session.pid)


def compare_gradient(session, here, exported, loss, scaling):
    raw = session.gradient(exported.weights, scaling, loss, 0.3)
    expected = here.gradient(exported.weights, scaling, loss, 0.3)
    assert all(np.allclose(raw.tensors[key], expected[key], atol=1e-6 * MANY) for key in expected)
    assert (raw.sensitivity, raw.noised) == (0.3, False)


def compare_counts(session, here, exported, scaling):
    raw = session.scores(exported.weights, scaling, 10)
    assert np.array_equal(raw.tensors["histogram"], here.scores(exported.weights, scaling, 10)["histogram"])
    assert (raw.sensitivity, raw.noised) == (1.0, False)
    raw = session.statistics(2.0)
    assert np.allclose(raw.tensors["sum"], here.statistics(2.0)["sum"])
    assert raw.sensitivity == pytest.approx(np.hypot(2.0, longest(FEATURES)))


def test_nothing_of_the_people_stays_on_the_disk_and_a_killed_worker_is_an_error_at_once(pool):
    session = pool.open(people(), BOUNDS, None)
    slots = pool._slots
    assert not [path for path in slots.rglob("*") if path.is_file() and path.name != "worker.log"]
    assert oct(slots.stat().st_mode)[-3:] == "700"
    assert not any(b"safetensors" in path.read_bytes() for path in slots.rglob("*.log"))
    os.kill(session.pid, signal.SIGKILL)
    wait_until(lambda: not session._worker.alive)
    with pytest.raises(EngineError) as caught:
        session.statistics(1.0)
    assert caught.value.code == RefusalCode.ENGINE_FAILED
    session.close()


def test_a_spare_that_died_while_it_waited_is_not_given_to_a_job(pool):
    wait_until(lambda: pool._waiting)
    spare = pool._waiting[0]
    os.kill(spare.pid, signal.SIGKILL)
    wait_until(lambda: not spare.alive)
    session = pool.open(people(), BOUNDS, None)
    assert session.pid != spare.pid
    assert session.statistics(1.0).tensors["persons"] == [40]
    session.close()


def test_a_job_that_waited_for_its_worker_leaves_a_spare_behind(tmp_path):
    with EnginePool(tmp_path / "slots", SANDBOX, settle=0.0) as fresh:
        fresh.open(people(), BOUNDS, None).close()
        wait_until(lambda: fresh._waiting)


def test_a_missing_spare_is_never_slept_over(tmp_path):
    idle = EnginePool(tmp_path / "slots", SANDBOX)
    assert not idle._waiting
    assert idle._pause() is not None


def test_the_agent_itself_never_imports_torch():
    code = "import sys, flip_trust.engine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def put_people(worker, count):
    (worker.data / "snapshot.safetensors").write_bytes(people(count).to_bytes())
    (worker.data / "bounds.safetensors").write_bytes(save({"bounds": BOUNDS}))


def refused_as(code, worker, *request):
    with pytest.raises(EngineError) as caught:
        worker.ask(*request)
    assert caught.value.code == code


def test_a_worker_refuses_lies_and_memory_bombs_and_is_killed_where_it_hangs(tmp_path):
    worker = Worker(tmp_path / "slots", SANDBOX, 500 * 1024 * 1024)
    worker.wait_ready(time.monotonic() + 120)
    put_people(worker, 8)
    refused_as(RefusalCode.MODEL_REFUSED, worker, {"do": "open", "graph": True}, lie(), 120, 0)
    worker.ask({"do": "open", "graph": True}, memory_bomb(), 120, 0)
    weights = save({"w": np.zeros((1, FEATURES), dtype=np.float32)})
    request = {"do": "gradient", "scaling": None, "loss": "mse", "max_grad_norm": 1.0}
    refused_as(RefusalCode.MODEL_TOO_LARGE, worker, request, weights, 120, 10**6)
    exported, loss = model("linear")
    put_people(worker, MANY)
    worker.ask({"do": "open", "graph": True}, exported.graph, 120, 0)
    request = {"do": "dp_sgd", "scaling": None, "loss": loss, "mechanism": ENDLESS.model_dump()}
    request |= {"noise_multiplier": 1.0, "expected_persons": float(MANY), "weights": len(exported.weights)}
    refused_as(RefusalCode.ENGINE_FAILED, worker, request, exported.weights, 0.2, 10**6)
    assert not worker.alive
    assert not list((tmp_path / "slots").iterdir())


def memory_bomb():
    """Within every static limit, but more than this worker may have."""
    size = 3000
    nodes = [
        node("aten.linear.default", [value(0), value(1)], (1, 1)),
        node("aten.expand.default", [value(2), [size, size]], (size, size)),
    ]
    nodes += [node("aten.exp.default", [value(1 + len(nodes) + i)], (size, size)) for i in range(7)]
    last = 1 + len(nodes)
    nodes += [node("aten.sum.default", [value(last)], ()), node("aten.view.default", [value(last + 1), [1, 1]], (1, 1))]
    return json.dumps(graph(nodes, last + 2)).encode()


def lie():
    """States shapes that it does not have."""
    wide = node("aten.expand.default", [value(1), [2**30, 30]], (1, FEATURES))
    return json.dumps(graph([wide, node("aten.linear.default", [value(2), value(1)], (1, 1))], 3)).encode()


def test_a_graph_that_is_too_large_never_reaches_a_worker(pool):
    back = node("aten.linear.default", [value(0), value(1)], (1, 1))
    with pytest.raises(EngineError) as caught:
        pool.open(people(), BOUNDS, json.dumps(graph([back] * 6000, 3)).encode())
    assert caught.value.code == RefusalCode.MODEL_TOO_LARGE


def test_a_pool_starts_over_what_a_crash_left_behind_and_leaves_nothing(tmp_path):
    slots = tmp_path / "slots"
    (slots / "old" / "data").mkdir(parents=True)
    (slots / "old" / "data" / "snapshot.safetensors").write_bytes(b"people")
    pool = EnginePool(slots, SANDBOX, spare=0)
    pool.start()
    assert not list(slots.iterdir())
    pool.close()
    assert not slots.exists()
    with pytest.raises(EngineError):
        pool.open(people(), BOUNDS, None)


@pytest.mark.skipif(SANDBOX == "none", reason="bubblewrap does not work here")
def test_workers_die_with_the_agent(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from flip_trust.engine import EnginePool\n"
        "pool = EnginePool(Path(sys.argv[1])); pool.start()\n"
        "while not pool._waiting: time.sleep(0.05)\n"
        "print(pool._waiting[0].pid, flush=True); time.sleep(600)"
    )
    agent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "slots")], stdout=subprocess.PIPE)
    worker = int(agent.stdout.readline())
    agent.kill()
    agent.wait()
    agent.stdout.close()
    wait_until(lambda: gone(worker))
