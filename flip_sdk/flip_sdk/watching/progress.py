"""What a watcher knows of a job, taken out of its events. Pure: no clock, no screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from flip_sdk.contract.api import JobEvent, JobEvents, JobView
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.curves import curve_of, words_for
from flip_sdk.pricing import TrustPrice, cost_in_words

MOST_LOGGED = 200
"""Events that a watcher looks back at."""
_STATES = {
    JobState.SUBMITTED: "handed in",
    JobState.VALIDATED: "waiting for a reviewer's decision",
    JobState.SIGNED_OFF: "signed off, waiting for its turn",
    JobState.EXECUTING: "running at the Trusts",
    JobState.COMPLETED: "completed",
    JobState.REJECTED: "rejected",
    JobState.CANCELLED: "cancelled",
    JobState.FAILED: "failed",
}


class Meter(NamedTuple):
    """A Trust's privacy budget (ε, unit: person) and what the job spends of it.

    Attributes:
        trust: its name.
        before: spent when the job was sent.
        after: spent with it.
        cap: what may be spent.
    """

    trust: str
    before: float
    after: float
    cap: float

    @property
    def words(self) -> str:
        """As a line."""
        return f"ε {self.before:.3g} before, {self.after:.3g} with this job, of {self.cap:g}"


class Progress:
    """A job as its watcher sees it.

    Attributes:
        sequence: the last event taken in.
        curve_name: what the curve shows, such as ``gradient_norm``.
        curve: (round, value), in order.
        trusts: what each Trust last did, in words.
        fresh: the events of the last page.
        log: the last events, oldest first.
        note: one line for the person, such as that the hub is away.
    """

    def __init__(
        self,
        job: JobView,
        epsilon: float | None = None,
        notes: Sequence[str] = (),
        prices: Sequence[TrustPrice] = (),
    ) -> None:
        self.job = job
        self.epsilon = epsilon
        self.prices = tuple(prices)
        self.notes = tuple(notes)
        self.sequence = 0
        self.curve_name = ""
        self.curve: list[tuple[int, float]] = []
        self.trusts: dict[str, str] = dict.fromkeys(job.trusts, "asked")
        self.fresh: tuple[JobEvent, ...] = ()
        self.note = ""
        self.log: deque[JobEvent] = deque(maxlen=MOST_LOGGED)

    def take(self, page: JobEvents) -> None:
        """Take a page of events in."""
        self.job = page.job
        self.note = ""
        self.fresh = tuple(event for event in page.events if event.sequence > self.sequence)
        self.log.extend(self.fresh)
        for event in self.fresh:
            self._take(event)
        for name in page.job.trusts:
            self.trusts.setdefault(name, "asked")
        for refusal in page.job.refusals:
            self.trusts[refusal.trust] = f"refused: {refusal.words}"

    @property
    def ended(self) -> bool:
        """Whether the job goes no further."""
        return self.job.state in JOB.ends()

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return self.ended and self.job.state != JobState.COMPLETED

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        if self.job.state == JobState.COMPLETED:
            return 1.0
        return min(self.job.round / self.job.rounds, 1.0) if self.job.rounds else 0.0

    @property
    def headline(self) -> str:
        """One line that says how the job is."""
        text = f"{self.job.kind}: {_STATES[self.job.state]}"
        if self.job.rounds > 1:
            text += f", round {self.job.round} of {self.job.rounds}"
        if self.job.state == JobState.VALIDATED and self.job.reason:
            text += f". {self.job.reason}"
        return text

    @property
    def cost(self) -> str:
        """What it costs, in words."""
        return "" if self.epsilon is None else cost_in_words(self.epsilon, self.prices)

    @property
    def brief_cost(self) -> str:
        """What it costs, in words, where :attr:`meters` tell the rest."""
        return "" if self.epsilon is None else cost_in_words(self.epsilon, self.prices, brief=True)

    @property
    def meters(self) -> list[Meter]:
        """What the job spends of each Trust's budget, where that is known."""
        known = [(price.trust, price.project.stated) for price in self.prices if price.project is not None]
        return [Meter(trust, figures.before, figures.after, figures.cap) for trust, figures in known]

    @property
    def latest(self) -> str:
        """The curve's last value, in words."""
        return f"{words_for(self.curve_name)} {self.curve[-1][1]:.3g}" if self.curve else ""

    def _take(self, event: JobEvent) -> None:
        self.sequence = event.sequence
        if event.trust is not None:
            self.trusts[event.trust] = (event.words or event.event).removeprefix(f"{event.trust} ")
            return
        name = self.curve_name or curve_of(event.numbers)
        if name and name in event.numbers:
            self.curve_name = name
            self.curve.append((event.round, event.numbers[name]))
