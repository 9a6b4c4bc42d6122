"""What a job does next: a pure function of its recorded facts and of what is seen of the Trusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flip_sdk.contract.tasks import REFUSAL_WORDS

from flip_hub.dispatcher.deliveries import Delivery, DeliveryState
from flip_hub.dispatcher.facts import Facts, Standing, Sum
from flip_hub.dispatcher.plan import PREPARE
from flip_hub.dispatcher.summing import spare
from flip_hub.dispatcher.watch import Limits, Watch

FAILURES = frozenset({DeliveryState.RETRIED, DeliveryState.DROPPED})
MOST_ATTEMPTS = 1000


class Place(StrEnum):
    """Where a Trust stands in the round that is under way."""

    ANSWERED = "answered"
    DUE = "due"
    WAITING = "waiting"
    OFFLINE = "offline"
    OUT = "out"


@dataclass(frozen=True)
class Stand:
    """A Trust's place, and why it is not better, in words."""

    place: Place
    words: str = ""


@dataclass(frozen=True)
class Send:
    """Send the round's task to these Trusts, and ``prepare`` to those that catch up."""

    trusts: tuple[str, ...]
    catching_up: tuple[str, ...] = ()


@dataclass(frozen=True)
class Close:
    """Everybody who can has answered: aggregate."""


@dataclass(frozen=True)
class Again:
    """With noise shares: the round's sum is tried again over these Trusts, and the others are out of the job."""

    trusts: tuple[str, ...]


@dataclass(frozen=True)
class Fail:
    """The job ends, for this reason."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing to do before something arrives."""


Decision = Send | Close | Again | Fail | Wait


@dataclass(frozen=True)
class View:
    """The outside world at one moment."""

    now: datetime
    standings: Mapping[str, Standing]
    watch: Watch
    limits: Limits
    project_state: str = "approved"


def decide(facts: Facts, view: View) -> tuple[Decision, dict[str, Stand]]:
    """The next step, and where every Trust of the job stands."""
    stands = {trust: stand_of(trust, facts, view) for trust in facts.job.trusts}
    if reason := _end_of_time(facts, view):
        return Fail(reason), stands
    if view.watch.outage_since is not None:
        return Wait(), stands
    return _next_step(facts, view, stands), stands


def _next_step(facts: Facts, view: View, stands: Mapping[str, Stand]) -> Decision:
    places = [stand.place for stand in stands.values()]
    possible = len(places) - places.count(Place.OUT)
    if possible < facts.min_trusts:
        return Fail(_too_few(facts, stands))
    if facts.round.sum is not None:
        return _next_of_sum(facts, facts.round.sum, stands)
    due = tuple(trust for trust, stand in stands.items() if stand.place is Place.DUE)
    late = tuple(trust for trust in stands if _may_catch_up(trust, facts, view))
    if due or late:
        return Send(due, late)
    return Close() if places.count(Place.ANSWERED) == possible else Wait()


def _next_of_sum(facts: Facts, here: Sum, stands: Mapping[str, Stand]) -> Decision:
    """A sum needs every one of its Trusts, so nobody is asked before all are there."""
    places = {trust: stands[trust].place for trust in here.trusts}
    settled = not {Place.WAITING, Place.OFFLINE} & set(places.values())
    left = tuple(trust for trust, place in places.items() if place is not Place.OUT)
    if len(left) < len(places):
        # whoever is still under way may drop out as well: one more try then leaves out both
        if not settled:
            return Wait()
        return Again(left) if spare(facts) else Fail(_no_spare(facts, stands))
    begun = any(delivery.place == facts.round.place for delivery in facts.deliveries)
    due = tuple(trust for trust, place in places.items() if place is Place.DUE)
    if due and (begun or settled):
        return Send(due)
    return Close() if set(places.values()) == {Place.ANSWERED} else Wait()


def stand_of(trust: str, facts: Facts, view: View) -> Stand:
    """Where one Trust stands in the current round."""
    if facts.round.sum is not None and trust not in facts.round.sum.trusts:
        return Stand(Place.OUT)
    if trust in facts.answered:
        return Stand(Place.ANSWERED)
    sent = facts.of(trust, facts.round.place)
    if words := _obstacle(trust, facts, view, sent):
        return Stand(Place.OUT, words)
    since = view.watch.offline_since.get(trust)
    if since is not None:
        return Stand(Place.OFFLINE, _offline(since))
    return Stand(Place.DUE if is_due(trust, sent, view) else Place.WAITING)


def is_due(trust: str, sent: list[Delivery], view: View) -> bool:
    """Whether a (further) attempt has to be sent now."""
    if not sent:
        return True
    if len(sent) >= MOST_ATTEMPTS:
        return False
    last = sent[-1]
    quiet = view.now - last.sent_at
    waiting = [d for d in sent if d.state is DeliveryState.SENT]
    if not waiting:
        pause = view.limits.pause * (1 << min(len(sent) - 1, 6))
        return quiet >= min(pause, timedelta(seconds=10))
    back = view.watch.back_at.get(trust)
    came_back = back is not None and back > last.sent_at
    return came_back or quiet >= view.limits.resend * (1 << min(len(waiting) - 1, 6))


def _obstacle(trust: str, facts: Facts, view: View, sent: list[Delivery]) -> str:
    """Why a Trust takes no part in the round, in words; empty where it may (still) do."""
    if trust in facts.refused:
        return REFUSAL_WORDS[facts.refused[trust]]
    if failures(sent) >= view.limits.retries:
        return "its answers could not be accepted"
    objection = _objection(trust, facts, view)
    if objection and not any(d.state is DeliveryState.SENT for d in sent):
        return objection
    if absence := _absence(trust, facts, view):
        return absence
    unprepared = facts.sharing is None and facts.round.step == "train" and trust not in facts.prepared
    return "it has still to prepare for training; it takes part from the next round on" if unprepared else ""


def _absence(trust: str, facts: Facts, view: View) -> str:
    if trust in view.watch.tardy:
        return "it did not answer an earlier round in time"
    since = view.watch.offline_since.get(trust)
    if since is not None and view.now - since >= view.limits.patience:
        return f"it is {_offline(since)}"
    limit = view.limits.round_for(facts.spec, facts.round.step)
    return "it did not answer in time" if view.now - view.watch.started_at >= limit else ""


def _objection(trust: str, facts: Facts, view: View) -> str:
    standing = view.standings.get(trust)
    return standing.objection(facts.spec, view.now) if standing else "it is not enrolled"


def failures(sent: list[Delivery]) -> int:
    """How many attempts of a round failed at the Trust or came back unusable."""
    return sum(d.state in FAILURES for d in sent)


def _may_catch_up(trust: str, facts: Facts, view: View) -> bool:
    """A Trust that was away during ``prepare`` may still do it, aside, and take part from the next round on."""
    if facts.round.step != "train" or trust in facts.prepared | facts.refused.keys() or trust not in view.watch.online:
        return False
    sent = facts.of(trust, PREPARE.place)
    return not _objection(trust, facts, view) and failures(sent) < view.limits.retries and is_due(trust, sent, view)


def _end_of_time(facts: Facts, view: View) -> str:
    if view.now >= min(facts.job.expires_at, facts.job.project_expires_at):
        return "The job's sign-off has expired before it was done. Submit it again."
    if view.project_state != "approved":
        return f"The project is {view.project_state.replace('_', ' ')}, so its jobs stop. Ask governance."
    since = view.watch.outage_since
    if since is not None and view.now - since >= view.limits.outage:
        return f"The hub's gateway has not been reachable since {_clock(since)}. Tell the hub's operator; submit again."
    return ""


def _too_few(facts: Facts, stands: Mapping[str, Stand]) -> str:
    possible = sum(stand.place is not Place.OUT for stand in stands.values())
    needs = f"needs {_trusts(facts.min_trusts)}, {possible} could take part."
    return f"{_step_of(facts)} {needs} {_reasons(facts, stands)}"


def _no_spare(facts: Facts, stands: Mapping[str, Stand]) -> str:
    asks = "Submit it again, with more spare_rounds."
    return f"{_step_of(facts)} broke off, and the job has no spare round left. {_reasons(facts, stands)} {asks}"


def _step_of(facts: Facts) -> str:
    return f"Round {facts.round.number}" if facts.round.step == "train" else f"The step {facts.round.step}"


def _reasons(facts: Facts, stands: Mapping[str, Stand]) -> str:
    out = {trust: stand.words for trust, stand in stands.items() if stand.place is Place.OUT}
    words = {t: w or _before(facts, t) for t, w in out.items()}
    return " ".join(f"{trust}: {why.rstrip('.')}." for trust, why in words.items())


def _before(facts: Facts, trust: str) -> str:
    return REFUSAL_WORDS[facts.refused[trust]] if trust in facts.refused else "it dropped out of an earlier sum"


def _trusts(number: int) -> str:
    return "1 Trust" if number == 1 else f"{number} Trusts"


def _offline(since: datetime) -> str:
    return f"offline since {_clock(since)}"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"
