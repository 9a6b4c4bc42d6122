"""Tasks are a pure function of the recorded facts."""

from __future__ import annotations

from datetime import timedelta

from flip_hub.dispatcher.deliveries import DeliveryState
from flip_hub.dispatcher.facts import Round
from flip_hub.dispatcher.plan import PREPARE, carries_graph, plan, task_of
from flip_sdk.contract.jobs import Scaling
from flip_sdk.contract.tasks import inputs_digest

from tests.hub.dispatcher.test_judge import MODEL, NOW, delivery, facts

TRAIN = Round("train", 1, MODEL.weights, Scaling(shift=(0.0,), scale=(1.0,)))
LASTS = timedelta(minutes=2)


def test_a_second_attempt_has_another_id_and_the_same_inputs() -> None:
    first = facts(TRAIN)
    (one,) = plan(first, TRAIN, {"aldgate": "task-1"}, NOW, LASTS)
    again = facts(TRAIN, deliveries=(one,))
    (two,) = plan(again, TRAIN, {"aldgate": "task-2"}, NOW, LASTS)
    assert (one.attempt, two.attempt) == (1, 2)
    tasks = task_of(first, one, NOW), task_of(again, two, NOW)
    assert tasks[0].task_id != tasks[1].task_id
    assert inputs_digest(tasks[0]) == inputs_digest(tasks[1])


def test_a_task_never_outlives_its_jobs_sign_off() -> None:
    (one,) = plan(facts(), PREPARE, {"aldgate": "task-1"}, NOW, timedelta(days=3))
    assert one.expires_at == facts().job.expires_at


def test_a_round_carries_its_weights_and_scaling_and_prepare_neither() -> None:
    known = facts(TRAIN)
    task = task_of(known, delivery("aldgate", DeliveryState.PLANNED, step="train", number=1), NOW)
    assert (task.weights, task.scaling) == (TRAIN.weights, TRAIN.scaling)
    catching_up = task_of(known, delivery("aldgate", DeliveryState.PLANNED), NOW)
    assert (catching_up.step, catching_up.weights, catching_up.scaling) == ("prepare", None, None)


def test_the_graph_goes_with_the_first_task_and_again_after_a_refusal_that_heals() -> None:
    new = delivery("aldgate", DeliveryState.PLANNED, 2, step="train", number=1)
    assert carries_graph(facts(TRAIN), new)
    assert not carries_graph(facts(TRAIN, served=frozenset({"aldgate"})), new)
    retried = (delivery("aldgate", DeliveryState.RETRIED, step="train", number=1),)
    assert carries_graph(facts(TRAIN, served=frozenset({"aldgate"}), deliveries=retried), new)


def test_a_cancel_carries_nothing() -> None:
    task = task_of(facts(TRAIN), delivery("aldgate", DeliveryState.PLANNED, step="cancel"), NOW)
    assert (task.graph, task.weights, task.scaling) == (None, None, None)
