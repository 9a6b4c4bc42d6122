"""From recorded facts to the tasks of a round: pure, so that a restart plans the same again.

A second attempt differs from the first only in its ``task_id``, ``attempt`` and dates: its inputs are the same, which
is how a Trust knows that it may answer from its outbox instead of releasing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from flip_sdk.contract.tasks import Task

from flip_hub.dispatcher.accept import Expected
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts, Round
from flip_hub.dispatcher.tensors import Shapes, expected_shapes

KEYS = Round("keys", 0)
PREPARE = Round("prepare", 0)
CANCEL = Round("cancel", 0)
WITHOUT_GRAPH = frozenset({"keys", "cancel"})
"""Steps that no model and no patient has a part in."""


def plan(facts: Facts, round_: Round, task_ids: Mapping[str, str], now: datetime, lasts: timedelta) -> list[Delivery]:
    """A round's deliveries to some Trusts, not sent yet.

    Args:
        facts: the job.
        round_: which round.
        task_ids: Trust → a new task id.
        now: the moment.
        lasts: how long the tasks are good for.
    """
    expires_at = min(now + lasts, facts.job.expires_at)
    return [
        Delivery(
            task_id=task_id,
            trust=trust,
            step=round_.step,
            round=round_.number,
            attempt=1 + max((d.attempt for d in facts.of(trust, round_.place)), default=0),
            state=DeliveryState.PLANNED,
            sent_at=now,
            expires_at=expires_at,
            sum_attempt=round_.place[2],
        )
        for trust, task_id in task_ids.items()
    ]


def task_of(facts: Facts, delivery: Delivery, now: datetime) -> Task:
    """The record to sign for a delivery."""
    round_ = round_of(facts, delivery)
    return Task(
        task_id=delivery.task_id,
        job_id=facts.job.job_id,
        project_id=facts.spec.project_id,
        trust=delivery.trust,
        step=delivery.step,
        round=delivery.round,
        attempt=delivery.attempt,
        job=facts.token,
        weights=round_.weights,
        graph=facts.graph if carries_graph(facts, delivery) else None,
        scaling=round_.scaling,
        correction=round_.corrections.get(delivery.trust),
        roster=round_.sum.roster if round_.sum else None,
        summed=round_.sum.trusts if round_.sum else (),
        sum_attempt=round_.place[2],
        issued_at=now,
        expires_at=delivery.expires_at,
    )


def round_of(facts: Facts, delivery: Delivery) -> Round:
    """The round that a delivery belongs to, with its inputs."""
    if delivery.place == facts.round.place:
        return facts.round
    return CANCEL if delivery.step == "cancel" else PREPARE


def carries_graph(facts: Facts, delivery: Delivery) -> bool:
    """With a Trust's first task, and again once it said no for a reason that heals (it may have lost the graph)."""
    if delivery.step in WITHOUT_GRAPH or facts.graph is None:
        return False
    sent = facts.of(delivery.trust, delivery.place)
    return delivery.trust not in facts.served or any(d.state is DeliveryState.RETRIED for d in sent)


def expected_of(facts: Facts, delivery: Delivery, parameters: Shapes) -> Expected:
    """What an answer to a delivery has to agree with: the task is made once more from the same facts."""
    task = task_of(facts, delivery, delivery.sent_at)
    shapes = {} if delivery.step in WITHOUT_GRAPH else expected_shapes(facts.spec, delivery.step, parameters)
    return Expected.of(task, shapes)
