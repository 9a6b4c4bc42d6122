"""What Docker is asked, by its own client over a real connection. There is no daemon here: a small one answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flip_hub.governance.profiles import profiles
from flip_hub.jupyterhub.docker import DockerWorkspace
from flip_hub.jupyterhub.spawner import CONFIGURATION, RefusedError

from tests.hub.jupyterhub.forms import IMAGE, PERSON, PROJECT, made, of_form
from tests.hub.jupyterhub.homes import populated_home

CLOSED = {
    "Name": "flip-workspaces",
    "Internal": True,
    "Options": {"com.docker.network.bridge.enable_icc": "false"},
}


class Daemon(ThreadingHTTPServer):
    """Answers as Docker does, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.network: dict[str, Any] = dict(CLOSED)
        self.asked: list[tuple[str, str, Any]] = []

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        """What Docker would say."""
        if path.endswith("/version"):
            return 200, {"ApiVersion": "1.50"}
        if "/networks" in path:
            return 200, [self.network]
        if method == "GET" and "/images/" in path:
            return 200, {"Id": "sha256:1"}
        if path.endswith("/json") and not any("/start" in path for _, path, _ in self.asked):
            return 404, {"message": "no such container"}
        if path.endswith("/json"):
            address = {"flip-workspaces": {"IPAddress": "172.30.0.7"}}
            return 200, {"Id": "c1", "State": {"Running": True}, "NetworkSettings": {"Networks": address}}
        return (201, {"Id": "c1", "Warnings": []}) if "/create" in path else (204, None)


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        status, content = self.server.answer(self.command, self.path.partition("?")[0])
        sent = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_DELETE = _any

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's home in which the person's project is open."""
    return populated_home(tmp_path_factory.mktemp("form") / "home").home


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with Daemon() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{running.server_port}")
        monkeypatch.setattr(DockerWorkspace, "_client", None)
        yield running
        running.shutdown()
        thread.join()


def started(home: Path, profile: str = "small", **changes: Any) -> Any:
    """Start a workspace; returns its address."""
    config = of_form(home, "docker", **changes)
    spawner = made(config)
    spawner.prepare()
    spawner.limit(profiles(config).named(profile))
    return asyncio.run(spawner.start())


def created(daemon: Daemon) -> dict[str, Any]:
    """The one container that was asked for."""
    (body,) = [body for method, path, body in daemon.asked if method == "POST" and "/containers/create" in path]
    return body


def test_a_container_has_no_rights_and_writes_to_its_home_alone(home: Path, daemon: Daemon) -> None:
    assert started(home) == ("172.30.0.7", 8888)
    body = created(daemon)
    host = body["HostConfig"]
    assert body["Image"] == IMAGE
    assert body["User"].split(":")[0] not in {"", "0"}
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not host.get("Privileged")
    assert host["NetworkMode"] == "flip-workspaces"
    assert not host.get("PortBindings")
    own = home / "workspaces" / PROJECT / PERSON
    assert sorted(host["Binds"]) == sorted(
        [
            f"{own}:/home/researcher:rw",
            f"{home / 'incoming' / PROJECT}:/home/researcher/incoming:ro",
            f"{CONFIGURATION}:/etc/flip/workspace:ro",
        ]
    )


def test_its_limits_are_its_profiles(home: Path, daemon: Daemon) -> None:
    started(home)
    host = created(daemon)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (4_000_000_000, 4_000_000_000)
    assert host["CpuQuota"] / host["CpuPeriod"] == 2
    assert host["PidsLimit"] > 0
    assert not host.get("DeviceRequests")


@pytest.mark.parametrize(("devices", "wanted"), [("", {"Count": 1}), ("MIG-1", {"DeviceIDs": ["MIG-1"]})])
def test_a_profile_with_a_card_is_given_it(
    home: Path, tmp_path: Path, daemon: Daemon, devices: str, wanted: dict[str, Any]
) -> None:
    (tmp_path / "p.yaml").write_text(
        "default: g\n"
        f"profiles: [{{name: g, title: G, cpu: 1, memory_gb: 1, gpus: 1, gpu_hours: 1, devices: [{devices}]}}]\n"
    )
    started(home, "g", workspace_profiles=str(tmp_path / "p.yaml"))
    (asked,) = created(daemon)["HostConfig"]["DeviceRequests"]
    assert asked | wanted == asked
    assert asked["Capabilities"] == [["gpu"]]


def test_its_environment_is_the_workspaces_alone(home: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/of/the/hub")
    started(home)
    env = dict(line.split("=", 1) for line in created(daemon)["Env"])
    assert env["JUPYTERHUB_API_URL"].startswith("http://172.30.0.1:8081/")
    assert env["FLIP_HUB_API"] == "http://172.30.0.1:8000/services/flip/api"
    assert not {"VIRTUAL_ENV", "PATH", "FLIP_HUB_HOME"} & set(env)
    assert str(home) not in str(env)


@pytest.mark.parametrize(
    "changes", [{"Internal": False}, {"Options": {}}, {"Name": "another"}], ids=["out", "across", "none"]
)
def test_nothing_starts_in_a_network_that_leads_out(home: Path, daemon: Daemon, changes: dict[str, Any]) -> None:
    daemon.network |= changes
    with pytest.raises(RefusedError):
        started(home)
    assert not [path for _, path, _ in daemon.asked if "/create" in path]


def test_no_person_chooses_an_image(home: Path, daemon: Daemon) -> None:
    config = of_form(home, "docker")
    spawner = made(config)
    spawner.user_options = {"image": "evil/image", "profile": "small"}
    spawner.prepare()
    spawner.limit(spawner.chosen())
    asyncio.run(spawner.start())
    assert created(daemon)["Image"] == IMAGE
