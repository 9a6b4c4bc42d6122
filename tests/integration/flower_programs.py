"""The two ends of the carrier as real programs, without the rest of the platform.

python -m tests.integration.flower_programs gateway HOME
python -m tests.integration.flower_programs trust HOME
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flip_hub.certificates import make_certificates
from flip_hub.config import HubConfig
from flip_hub.keys import hub_record, make_keys
from flip_sdk.contract.notices import HubEnrolment

from demo.processes import Keeper, Program, free_ports

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Carriage:
    """A gateway and any number of Trusts that echo, each under a keeper that restarts it."""

    folder: Path
    config: HubConfig = field(init=False)
    keepers: dict[str, Keeper] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home = self.folder / "hub"
        (home / "enrolled").mkdir(parents=True)
        ports = free_ports(["gateway", "control"])
        (home / "hub.toml").write_text(f"gateway_port = {ports['gateway']}\ncontrol_port = {ports['control']}\n")
        self.config = HubConfig.load(home, {})
        make_certificates(self.config)
        make_keys(self.config)

    def start_gateway(self) -> None:
        self._start("gateway", self.config.home)

    def enrol(self, name: str) -> None:
        """Make a Trust's home with its key, and register that key at the hub."""
        key = ec.generate_private_key(ec.SECP384R1())
        line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        self.make_home(name, key)
        (self.config.home / "enrolled" / name).write_bytes(line)

    def make_home(self, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
        home = self.folder / name
        home.mkdir()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (home / "node.pem").write_bytes(pem)
        (home / "hub.json").write_bytes(hub_record(self.config).canonical())
        return home

    def start_trust(self, name: str) -> None:
        self._start(name, self.folder / name)

    def stop(self, *names: str) -> None:
        chosen = [self.keepers.pop(name) for name in names or list(self.keepers)]
        for keeper in chosen:
            keeper.ask_to_stop()
        for keeper in chosen:
            keeper.wait(20)

    def pid(self, name: str) -> int:
        pid = self.keepers[name].pid
        assert pid is not None, self.keepers[name].last_words()
        return pid

    def words(self) -> str:
        return "\n".join(f"--- {name}\n{keeper.last_words()}" for name, keeper in self.keepers.items())

    def _start(self, name: str, home: Path) -> None:
        kind = "gateway" if name == "gateway" else "trust"
        command = (sys.executable, "-m", "tests.integration.flower_programs", kind, str(home))
        self.keepers[name] = Keeper(Program(name, command, {}, REPOSITORY), self.folder)


def gateway(home: Path) -> None:
    from flip_hub.flower.superlink import run_gateway
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def notices(request: Request) -> Response:
        refused = await request.body() == b"refused"
        return Response(b"this notice was seen before" if refused else b"", status_code=409 if refused else 204)

    async def projects(_: Request) -> Response:
        return JSONResponse([])

    def node_keys() -> Mapping[str, bytes]:
        return {path.name: path.read_bytes() for path in (home / "enrolled").iterdir()}

    routes = [Route("/notices", notices, methods=["POST"]), Route("/projects", projects, methods=["POST"])]
    run_gateway(HubConfig.load(home, {}), Starlette(routes=routes), node_keys)


def trust(home: Path) -> None:
    """Echo every message; one that says ``hang`` is held until this process is killed, the first time."""
    from flip_trust.agent.carrier import FleetCarrier

    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: stopping.append(n))
    hub = HubEnrolment.parse((home / "hub.json").read_bytes())
    with FleetCarrier(hub, home / "node.pem") as carrier:
        while not stopping:
            received = carrier.receive(1.0)
            if received is None:
                continue
            if received.parts.get("task") == b"hang" and not (home / "hanging").exists():
                (home / "hanging").touch()
                while not stopping:
                    time.sleep(0.1)
            else:
                carrier.reply(received, received.parts)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    {"gateway": gateway, "trust": trust}[sys.argv[1]](Path(sys.argv[2]))
