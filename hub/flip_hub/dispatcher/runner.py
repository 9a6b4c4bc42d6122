"""One job from its sign-off to its end. Everything it knows can be thrown away and read back from the database.

Each call of :meth:`JobRunner.advance` takes as many steps as can be taken now. Every step is a committed change, then
at most one thing done to the outside that is safe to do twice: so a crash anywhere costs a repeated message at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from flip_sdk.contract.signatures import PublicKey
from flip_sdk.contract.states import JOB, JobState

from flip_hub.dispatcher import events
from flip_hub.dispatcher.accept import Expected
from flip_hub.dispatcher.changes import Change, Step, commit, entry
from flip_hub.dispatcher.closing import close, superseded
from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts, Standing
from flip_hub.dispatcher.inbox import Sorter, apply
from flip_hub.dispatcher.judge import Again, Close, Decision, Fail, Place, Send, Stand, View, decide
from flip_hub.dispatcher.outbox import Outbox
from flip_hub.dispatcher.plan import CANCEL, PREPARE, expected_of
from flip_hub.dispatcher.recover import Recovered, recover, standings
from flip_hub.dispatcher.results import Released, released_by
from flip_hub.dispatcher.summing import dropped, next_try
from flip_hub.dispatcher.tools import Tools
from flip_hub.dispatcher.watch import Watch
from flip_hub.flower.grid import Incoming

REFRESH = timedelta(milliseconds=500)


class JobRunner:
    """Moves one job along.

    Args:
        job_id: which.
        tools: what it reaches the world with.

    Raises:
        SignOffError: the job's sign-off does not verify, or what it needs is gone.
    """

    def __init__(self, job_id: str, tools: Tools) -> None:
        self.job_id, self._tools = job_id, tools
        with tools.database.read() as session:
            self._held = recover(session, tools.blobs, job_id, tools.governance)
        self._outbox = Outbox(tools)
        self._watch = Watch(tools.clock())
        self._late: dict[str, Delivery] = {}
        self._said: dict[str, Stand] = {}
        self._waits = ""
        self._standings: dict[str, Standing] = {}
        self._project_state = ""
        self._read_at: datetime | None = None

    @property
    def outstanding(self) -> list[str]:
        """Messages whose answers are of interest."""
        return [d.message_id for d in self._held.facts.open if d.message_id] + list(self._late)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, Trusts told to stop included."""
        facts = self._held.facts
        return facts.state in JOB.ends() and not any(d.step == "cancel" for d in facts.open)

    def receive(self, incoming: Collection[Incoming]) -> None:
        """Take what came for this job: one change for all of it."""
        self._note_late(incoming)
        sorter = Sorter(self._keys(), self._expected, self._tools.limits.retries)
        change = sorter.sort(self._held.facts, incoming)
        if not change.deliveries:
            return
        for update in change.updates:
            if update.content:
                self._tools.blobs.put(update.content)
        self._commit(change)
        self._held = self._held.with_updates([update.kept() for update in change.updates])

    def advance(self, online: frozenset[str] | None, *, cancel_requested: bool = False) -> None:
        """Do whatever can be done now.

        Args:
            online: Trusts that are connected; None when the gateway cannot be reached.
            cancel_requested: a person asked to stop the job.
        """
        self._look(online)
        if self._held.facts.state in JOB.ends():
            self._tell_to_stop(online)
            return
        if cancel_requested:
            self._end(JobState.CANCELLED, "It was cancelled; nothing more is asked of any Trust.")
            return
        if self._held.facts.state is JobState.SIGNED_OFF:
            self._start()
        while self._step():
            continue

    def _step(self) -> bool:
        """One decision. Returns whether to decide again at once."""
        decision = self._decide()
        if isinstance(decision, Send):
            self._refresh()
            decision = self._decide()
        match decision:
            case Send():
                self._send(decision)
                return False
            case Close():
                self._close()
                return self._held.facts.state is JobState.EXECUTING
            case Again(trusts):
                self._sum_again(trusts)
                return True
            case Fail(reason):
                self._end(JobState.FAILED, reason)
        return False

    def _decide(self) -> Decision:
        decision, stands = decide(self._held.facts, self._view())
        self._announce(stands)
        return decision

    def _view(self) -> View:
        return View(self._now(), self._standings, self._watch, self._tools.limits, self._project_state)

    def _start(self) -> None:
        facts = self._held.facts
        change = Change(step=Step(facts.state, JobState.EXECUTING), events=(events.executing(facts.job.trusts),))
        self._commit(change)
        self._watch.begin_round(self._now())

    def _send(self, decision: Send) -> None:
        planned = self._planned(self._held.facts, decision)
        self._commit(self._outbox.planned(self._held.facts, planned))
        self._hand_over(planned)

    def _planned(self, facts: Facts, decision: Send) -> list[Delivery]:
        wanted = ((facts.round, decision.trusts), (PREPARE, decision.catching_up))
        return [delivery for round_, trusts in wanted for delivery in self._outbox.plan(facts, round_, trusts)]

    def _hand_over(self, planned: Iterable[Delivery]) -> None:
        """Give planned tasks to the carrier; what became of them is written even when it fails half-way."""
        sent: list[Delivery] = []
        try:
            for delivery in planned:
                sent.append(self._outbox.push(self._held, delivery))
        finally:
            if sent:
                self._commit(Change(routine="which message carries which task", deliveries=tuple(sent)))

    def _close(self) -> None:
        """End the round: in one change with the next round's tasks, or with the result."""
        facts = self._held.facts
        seconds = (self._now() - self._watch.started_at).total_seconds()
        closed = close(self._held, self._released, seconds, self._tools.blobs)
        late = [d for d in superseded(facts) if d.message_id]
        after = closed.onward(replace(self._held, facts=apply(facts, closed.change)))
        if after is None:
            stops = self._stops({d.trust for d in late} | dropped(facts))
            self._commit(replace(closed.change, deliveries=(*closed.change.deliveries, *stops)))
            return
        self._late.update({d.message_id: d for d in late})
        self._watch.tardy |= {d.trust for d in late if d.trust in self._watch.online}
        self._watch.begin_round(self._now())
        self._begin_round(after, closed.change)

    def _sum_again(self, trusts: Collection[str]) -> None:
        """Throw the round's sum away and begin it anew, in one change, with the next try's tasks."""
        facts = self._held.facts
        again = next_try(facts, trusts)
        change = Change(
            entries=(entry("sum.repeated", self.job_id, round=again.number, attempt=again.attempt, over=again.trusts),),
            deliveries=superseded(facts),
            events=(events.summed_again(again.number, again.trusts),),
            sum=again,
        )
        after = replace(self._held, facts=apply(facts, change)).summing(self._held.roster)
        self._watch.begin_round(self._now())
        self._begin_round(after, change)

    def _begin_round(self, after: Recovered, closing: Change) -> None:
        self._refresh()
        decision, _ = decide(after.facts, self._view())
        planned = self._planned(after.facts, decision) if isinstance(decision, Send) else []
        opening = self._outbox.planned(after.facts, planned) if planned else Change()
        self._write(closing.followed_by(opening))
        self._held = replace(after, facts=apply(after.facts, opening))
        self._hand_over(planned)

    def _end(self, state: JobState, reason: str) -> None:
        """End without a result. What was released until now stays recorded; nothing is aggregated any more."""
        facts = self._held.facts
        number = facts.round.number
        over = tuple(replace(d, state=DeliveryState.SUPERSEDED) for d in facts.open)
        happening = (events.cancelled if state is JobState.CANCELLED else events.failed)(reason, number)
        self._commit(
            Change(
                step=Step(facts.state, state, reason),
                deliveries=(*over, *self._stops(facts.asked)),
                events=(happening,),
            )
        )

    def _stops(self, trusts: Collection[str]) -> tuple[Delivery, ...]:
        return tuple(self._outbox.plan(self._held.facts, CANCEL, sorted(trusts)))

    def _tell_to_stop(self, online: frozenset[str] | None) -> None:
        """Send what tells Trusts to stop, once each; a Trust that stays away learns it by its own expiry."""
        facts, now = self._held.facts, self._now()
        waiting = [d for d in facts.open if d.step == "cancel"]
        over = [d for d in waiting if d.expires_at <= now or self._objection(d.trust)]
        if over:
            lost = tuple(replace(d, state=DeliveryState.LOST) for d in over)
            self._commit(Change(routine="a Trust that is not there to be told to stop", deliveries=lost))
        there = [d for d in waiting if d not in over and d.state is DeliveryState.PLANNED and d.trust in (online or ())]
        if there:
            self._hand_over(there)

    def _look(self, online: frozenset[str] | None) -> None:
        now = self._now()
        if online is None:
            self._watch.lose_sight(now)
        else:
            self._watch.see(self._held.facts.job.trusts, online, now)
        if self._read_at is None or now - self._read_at >= REFRESH:
            self._refresh()
        self._forget_lost_messages()

    def _forget_lost_messages(self) -> None:
        """Messages of a gateway that has restarted since are gone: those tasks are due again."""
        if self._watch.outage_since is not None:
            return
        epoch = self._tools.carrier.epoch
        gone = [d for d in self._held.facts.open if d.state is DeliveryState.SENT and d.epoch != epoch]
        if gone:
            lost = tuple(replace(d, state=DeliveryState.LOST) for d in gone)
            self._commit(Change(routine="the gateway restarted and lost its messages", deliveries=lost))
        now = self._now()
        self._late = {m: d for m, d in self._late.items() if d.epoch == epoch and d.expires_at > now}

    def _refresh(self) -> None:
        with self._tools.database.read() as session:
            self._project_state, self._standings = standings(session, self._held.facts.spec.project_id)
        self._read_at = self._now()

    def _announce(self, stands: Mapping[str, Stand]) -> None:
        """Say once what a Trust is waited for or left out for."""
        number = self._held.facts.round.number
        new = {t: s for t, s in stands.items() if s.words and s != self._said.get(t) and not self._refused(t)}
        offline = [f"{t} is {s.words}" for t, s in stands.items() if s.place is Place.OFFLINE]
        waits = f"Waiting: {'; '.join(offline)}." if offline else ""
        if not new and waits == self._waits:
            return
        self._said, self._waits = {t: s for t, s in stands.items() if s.words}, waits
        said = [
            events.waiting(t, number, s.words) if s.place is Place.OFFLINE else events.left_out(t, number, s.words)
            for t, s in new.items()
        ]
        entries = (entry("round.without", self.job_id, round=number, trust=t, why=s.words) for t, s in new.items())
        routine = "nobody is waited for any more"
        self._commit(Change(entries=tuple(entries), routine=routine, events=tuple(said), waits_for=waits))

    def _note_late(self, incoming: Collection[Incoming]) -> None:
        """An answer to a round that has closed: not used, but the Trust is there after all."""
        came = [self._late.pop(item.message_id) for item in incoming if item.message_id in self._late]
        answered = [d for d in came if any(i.message_id == d.message_id and i.parts for i in incoming)]
        for delivery in answered:
            self._watch.tardy.discard(delivery.trust)
        if answered:
            entries = [
                entry("update.late", self.job_id, trust=d.trust, task=d.task_id, round=d.round) for d in answered
            ]
            self._commit(Change(entries=tuple(entries), events=tuple(events.late(d.trust, d.round) for d in answered)))

    def _released(self) -> Released:
        with self._tools.database.read() as session:
            return released_by(session, self.job_id)

    def _write(self, change: Change) -> None:
        commit(self._tools.database, self._tools.blobs, self.job_id, change)

    def _commit(self, change: Change) -> None:
        self._write(change)
        self._held = replace(self._held, facts=apply(self._held.facts, change))

    def _expected(self, delivery: Delivery) -> Expected:
        return expected_of(self._held.facts, delivery, self._held.parameters)

    def _keys(self) -> dict[str, PublicKey]:
        if not self._standings:
            self._refresh()
        return {trust: PublicKey(s.key) for trust, s in self._standings.items() if s.active}

    def _objection(self, trust: str) -> str:
        standing = self._standings.get(trust)
        return standing.objection(self._held.facts.spec, self._now()) if standing else "not enrolled"

    def _refused(self, trust: str) -> bool:
        return trust in self._held.facts.refused

    def _now(self) -> datetime:
        return self._tools.clock()
