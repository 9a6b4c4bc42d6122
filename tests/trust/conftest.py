"""A Trust with synthetic patients, and a hub's two keys to send it tasks with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from flip_sdk.contract.notices import fingerprint
from flip_trust.config import TrustConfig
from flip_trust.database import Database
from flip_trust.setup import make_home

from tests.trust.world import NAME, Hub, Trust, write_patients


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def trust(tmp_path, hub) -> Trust:
    config = TrustConfig(tmp_path / "trust", NAME, "Aldgate", sandbox="none", repeat_answers=False, status_interval=0.2)
    make_home(config, hub.enrolment, fingerprint(hub.enrolment))
    write_patients(config.omop)
    return Trust(config, hub, Database.open(config.database))


@pytest.fixture
def running() -> Iterator[Callable[[Trust], None]]:
    """Runs a Trust's agent in a thread until the test is over."""
    stop, threads, carriers = threading.Event(), [], []

    def start(trust: Trust) -> None:
        agent = trust.agent()
        agent.recover()
        threads.append(threading.Thread(target=agent.run, args=(stop,)))
        threads[-1].start()
        carriers.append(trust.carrier)

    yield start
    stop.set()
    for carrier in carriers:
        carrier.hang_up()
    for thread in threads:
        thread.join(20)
