from __future__ import annotations

import threading

import pytest
from flip_sdk.contract.tasks import RefusalCode
from flip_trust.agent.lanes import Lanes
from flip_trust.agent.sessions import Sessions
from flip_trust.engine.records import EngineError
from flip_trust.errors import RefusedError

from tests.trust.world import wait_until


class Worker:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_a_jobs_items_run_in_order_one_at_a_time():
    seen, at_work = [], []

    def work(item):
        at_work.append(item)
        assert len(at_work) == 1
        seen.append(item)
        at_work.clear()

    lanes = Lanes(work, engine_workers=3, count_workers=1)
    for number in range(50):
        lanes.put("job", number, engine=True)
    wait_until(lambda: len(seen) == 50)
    lanes.close()

    assert seen == list(range(50))


def test_jobs_run_beside_each_other_and_counts_beside_all():
    gate, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        if item.startswith("train"):
            gate.wait()

    lanes = Lanes(work, engine_workers=2, count_workers=1)
    for job in ("train-a", "train-b", "train-c"):
        lanes.put(job, job, engine=True)
    lanes.put("count", "count", engine=False)
    wait_until(lambda: sorted(begun) == ["count", "train-a", "train-b"])
    gate.set()
    wait_until(lambda: "train-c" in begun)
    lanes.close()


def test_dropping_takes_back_what_has_not_begun():
    gate, begun = threading.Event(), []

    def work(item):
        begun.append(item)
        gate.wait()

    lanes = Lanes(work, engine_workers=1, count_workers=1)
    for number in range(3):
        lanes.put("job", number, engine=True)
    wait_until(lambda: begun == [0])

    assert lanes.drop("job") == [1, 2]
    assert lanes.drop("another") == []
    gate.set()
    lanes.put("job", 9, engine=True)
    wait_until(lambda: begun == [0, 9])
    lanes.close()


def test_an_error_does_not_stop_a_lane():
    seen = []

    def work(item):
        seen.append(item)
        raise RuntimeError

    lanes = Lanes(work, engine_workers=1, count_workers=1)
    for number in range(3):
        lanes.put("job", number, engine=True)
    wait_until(lambda: seen == [0, 1, 2])
    lanes.close()
    lanes.put("job", 3, engine=True)
    assert seen == [0, 1, 2]


def test_a_session_is_kept_from_round_to_round():
    sessions = Sessions(2)
    with sessions.lend("a", Worker, keep=True) as first:
        pass
    with sessions.lend("a", Worker, keep=False) as second:
        pass

    assert first is second
    assert first.closed


def test_the_session_unused_for_longest_makes_room():
    sessions, opened = Sessions(2), {}
    for job in ("a", "b", "c"):
        with sessions.lend(job, Worker, keep=True) as opened[job]:
            pass

    assert [opened[job].closed for job in "abc"] == [True, False, False]
    sessions.close()
    assert all(worker.closed for worker in opened.values())


def use(sessions, error):
    with sessions.lend("a", Worker, keep=True) as worker:
        if error:
            raise error
    return worker


def test_a_session_that_failed_is_closed():
    sessions = Sessions(1)
    with pytest.raises(EngineError):
        use(sessions, EngineError(RefusalCode.ENGINE_FAILED, "x"))

    assert use(sessions, None)


def test_a_stopped_job_gets_no_other_session():
    sessions = Sessions(1)
    worker = use(sessions, None)
    sessions.stop("a")
    assert worker.closed

    with pytest.raises(RefusedError) as caught:
        use(sessions, None)
    assert caught.value.refusal == RefusalCode.CANCELLED


def test_a_job_stopped_while_its_session_opens_gets_none():
    sessions, made = Sessions(1), []

    def opening() -> Worker:
        sessions.stop("a")
        made.append(Worker())
        return made[-1]

    with pytest.raises(RefusedError), sessions.lend("a", opening, keep=True):
        pass
    assert made[0].closed


def test_nothing_is_lent_after_the_end():
    sessions = Sessions(1)
    sessions.close()

    with pytest.raises(EngineError):
        use(sessions, None)
