"""One task on its way to one Trust, as the hub sees it: the table of its states, and its record.

``planned`` is written before the message is handed to the carrier, so that a crash in between is known of; ``retried``
is a refusal that heals by sending again, ``dropped`` an answer that could not be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flip_sdk.contract.states import StateMachine, Transition, rows
from flip_sdk.contract.tasks import Step

Place = tuple[Step, int, int]
"""Where in a job: its step, the round, and which try at the round's sum (0 where noise is not shared)."""


class DeliveryState(StrEnum):
    """Where a task is, seen from the hub."""

    PLANNED = "planned"
    SENT = "sent"
    ANSWERED = "answered"
    REFUSED = "refused"
    RETRIED = "retried"
    DROPPED = "dropped"
    LOST = "lost"
    SUPERSEDED = "superseded"


_D = DeliveryState
OPEN = frozenset({_D.PLANNED, _D.SENT})
DELIVERY = StateMachine(
    "delivery",
    DeliveryState,
    _D.PLANNED,
    (
        Transition(_D.PLANNED, _D.SENT, "dispatcher", "task.sent"),
        Transition(_D.SENT, _D.ANSWERED, "trust", "task.answered"),
        Transition(_D.SENT, _D.REFUSED, "trust", "task.refused"),
        Transition(_D.SENT, _D.RETRIED, "trust", "task.refused"),
        Transition(_D.SENT, _D.DROPPED, "dispatcher", "task.dropped"),
        *rows("carrier", "task.lost", (_D.PLANNED, _D.SENT), _D.LOST),
        *rows("dispatcher", "task.superseded", (_D.PLANNED, _D.SENT), _D.SUPERSEDED),
    ),
)


@dataclass(frozen=True)
class Delivery:
    """A row of the ``task`` table.

    Attributes:
        sum_attempt: which try at the round's sum; 0 where noise is not shared.
        message_id: the carrier's, once it was handed over.
        epoch: the carrier's at that moment: with another one the message is gone.
        sent_at: when it was planned or handed over, whichever is later.
    """

    task_id: str
    trust: str
    step: Step
    round: int
    attempt: int
    state: DeliveryState
    sent_at: datetime
    expires_at: datetime
    message_id: str = ""
    epoch: str = ""
    sum_attempt: int = 0

    @property
    def place(self) -> Place:
        """Where in its job it belongs."""
        return self.step, self.round, self.sum_attempt

    @property
    def open(self) -> bool:
        """Whether an answer may still come."""
        return self.state in OPEN
