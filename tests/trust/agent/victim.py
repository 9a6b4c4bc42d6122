"""A Trust's agent as a program of its own, to be killed: messages are files in HOME/in, answers files in HOME/out.

The engine waits while HOME/hold exists, and answers stay unsent while HOME/mute exists.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flip_sdk.contract.signatures import PublicKey
from flip_trust.agent import log
from flip_trust.agent.loop import Agent
from flip_trust.agent.run_task import TaskRunner
from flip_trust.agent.serve import grounds_of
from flip_trust.agent.sessions import Sessions
from flip_trust.agent.testing import FakePool, FakeReceived
from flip_trust.cohort.omop import Omop
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.keys import PinnedHub, load_identity
from safetensors import deserialize
from safetensors.numpy import save


def write(folder: Path, name: str, parts: dict[str, bytes]) -> None:
    import numpy as np

    content = save({key: np.frombuffer(value, dtype=np.uint8) for key, value in parts.items()})
    (folder / f"{name}.new").write_bytes(content)
    (folder / f"{name}.new").replace(folder / name)


def read(path: Path) -> dict[str, bytes]:
    return {name: bytes(entry["data"]) for name, entry in deserialize(path.read_bytes())}


class FileCarrier:
    def __init__(self, home: Path) -> None:
        self.home = home

    def receive(self, wait: float = 2.0) -> Any:
        for path in sorted((self.home / "in").glob("[0-9]*[0-9]")):
            received = FakeReceived(read(path))
            received.message = path.name
            path.unlink()
            return received
        threading.Event().wait(min(wait, 0.01))
        return None

    def reply(self, received: Any, parts: Any) -> None:
        while (self.home / "mute").exists():
            threading.Event().wait(0.01)
        write(self.home / "out", received.message, dict(parts))


class HeldPool(FakePool):
    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home

    def open(self, snapshot, bounds, graph):
        while (self.home / "hold").exists():
            threading.Event().wait(0.01)
        return super().open(snapshot, bounds, graph)


def main(home: Path, governance: str, dispatcher: str) -> None:
    with (home / "agent.log").open("ab") as written:
        for stream in (1, 2):
            os.dup2(written.fileno(), stream)
    log.set_up()
    config = TrustConfig.load(home)
    database, omop = Database.open(config.database), Omop(config.omop)
    grounds = grounds_of(config, omop, sandboxed=True)
    runner = TaskRunner(config, database, omop, HeldPool(home), Sessions(2), grounds, lambda: datetime.now(UTC))
    hub = PinnedHub(PublicKey(governance), PublicKey(dispatcher))
    agent = Agent(runner, FileCarrier(home), load_identity(config), hub)
    agent.recover()
    (home / "ready").touch()
    agent.run(threading.Event())
