"""The fake behaves as the real carrier does."""

from __future__ import annotations

import pytest
from flip_hub.flower.grid import Carrier, CarrierUnavailableError, Incoming, TrustOfflineError
from flip_hub.flower.testing import FakeCarrier


def test_it_is_a_carrier():
    carrier: Carrier = FakeCarrier(["aldgate"])
    assert carrier.online() == {"aldgate"}
    carrier.close()


def test_an_answer_comes_once_and_then_is_lost():
    carrier = FakeCarrier(responders={"aldgate": lambda parts: {"reply": parts["task"]}})
    message_id = carrier.push("aldgate", {"task": b"1"})
    assert carrier.pull([message_id]) == [Incoming(message_id, {"reply": b"1"})]
    assert carrier.pull([message_id]) == [Incoming(message_id, None, "lost")]


def test_a_trust_that_does_not_answer_is_waited_for():
    carrier = FakeCarrier(["aldgate"])
    message_id = carrier.push("aldgate", {"task": b"1"})
    assert carrier.pull([message_id]) == []
    carrier.answer(message_id, {"reply": b"2"})
    assert carrier.pull([message_id])[0].parts == {"reply": b"2"}


def test_a_trust_that_goes_away_takes_its_messages_with_it():
    carrier = FakeCarrier(["aldgate"])
    message_id = carrier.push("aldgate", {"task": b"1"})
    carrier.go_offline("aldgate")
    assert carrier.pull([message_id]) == [Incoming(message_id, None, "offline")]
    with pytest.raises(TrustOfflineError):
        carrier.push("aldgate", {"task": b"1"})
    carrier.go_online("aldgate")
    assert carrier.push("aldgate", {"task": b"1"})


def test_a_restart_has_a_new_epoch_and_lost_everything():
    carrier = FakeCarrier(["aldgate"])
    epoch, message_id = carrier.epoch, carrier.push("aldgate", {"task": b"1"})
    carrier.restart()
    assert carrier.epoch != epoch
    assert carrier.pull([message_id]) == [Incoming(message_id, None, "lost")]


def test_a_gateway_that_is_down_says_so():
    carrier = FakeCarrier(["aldgate"], unavailable=True)
    for call in (carrier.online, lambda: carrier.push("aldgate", {}), lambda: carrier.pull(["x"])):
        with pytest.raises(CarrierUnavailableError):
            call()
