"""Cancelling: at once for the person who asks, as a task for the Trusts."""

from __future__ import annotations

from flip_hub.database import ReceivedUpdate, TaskRow
from sqlalchemy import select


def test_a_cancelled_job_ends_at_once_and_its_trusts_are_told(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.change_job("job-1", cancel_requested=True)
    hub.turn()
    assert hub.job().state == "cancelled"
    hub.trusts["carrick"].silent = False
    hub.run()
    assert all(trust.cancelled == {"job-1"} for trust in hub.trusts.values())


def test_what_had_been_released_stays_recorded_and_nothing_is_aggregated_afterwards(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn_until(lambda: len(stored(hub)) == 3)
    hub.change_job("job-1", cancel_requested=True)
    hub.run(seconds=1)
    assert len(stored(hub)) == 3
    assert hub.job().round == 0
    assert [event.event for event in hub.events()][-1] == "job.cancelled"


def test_a_job_that_was_never_sent_is_cancelled_without_a_message(hub) -> None:
    hub.submit(hub.train_spec())
    hub.change_job("job-1", cancel_requested=True)
    assert hub.run().state == "cancelled"
    assert hub.carrier.sent == []


def test_a_job_is_cancelled_while_the_gateway_is_away(hub) -> None:
    hub.submit(hub.train_spec())
    hub.carrier.unavailable = True
    hub.turn()
    hub.change_job("job-1", cancel_requested=True)
    assert hub.run(seconds=5).state == "cancelled"


def test_a_trust_that_paused_is_not_even_told_to_stop(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.consent("carrick", "paused")
    hub.change_job("job-1", cancel_requested=True)
    hub.run(seconds=1)
    assert "cancel" not in {task.step for task in hub.trusts["carrick"].tasks}


def test_a_trust_that_is_offline_is_told_when_it_comes_back(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.carrier.go_offline("carrick")
    hub.change_job("job-1", cancel_requested=True)
    hub.turn_until(lambda: hub.job().state == "cancelled")
    hub.new_dispatcher()
    hub.turn()
    hub.trusts["carrick"].silent = False
    hub.carrier.go_online("carrick")
    hub.run()
    assert hub.trusts["carrick"].cancelled == {"job-1"}


def test_a_failed_job_stops_the_trusts_that_are_still_at_work(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.consent("dunmore", "paused")
    hub.submit(hub.train_spec(min_trusts=4))
    assert hub.run().state == "failed"
    hub.submit(hub.train_spec(min_trusts=3), "job-2")
    hub.turn()
    hub.clock.pass_(25 * 3600)
    hub.trusts["carrick"].silent = False
    assert hub.run("job-2").state == "failed"


def test_no_task_is_left_open(hub) -> None:
    hub.trusts["carrick"].silent = True
    hub.submit(hub.train_spec())
    hub.turn()
    hub.change_job("job-1", cancel_requested=True)
    hub.run(seconds=5)
    with hub.database.read() as session:
        assert not set(session.scalars(select(TaskRow.state))) & {"planned", "sent"}


def stored(hub) -> list[ReceivedUpdate]:
    with hub.database.read() as session:
        return list(session.scalars(select(ReceivedUpdate)))
