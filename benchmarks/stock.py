"""A stock Flower app on the gateway's SuperLink: four SuperNodes, SuperExec, a built bundle, the Control API."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from flwr.cli.build import build_fab_from_disk
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import ListNodesRequest, StartRunRequest
from flwr.supercore.constant import NOOP_FEDERATION_ID
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.fab import Fab
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from demo.patients import Patients
from demo.platform import Platform
from demo.processes import free_ports

APP = Path(__file__).with_name("stock_app")
ROUNDS = 4


@dataclass(frozen=True)
class Measured:
    """Seconds: each round, and from submit to the first Trust's work."""

    rounds: Sequence[float]
    first_work: float

    @property
    def round(self) -> float:
        """The median round."""
        return median(self.rounds)


def run_stock(platform: Platform, superlink: int, patients: Mapping[str, Patients]) -> Measured:
    """Start stock SuperNodes beside a running gateway, run the app, and stop them."""
    folder = platform.folder / "stock"
    folder.mkdir()
    ports = free_ports(list(patients))
    environ = {"FLWR_HOME": str(folder / "flwr"), "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
    os.environ.update(environ)
    names = ["stock-superexec", *(f"stock-{name}" for name in patients)]
    address = f"127.0.0.1:{superlink}"
    within = ("env", *(f"{name}={value}" for name, value in environ.items()))
    try:
        command = platform.command("flower-superexec")
        platform.launch(names[0], *within, command, "--insecure", "--runtime-api-address", address)
        for name, people in patients.items():
            np.savez(folder / f"{name}.npz", features=_scaled(people.features), labels=people.malignant)
            node = f'data="{folder / f"{name}.npz"}" first_work="{folder / "first_work"}"'
            command = platform.command("flower-supernode")
            options = ("--superlink", address, "--port", str(ports[name]), "--node-config", node)
            platform.launch(f"stock-{name}", *within, command, "--insecure", *options)
        return _submit(platform, address, folder, len(patients))
    finally:
        running = platform.running()
        platform.stop(*(name for name in names if name in running))


def _submit(platform: Platform, address: str, folder: Path, nodes: int) -> Measured:
    report = folder / "report.json"
    bundle = build_fab_from_disk(APP)
    fab = Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})
    settings: dict[str, bool | float | int | str] = {"rounds": ROUNDS, "nodes": nodes, "report": str(report)}
    request = StartRunRequest(
        fab=fab_to_proto(fab), override_config=user_config_to_proto(settings), federation=NOOP_FEDERATION_ID
    )
    version = RuntimeVersionHttpInterceptor(component_name="flwr-cli")
    with ControlHttpClient.from_server_address(address, True, None, [version]) as control:

        def online() -> bool:
            with suppress(OSError):
                found = control.ListNodes(ListNodesRequest()).nodes_info
                return len([node for node in found if node.status == "online"]) >= nodes
            return False

        platform.wait_until(online, 60, "the stock SuperNodes are online", log="stock-superexec")
        submitted = time.time()
        control.StartRun(request)
    platform.wait_until(report.exists, 180, "the stock app ends", log="stock-superexec")
    first_work = float((folder / "first_work").read_text())
    return Measured(json.loads(report.read_text()), first_work - submitted)


def _scaled(features: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (features - features.mean(axis=0)) / features.std(axis=0)
    return scaled
