"""Tasks on their way out: planned (and written down) first, then signed and handed to the carrier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flip_hub.dispatcher import events
from flip_hub.dispatcher.changes import Change, entry
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts, Round
from flip_hub.dispatcher.plan import carries_graph, plan, task_of
from flip_hub.dispatcher.recover import Recovered
from flip_hub.dispatcher.tools import Tools
from flip_hub.flower.grid import TrustOfflineError

_WHY_AGAIN = {
    DeliveryState.PLANNED: "its task may not have been sent",
    DeliveryState.SENT: "it has not answered yet",
    DeliveryState.LOST: "its task or its answer was lost on the way",
    DeliveryState.RETRIED: "that may mend its last refusal",
    DeliveryState.DROPPED: "its last answer could not be accepted",
    DeliveryState.ANSWERED: "its stored answer could not be read",
    DeliveryState.SUPERSEDED: "its round had closed without it",
}


class Outbox:
    """Sends one job's tasks with the dispatcher's signature."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._graph: bytes | None = None

    def plan(self, facts: Facts, round_: Round, trusts: Sequence[str]) -> list[Delivery]:
        """Deliveries of a round's task to these Trusts: nothing is sent yet."""
        task_ids = {trust: self._tools.new_task_id() for trust in trusts}
        lasts = self._tools.limits.task_for(facts.spec, round_.step)
        return plan(facts, round_, task_ids, self._tools.clock(), lasts)

    def planned(self, facts: Facts, new: Sequence[Delivery]) -> Change:
        """What is written before they go: an earlier attempt that was never handed over is given up."""
        before = {d.task_id: facts.of(d.trust, d.place) for d in new}
        unsent = [old for sent in before.values() for old in sent if old.state is DeliveryState.PLANNED]
        again = [
            events.resent(d.trust, d.round, _WHY_AGAIN[sent[-1].state]) for d in new if (sent := before[d.task_id])
        ]
        tasks = {d.trust: {"task": d.task_id, "step": d.step, "round": d.round, "attempt": d.attempt} for d in new}
        return Change(
            entries=(entry("tasks.planned", facts.job.job_id, tasks=tasks),),
            deliveries=(*(replace(old, state=DeliveryState.LOST) for old in unsent), *new),
            events=tuple(again),
        )

    def push(self, held: Recovered, delivery: Delivery) -> Delivery:
        """Sign one task and hand it over.

        Returns:
            The delivery as it is now: sent, or lost where the Trust is not connected.

        Raises:
            CarrierUnavailableError: the gateway cannot be reached; it may or may not have been sent.
        """
        carrier, now = self._tools.carrier, self._tools.clock()
        try:
            message = carrier.push(delivery.trust, self._parts(held, delivery))
        except TrustOfflineError:
            return replace(delivery, state=DeliveryState.LOST, sent_at=now)
        return replace(delivery, state=DeliveryState.SENT, sent_at=now, message_id=message, epoch=carrier.epoch)

    def _parts(self, held: Recovered, delivery: Delivery) -> dict[str, bytes]:
        task = task_of(held.facts, delivery, self._tools.clock())
        parts = {"task": self._tools.key.sign(task).encode()}
        if carries_graph(held.facts, delivery):
            parts["graph"] = self._graph_bytes(held.facts)
        if task.weights is not None and held.weights is not None:
            parts["weights"] = held.weights
        if task.roster is not None:
            parts["roster"] = held.roster
        if task.correction is not None:
            parts["correction"] = held.correction(delivery.trust)
        return parts

    def _graph_bytes(self, facts: Facts) -> bytes:
        if self._graph is None and facts.graph is not None:
            self._graph = self._tools.blobs.get(facts.graph)
        return self._graph or b""
