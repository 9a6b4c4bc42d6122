"""The dispatcher as a program: one at a time, there before the gateway is, gone when told to."""

from __future__ import annotations

import threading

import pytest
from flip_hub.config import HubConfig
from flip_hub.dispatcher.errors import AlreadyRunningError
from flip_hub.dispatcher.late_carrier import LateCarrier
from flip_hub.dispatcher.program import only_one
from flip_hub.dispatcher.watch import Limits
from flip_hub.flower.grid import CarrierUnavailableError
from flip_hub.flower.testing import FakeCarrier


def test_a_second_dispatcher_is_refused_while_the_first_one_lives(tmp_path) -> None:
    config = HubConfig(home=tmp_path)
    with only_one(config), pytest.raises(AlreadyRunningError), only_one(config):
        pass
    with only_one(config):
        pass


def test_a_gateway_may_come_later(tmp_path, monkeypatch) -> None:
    there: list[FakeCarrier] = []

    def connect(config: HubConfig, patience: float) -> FakeCarrier:
        if not there:
            raise CarrierUnavailableError("not yet")
        return there[0]

    monkeypatch.setattr("flip_hub.dispatcher.late_carrier.connect", connect)
    late = LateCarrier(HubConfig(home=tmp_path))
    with pytest.raises(CarrierUnavailableError):
        late.online()
    late.close()
    there.append(FakeCarrier(trusts=["aldgate"]))
    assert late.online() == {"aldgate"}
    assert late.epoch == there[0].epoch
    late.close()
    assert there[0].closed


def test_it_serves_jobs_until_it_is_told_to_stop(hub) -> None:
    hub.submit(hub.count_spec())
    stop = threading.Event()
    serving = threading.Thread(target=hub.dispatcher.serve, args=(stop,))
    serving.start()
    waiting = threading.Event()
    for _ in range(600):
        if hub.job().state == "completed":
            break
        waiting.wait(0.05)
    stop.set()
    serving.join(30)
    assert not serving.is_alive()
    assert hub.job().state == "completed"


def test_limits_come_from_the_configuration(tmp_path) -> None:
    limits = Limits.of(HubConfig(home=tmp_path, patience_seconds=5, task_seconds=7, image_seconds=60))
    assert limits.images.total_seconds() == 60
    assert (limits.patience.total_seconds(), limits.task.total_seconds(), limits.round.total_seconds()) == (5, 7, 12)
