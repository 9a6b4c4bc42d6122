"""What has come back for a job, sorted into one change: pure, apart from the keys and shapes it is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from flip_sdk.contract.signatures import PublicKey
from flip_sdk.contract.tasks import RefusalCode

from flip_hub.database import Entry
from flip_hub.dispatcher import events
from flip_hub.dispatcher.accept import Accepted, AcceptedKey, AcceptedUpdate, Answer, Expected, Refused, Stopped, accept
from flip_hub.dispatcher.changes import Change, entry
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.errors import ReplyError
from flip_hub.dispatcher.facts import Facts
from flip_hub.dispatcher.judge import failures
from flip_hub.dispatcher.plan import WITHOUT_GRAPH
from flip_hub.dispatcher.summing import with_sum
from flip_hub.flower.grid import Incoming

HEALS = frozenset(
    {RefusalCode.GRAPH_MISSING, RefusalCode.ENGINE_FAILED, RefusalCode.TASK_EXPIRED, RefusalCode.REPLAYED}
)
"""Refusals that another attempt may mend; every other one takes the Trust out of the job."""


@dataclass(frozen=True)
class Sorter:
    """Sorts answers.

    Attributes:
        keys: the Trusts' enrolled identity keys.
        expected: what the answer to a delivery has to agree with.
        retries: attempts that may fail in one round.
    """

    keys: Mapping[str, PublicKey]
    expected: Callable[[Delivery], Expected]
    retries: int

    def sort(self, facts: Facts, incoming: Collection[Incoming]) -> Change:
        """One change for everything that came; an answer nobody waits for any more is left aside."""
        found = _Found(facts)
        for item in incoming:
            delivery = next((d for d in found.open if d.message_id == item.message_id), None)
            if delivery is not None:
                self._take(found, delivery, item)
        return found.change()

    def _take(self, found: _Found, delivery: Delivery, item: Incoming) -> None:
        if item.parts is None and item.error != "unreadable":
            found.turn(delivery, DeliveryState.LOST)
            return
        try:
            answer = self._accepted(delivery, item)
        except ReplyError as error:
            found.drop(delivery, str(error))
            return
        found.file(delivery, answer, self.retries)

    def _accepted(self, delivery: Delivery, item: Incoming) -> Accepted:
        key = self.keys.get(delivery.trust)
        if key is None:
            raise ReplyError("the Trust is no longer enrolled")
        if item.parts is None:
            raise ReplyError("the answer is not one record of bytes, or is too large")
        return accept(item.parts, key, self.expected(delivery))


@dataclass
class _Found:
    """The change under construction."""

    facts: Facts
    turned: dict[str, Delivery] = field(default_factory=dict)
    updates: list[Answer] = field(default_factory=list)
    refusals: list[tuple[str, RefusalCode]] = field(default_factory=list)
    events: list[events.Happening] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def open(self) -> list[Delivery]:
        """Deliveries that still wait for an answer."""
        return [d for d in self.facts.deliveries if d.open and d.task_id not in self.turned]

    def turn(self, delivery: Delivery, state: DeliveryState) -> None:
        """A delivery comes to an end."""
        self.turned[delivery.task_id] = replace(delivery, state=state)

    def drop(self, delivery: Delivery, why: str) -> None:
        """An answer that cannot be accepted: a failed attempt, and evidence."""
        self.turn(delivery, DeliveryState.DROPPED)
        self._record("reply.dropped", delivery, why=why)

    def file(self, delivery: Delivery, answer: Accepted, retries: int) -> None:
        """An answer that was verified."""
        match answer:
            case AcceptedUpdate() | AcceptedKey():
                self.turn(delivery, DeliveryState.ANSWERED)
                self._supersede(delivery)
                self.updates.append(answer)
                suppressed = isinstance(answer, AcceptedUpdate) and answer.record.suppressed
                self.events.append(events.update(delivery.trust, delivery.round, suppressed=suppressed))
            case Stopped():
                self.turn(delivery, DeliveryState.ANSWERED)
                self._record("task.stopped", delivery)
            case Refused(code):
                self._refuse(delivery, code, retries)

    def _refuse(self, delivery: Delivery, code: RefusalCode, retries: int) -> None:
        sent = self.facts.of(delivery.trust, delivery.place)
        heals = code in HEALS and failures(sent) + 1 < retries
        self.turn(delivery, DeliveryState.RETRIED if heals else DeliveryState.REFUSED)
        self._record("task.refused", delivery, code=str(code))
        if heals or delivery.step == "cancel":
            return
        self._supersede(delivery)
        self.refusals.append((delivery.trust, code))
        self.events.append(events.refused(delivery.trust, delivery.round, code))

    def _supersede(self, delivery: Delivery) -> None:
        """Earlier and later attempts of the same round: one answer is enough."""
        for other in self.open:
            if other.trust == delivery.trust and other.place == delivery.place:
                self.turn(other, DeliveryState.SUPERSEDED)

    def _record(self, event: str, delivery: Delivery, **details: str) -> None:
        named = {"trust": delivery.trust, "task": delivery.task_id, "round": delivery.round, **details}
        self.entries.append(entry(event, self.facts.job.job_id, **named))

    def change(self) -> Change:
        """All of it."""
        return Change(
            entries=tuple(self.entries),
            routine="answers of Trusts: their signed records are the evidence",
            deliveries=tuple(self.turned.values()),
            updates=tuple(self.updates),
            refusals=tuple(self.refusals),
            events=tuple(self.events),
        )


def apply(facts: Facts, change: Change) -> Facts:
    """The facts after a change that was committed: the same that reading the database again would give."""
    changed = {d.task_id: d for d in change.deliveries}
    kept = {d.task_id: d for d in facts.deliveries} | changed
    now_here = {u.trust for u in change.updates if u.place == facts.round.place}
    prepared = {u.trust for u in change.updates if u.place[0] == "prepare"}
    answered = {d.trust for d in changed.values() if d.state is DeliveryState.ANSWERED and d.step not in WITHOUT_GRAPH}
    return replace(
        facts,
        state=change.step.target if change.step else facts.state,
        deliveries=tuple(kept.values()),
        answered=facts.answered | now_here,
        prepared=facts.prepared | prepared,
        served=facts.served | answered,
        asked=facts.asked | {d.trust for d in changed.values()},
        refused={**facts.refused, **dict(change.refusals)},
        sums=with_sum(facts.sums, change.sum) if change.sum else facts.sums,
    )
