"""The gateway's state: who is told what became of a message, with Flower's own handlers on the other side."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from flip_hub.flower import state as state_module
from flip_hub.flower.grid import Incoming, TrustOfflineError
from flip_hub.flower.state import RECORD, Bell, GatewayState
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import HEARTBEAT_MIN_INTERVAL, Status
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.superlink.federation import NoOpFederationManager

KEY = b"a public key"


@pytest.fixture
def state():
    state = GatewayState(NoOpFederationManager(), InMemoryObjectStore())
    state.enrol({"aldgate": KEY})
    state.activate_node(node(state), HEARTBEAT_MIN_INTERVAL)
    return state


def node(state: GatewayState, key: bytes = KEY) -> int:
    found = state.get_node_id_by_public_key(key)
    assert found is not None
    return found


def take(state: GatewayState) -> Message | None:
    """What a Trust's agent does when it pulls and confirms."""
    messages = state.get_message_ins(node(state), 1)
    for message in messages:
        state.object_store.delete(message.metadata.message_id)
    return messages[0] if messages else None


def reply(state: GatewayState, message: Message, content: RecordDict) -> list[str]:
    answer = Message(content, reply_to=message)
    answer.metadata.__dict__["_message_id"] = answer.object_id
    session = state.start_session(answer.metadata.run_id)
    _, wanted = state.store_message_and_object_tree(
        remove_content_from_message(answer), get_object_tree(answer), session
    )
    for object_id, item in get_all_nested_objects(answer).items():
        if object_id in wanted:
            state.store_object(answer.metadata.run_id, session, object_id, item.deflate())
    return wanted


def parts(**blobs: bytes) -> RecordDict:
    return RecordDict({RECORD: ConfigRecord(dict(blobs))})


def test_an_answer_is_collected_once_and_leaves_nothing_behind(state):
    message_id = state.send("aldgate", {"task": b"1"})
    assert not state.arrived([message_id])
    reply(state, take(state), parts(reply=b"2"))
    assert state.collect([message_id]) == [Incoming(message_id, {"reply": b"2"})]
    assert state.collect([message_id]) == [Incoming(message_id, None, "lost")]
    assert (state.num_message_ins(), state.num_message_res(), len(state.object_store)) == (0, 0, 0)


def test_an_answer_still_on_its_way_is_waited_for(state):
    message_id = state.send("aldgate", {"task": b"1"})
    answer = Message(parts(reply=b"2"), reply_to=take(state))
    answer.metadata.__dict__["_message_id"] = answer.object_id
    session = state.start_session(answer.metadata.run_id)
    state.store_message_and_object_tree(remove_content_from_message(answer), get_object_tree(answer), session)
    assert state.collect([message_id]) == []


def test_nothing_is_sent_to_a_trust_that_is_away(state):
    state.deactivate_node(node(state))
    for name in ("aldgate", "nobody"):
        with pytest.raises(TrustOfflineError):
            state.send(name, {"task": b""})
    assert len(state.object_store) == 0


def test_a_trust_that_went_away_is_told_after_a_moment(state, monkeypatch):
    message_id = state.send("aldgate", {"task": b"1"})
    state.deactivate_node(node(state))
    assert state.collect([message_id]) == []
    monkeypatch.setattr(state_module, "SECONDS_AWAY", -1.0)
    assert state.collect([message_id]) == [Incoming(message_id, None, "offline")]


def test_an_agent_that_starts_anew_has_lost_what_it_was_given_but_gets_what_still_waits(state):
    lost, waiting = state.send("aldgate", {"task": b"1"}), state.send("aldgate", {"task": b"2"})
    take(state)
    state.deactivate_node(node(state))
    state.activate_node(node(state), HEARTBEAT_MIN_INTERVAL)
    assert state.collect([lost, waiting]) == [Incoming(lost, None, "lost")]
    reply(state, take(state), parts(reply=b"2"))
    assert state.collect([waiting])[0].parts == {"reply": b"2"}


def test_a_message_pulled_but_never_confirmed_is_lost_once_the_trust_pulls_again(state):
    message_id = state.send("aldgate", {"task": b"1"})
    assert state.get_message_ins(node(state), 1)
    assert state.collect([message_id]) == []
    assert take(state) is None
    assert state.collect([message_id]) == [Incoming(message_id, None, "lost")]


def test_a_confirmed_message_is_not_lost_when_the_trust_pulls_again(state):
    message_id = state.send("aldgate", {"task": b"1"})
    take(state)
    assert take(state) is None
    assert state.collect([message_id]) == []


@pytest.mark.parametrize(
    "content",
    [
        RecordDict({"other": ConfigRecord({"reply": b""})}),
        RecordDict({RECORD: ConfigRecord({"reply": "text"})}),
        RecordDict({RECORD: ConfigRecord({})}),
        RecordDict({RECORD: ArrayRecord()}),
        RecordDict({}),
    ],
)
def test_an_answer_that_is_not_one_record_of_bytes_is_unreadable(state, content):
    message_id = state.send("aldgate", {"task": b"1"})
    reply(state, take(state), content)
    assert state.collect([message_id]) == [Incoming(message_id, None, "unreadable")]


def test_an_answer_of_many_objects_is_not_stored(state):
    state.send("aldgate", {"task": b"1"})
    content = RecordDict({str(n): ConfigRecord({"n": n}) for n in range(4)})
    assert reply(state, take(state), content) == []
    assert state.num_message_res() == 0


def test_large_answers_come_one_at_a_time(state, monkeypatch):
    monkeypatch.setattr(state_module, "MAX_COLLECTED_BYTES", 10)
    ids = [state.send("aldgate", {"task": b"%d" % n}) for n in range(3)]
    for _ in ids:
        reply(state, take(state), parts(reply=b"x" * 11))
    assert len(state.collect(ids)) == 1
    assert state.arrived(ids[1:])


def test_what_nobody_asks_about_is_forgotten_in_the_end(state, monkeypatch):
    state.send("aldgate", {"task": b"1"})
    monkeypatch.setattr(state_module, "MESSAGE_SECONDS", -1.0)
    state.sweep()
    assert (state.num_message_ins(), len(state.object_store)) == (0, 0)


def test_enrolment_follows_the_keys(state):
    first = node(state)
    state.enrol({"aldgate": KEY, "brookfield": b"another"})
    assert node(state) == first
    state.enrol({"brookfield": b"another"})
    assert state.get_node_id_by_public_key(KEY) is None
    assert state.online() == []
    state.enrol({"aldgate": KEY, "brookfield": b"a new key"})
    assert node(state) != first
    assert state.get_node_id_by_public_key(b"another") is None
    assert state.get_node_id_by_public_key(b"a new key") is not None


def test_a_message_for_a_trust_that_was_struck_off_comes_back(state, monkeypatch):
    message_id = state.send("aldgate", {"task": b"1"})
    state.enrol({})
    monkeypatch.setattr(state_module, "SECONDS_AWAY", -1.0)
    assert state.collect([message_id])[0].error == "offline"


def test_the_run_lasts_without_anyone_sending_heartbeats(state, monkeypatch):
    from flwr.supercore.corestate import in_memory_corestate

    later = in_memory_corestate.now() + timedelta(days=3650)
    monkeypatch.setattr(in_memory_corestate, "now", lambda: later)
    run = state.get_run_info()[0]
    assert run.status.status == Status.RUNNING


def test_each_start_has_its_own_epoch():
    states = [GatewayState(NoOpFederationManager(), InMemoryObjectStore()) for _ in range(2)]
    assert states[0].epoch != states[1].epoch


def test_a_bell_wakes_from_another_thread():
    async def waits() -> bool:
        bell, rung = Bell(), threading.Event()
        bell.attach()
        ringer = threading.Thread(target=lambda: (rung.set(), bell.ring("key")))
        waiting = asyncio.ensure_future(bell.until("key", rung.is_set, 60))
        ringer.start()
        await waiting
        ringer.join()
        return rung.is_set()

    assert asyncio.run(waits())


def test_a_closed_bell_holds_nobody():
    async def waits() -> None:
        bell = Bell()
        bell.attach()
        asyncio.get_running_loop().call_soon(bell.close)
        await bell.until("key", lambda: False, 60)
        await bell.until("key", lambda: False, 60)

    asyncio.run(asyncio.wait_for(waits(), 10))
