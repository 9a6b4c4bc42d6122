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
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.computation import Computation
from flip_trust.engine import EngineError, EnginePool, sandbox_available
from flip_trust.engine.pool import MEMORY_BYTES
from flip_trust.engine.process import Worker
from safetensors.numpy import save

from tests.flip_sdk.models.zoo import FEATURES
from tests.trust.engine.cases import BOUNDS, graph, model, node, people, value

SANDBOX = "bubblewrap" if sandbox_available() else "none"
ENDLESS = DPSGD(local_steps=1000, sampling_rate=1.0)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    with EnginePool(tmp_path_factory.mktemp("trust") / "slots", SANDBOX, settle=0.0) as pool:
        yield pool


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("name", ["linear", "cnn"])
def test_a_worker_computes_what_the_engine_computes(pool, name):
    exported, loss = model(name if name == "linear" else "frozen")
    snapshot, scaling = people(), Scaling(shift=(0.5,) * FEATURES, scale=(2.0,) * FEATURES)
    here = Computation(snapshot, BOUNDS, exported.graph)
    session = pool.open(snapshot, BOUNDS, exported.graph)
    try:
        raw = session.gradient(exported.weights, scaling, loss, 0.3)
        expected = here.gradient(exported.weights, scaling, loss, 0.3)
        assert all(np.allclose(raw.tensors[key], expected[key], atol=1e-6) for key in expected)
        assert (raw.sensitivity, raw.noised) == (0.3, False)
        raw = session.scores(exported.weights, scaling, 10)
        assert np.array_equal(raw.tensors["histogram"], here.scores(exported.weights, scaling, 10)["histogram"])
        assert (raw.sensitivity, raw.noised) == (1.0, False)
        raw = session.statistics(2.0)
        assert np.allclose(raw.tensors["sum"], here.statistics(2.0)["sum"])
        assert raw.sensitivity == pytest.approx(np.sqrt(4 + 2 * FEATURES))
        raw = session.dp_sgd(exported.weights, scaling, loss, DPSGD(), 1.0, expected_persons=40.0)
        assert raw.noised
    finally:
        session.close()
    assert gone(session.pid)


def test_nothing_of_the_people_stays_on_the_disk(pool):
    session = pool.open(people(), BOUNDS, None)
    slots = pool._slots
    assert not [path for path in slots.rglob("*") if path.is_file() and path.name != "worker.log"]
    assert oct(slots.stat().st_mode)[-3:] == "700"
    session.close()
    assert not any(b"safetensors" in path.read_bytes() for path in slots.rglob("*.log"))


def test_a_killed_worker_is_an_error_at_once_and_the_next_job_gets_another(pool):
    exported, loss = model("linear")
    session = pool.open(people(), BOUNDS, exported.graph)
    os.kill(session.pid, signal.SIGKILL)
    wait_until(lambda: not session._worker.alive)
    with pytest.raises(EngineError) as caught:
        session.gradient(exported.weights, None, loss, 1.0)
    assert caught.value.code == RefusalCode.ENGINE_FAILED
    session.close()
    another = pool.open(people(), BOUNDS, exported.graph)
    assert another.gradient(exported.weights, None, loss, 1.0).tensors
    another.close()


def test_a_spare_that_died_while_it_waited_is_not_given_to_a_job(tmp_path):
    with EnginePool(tmp_path / "slots", SANDBOX) as own:
        wait_until(lambda: own._waiting)
        spare = own._waiting[0]
        os.kill(spare.pid, signal.SIGKILL)
        wait_until(lambda: not spare.alive)
        session = own.open(people(), BOUNDS, None)
        assert session.pid != spare.pid
        assert session.statistics(1.0).tensors["persons"] == [40]


def test_the_agent_itself_never_imports_torch():
    code = "import sys, flip_trust.engine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_worker_killed_in_the_middle_is_an_error(pool):
    exported, loss = model("attention")
    session = pool.open(people(400), BOUNDS, exported.graph)
    failed = []

    def compute():
        try:
            session.dp_sgd(exported.weights, None, loss, ENDLESS, 1.0, expected_persons=400.0)
        except EngineError as error:
            failed.append(error.code)

    thread = threading.Thread(target=compute)
    thread.start()
    os.kill(session.pid, signal.SIGKILL)
    thread.join(60)
    assert failed == [RefusalCode.ENGINE_FAILED]


def test_closing_a_session_ends_what_it_computes(pool):
    exported, loss = model("attention")
    session = pool.open(people(400), BOUNDS, exported.graph)
    failed = []

    def compute():
        try:
            session.dp_sgd(exported.weights, None, loss, ENDLESS, 1.0, expected_persons=400.0)
        except EngineError as error:
            failed.append(error.code)

    thread = threading.Thread(target=compute)
    thread.start()
    session.close()
    thread.join(60)
    assert failed == [RefusalCode.ENGINE_FAILED]


def opened(tmp_path, exported_graph, memory=MEMORY_BYTES, count=400):
    worker = Worker(tmp_path / "slots", SANDBOX, memory)
    worker.wait_ready(time.monotonic() + 120)
    (worker.data / "snapshot.safetensors").write_bytes(people(count).to_bytes())
    (worker.data / "bounds.safetensors").write_bytes(save({"bounds": BOUNDS}))
    worker.ask({"do": "open", "graph": True}, exported_graph, 120, 0)
    return worker


def test_a_hung_worker_is_killed_at_its_deadline(tmp_path):
    exported, loss = model("attention")
    worker = opened(tmp_path, exported.graph)
    request = {"do": "dp_sgd", "scaling": None, "loss": loss, "mechanism": ENDLESS.model_dump()}
    with pytest.raises(EngineError) as caught:
        worker.ask(request | {"noise_multiplier": 1.0, "expected_persons": 400.0}, exported.weights, 0.2, 10**6)
    assert caught.value.code == RefusalCode.ENGINE_FAILED
    assert not worker.alive
    assert not list((tmp_path / "slots").iterdir())


def test_a_memory_bomb_ends_at_the_workers_limit_and_not_the_machines(tmp_path):
    """Within every static limit, but more than this worker may have."""
    size = 3000
    nodes = [
        node("aten.linear.default", [value(0), value(1)], (1, 1)),
        node("aten.expand.default", [value(2), [size, size]], (size, size)),
    ]
    nodes += [node("aten.exp.default", [value(1 + len(nodes) + i)], (size, size)) for i in range(7)]
    last = 1 + len(nodes)
    nodes += [node("aten.sum.default", [value(last)], ()), node("aten.view.default", [value(last + 1), [1, 1]], (1, 1))]
    text = json.dumps(graph(nodes, last + 2)).encode()
    worker = opened(tmp_path, text, memory=1000 * 1024 * 1024, count=8)
    weights = save({"w": np.zeros((1, FEATURES), dtype=np.float32)})
    request = {"do": "gradient", "scaling": None, "loss": "mse", "max_grad_norm": 1.0}
    with pytest.raises(EngineError) as caught:
        worker.ask(request, weights, 120, 10**6)
    assert caught.value.code == RefusalCode.MODEL_TOO_LARGE
    worker.end()


def test_a_hostile_graph_is_refused_when_the_session_opens(pool):
    lie = node("aten.expand.default", [value(1), [2**30, 30]], (1, FEATURES))
    back = node("aten.linear.default", [value(2), value(1)], (1, 1))
    for hostile, code in (
        (graph([lie, back], 3), RefusalCode.MODEL_REFUSED),
        (graph([back] * 6000, 3), RefusalCode.MODEL_TOO_LARGE),
    ):
        with pytest.raises(EngineError) as caught:
            pool.open(people(), BOUNDS, json.dumps(hostile).encode())
        assert caught.value.code == code


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
