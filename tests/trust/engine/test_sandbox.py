"""What runs in the sandbox reaches no network, no file of the Trust, no other process and no secret."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.engine import EngineError, EnginePool, sandbox_available
from flip_trust.engine.sandbox import boxed, worker_command

boxes = pytest.mark.skipif(not sandbox_available(), reason="bubblewrap does not work here")

_PROBE = """
import json, os, socket, sys

def tried(what):
    try:
        return repr(what())
    except BaseException as error:
        return type(error).__name__

def connect(*address):
    with socket.create_connection(address, timeout=2):
        return "connected"

def write(path):
    with open(path, "w") as file:
        file.write("x")
    return "written"

secret, package, port, parent = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
print(json.dumps({
    "loopback": tried(lambda: connect("127.0.0.1", port)),
    "outside": tried(lambda: connect("1.1.1.1", 53)),
    "name": tried(lambda: socket.getaddrinfo("example.org", 80)),
    "interfaces": tried(lambda: [n for _, n in socket.if_nameindex()]),
    "secret": tried(lambda: open(secret).read()),
    "passwords": tried(lambda: open("/etc/shadow").read()),
    "people": tried(lambda: open("/etc/passwd").read()),
    "processes": tried(lambda: os.listdir("/proc")),
    "parent": tried(lambda: os.kill(parent, 0)),
    "slot": tried(lambda: open("/slot/given").read()),
    "write slot": tried(lambda: write("/slot/x")),
    "write root": tried(lambda: write("/x")),
    "write package": tried(lambda: write(os.path.join(package, "x.py"))),
    "write tmp": tried(lambda: write("/tmp/x")),
    "environment": sorted(os.environ),
    "repository": tried(lambda: sorted(os.listdir(os.path.dirname(package)))),
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    slot = home / "slot"
    slot.mkdir()
    (slot / "given").write_text("for the worker")
    (home / "secret").write_text("for nobody")
    import flip_trust

    package = os.path.dirname(flip_trust.__file__)
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = [str(home / "secret"), package, str(server.getsockname()[1]), str(os.getpid())]
        command = boxed([sys.executable, "-I", "-B", "-c", _PROBE, *arguments], slot)
        environment = {**os.environ, "FLIP_SECRET": "s3cret"}
        done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=True)
    return json.loads(done.stdout)


@boxes
def test_there_is_no_network(seen):
    assert seen["loopback"] == "ConnectionRefusedError"  # its own, empty loopback
    assert seen["outside"] in {"OSError", "TimeoutError"}
    assert seen["name"] == "gaierror"
    assert seen["interfaces"] == "['lo']"


@boxes
@pytest.mark.parametrize("path", ["secret", "passwords", "people", "processes"])
def test_files_of_the_trust_and_the_machine_are_not_there(seen, path):
    assert seen[path] == "FileNotFoundError"


@boxes
def test_the_slot_can_be_read_and_nothing_be_written_but_its_own_tmp(seen):
    assert seen["slot"] == "'for the worker'"
    assert seen["write tmp"] == "'written'"
    assert {seen[f"write {where}"] for where in ("slot", "root", "package")} == {"OSError"}


@boxes
def test_other_processes_and_the_agents_environment_are_not_there(seen):
    assert seen["parent"] == "ProcessLookupError"
    assert "FLIP_SECRET" not in seen["environment"]
    assert "PATH" not in seen["environment"]


@boxes
def test_of_the_sources_only_the_packages_are_there(seen):
    assert seen["repository"] == "['flip_trust']"


def test_without_bubblewrap_a_pool_says_so_at_its_start(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EngineError) as caught:
        EnginePool(tmp_path / "slots").start()
    assert caught.value.code == RefusalCode.SANDBOX_MISSING


def test_without_a_sandbox_it_warns(tmp_path, caplog):
    pool = EnginePool(tmp_path / "slots", "none", spare=0)
    pool.start()
    pool.close()
    assert any("WITHOUT a sandbox" in record.message for record in caplog.records)


def test_no_secret_reaches_a_worker_without_a_sandbox_either(tmp_path):
    _, environment = worker_command("none", tmp_path, 1)
    assert not [name for name in environment if "FLIP" in name or "TOKEN" in name]
