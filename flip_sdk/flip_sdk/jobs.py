"""A job: watch it, wait for its result, cancel it, come back to it later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flip_sdk.connection import Connection
from flip_sdk.contract.api import JobEvent, JobEvents, JobResult, JobView
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.errors import JobFailedError, NotFoundError
from flip_sdk.extras import installed, needed
from flip_sdk.preflight import Spec
from flip_sdk.pricing import TrustPrice, cost_in_words, epsilon_of
from flip_sdk.results import Result
from flip_sdk.watching.progress import Progress

if TYPE_CHECKING:
    from flip_sdk.accounting.report import Report
    from flip_sdk.frames import Frame
    from flip_sdk.watching.live import Live
    from flip_sdk.watching.views import View

LONG_POLL = 10.0
"""Seconds for which the hub may hold an answer back until something happens."""
WATCH_PATIENCE = 300.0
"""Seconds for which a watched job's hub may be away: jobs go on at the Trusts while it restarts."""
_MENDS = {
    RefusalCode.BUDGET_EXCEEDED: "Ask for a smaller epsilon, or ask the data stewards for a larger budget.",
    RefusalCode.EPSILON_OVER_CAP: "Ask for a smaller epsilon.",
    RefusalCode.COHORT_TOO_SMALL: "Use fewer rules in the cohort, so that more persons are in it.",
    RefusalCode.NOT_OPTED_IN: "Ask the Trusts' data stewards to opt in; project.budget() shows who did.",
    RefusalCode.CONSENT_PAUSED: "Ask the Trusts' data stewards why; project.budget() shows who takes part.",
    RefusalCode.CONSENT_EXPIRED: "Ask the Trusts' data stewards to renew their opt-in.",
    RefusalCode.PROJECT_EXPIRED: "Ask governance to extend the project.",
    RefusalCode.UNKNOWN_CONCEPT: "Use features and labels that project.catalogue() lists for every Trust.",
    RefusalCode.MODEL_TOO_LARGE: "Make the model smaller.",
    RefusalCode.MODEL_REFUSED: "Use layers that the hub's documentation lists as allowed.",
}


class Job:
    """A job that the hub holds. It runs whether or not anybody watches.

    Attributes:
        view: the job as the hub last told it.
        notes: what to know beforehand, such as Trusts that are offline.
        prices: what it was going to cost at each Trust when it was sent.
    """

    def __init__(
        self,
        connection: Connection,
        view: JobView,
        *,
        spec: Spec | None = None,
        notes: Sequence[str] = (),
        prices: Sequence[TrustPrice] = (),
    ) -> None:
        self._connection = connection
        self._spec = spec
        self.notes = tuple(notes)
        self.prices = tuple(prices)
        self.view = view
        self._live: Live | None = None

    @property
    def id(self) -> str:
        """What to come back with: ``project.job(id)``."""
        return self.view.job_id

    @property
    def state(self) -> JobState:
        """The state as of the last look; :meth:`refresh` looks again."""
        return self.view.state

    def __repr__(self) -> str:
        round_ = f", round {self.view.round} of {self.view.rounds}" if self.view.rounds else ""
        text = f"Job {self.id}: {self.view.kind}, {self.state.value.replace('_', ' ')}{round_}"
        cost = cost_in_words(epsilon_of(self._spec), self.prices) if self._spec else ""
        return "\n".join([text, *([f"  {cost}"] if cost else []), *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        from flip_sdk import looks

        if self._live is not None and self._live.running:
            return looks.tip("job.result()", "waits for it and gives what it released")
        what = self.view
        rounds = f"{what.round} of {what.rounds}" if what.rounds else ""
        cost = cost_in_words(epsilon_of(self._spec), self.prices) if self._spec else ""
        facts = [("Job", self.id), ("Trusts", ", ".join(what.trusts)), ("Round", rounds), ("Reason", what.reason)]
        next_ = ("job.result()", "what it released") if self._ended else ("job.watch()", "how it goes on")
        return looks.card(
            f"{what.kind.capitalize()} job",
            looks.facts(facts),
            looks.said(cost, *self.notes),
            looks.tip(*next_),
            state=(self.state.value.replace("_", " "), looks.tone_of(self.state)),
        )

    def refresh(self) -> Job:
        """Ask the hub how the job is."""
        self.view = self._connection.get(f"jobs/{self.id}", JobView)
        return self

    def watch(self, view: View | None = None) -> Job:
        """Show the job's progress until it ends.

        In a notebook it shows a live view and returns at once, so that other cells can run; :meth:`result` waits. In a
        terminal (a live screen) and in a program (lines) it waits itself; interrupting only stops the watching. A
        restart of the hub in between does no harm.

        Raises:
            ConnectionFailedError: the hub stayed away for minutes; the job goes on without you.
        """
        from flip_sdk.watching.views import choose_view, in_notebook

        if view is None and in_notebook() and installed("anywidget"):
            self._watch_live()
            return self
        progress = self._progress()
        shown = view or choose_view()
        said, self._connection.notify = self._connection.notify, shown.note
        shown.open(progress)
        try:
            while not self._listen(progress):
                shown.update(progress)
        except KeyboardInterrupt:
            progress.note = (
                f"You stopped watching; the job goes on. job.watch() comes back to it, job.cancel() ends it "
                f'(in another session: hub.job("{self.id}")).'
            )
            raise
        finally:
            self._connection.notify = said
            shown.close(progress)
        return self

    def result(self) -> Result:
        """What the job released. Waits until it has ended, showing progress.

        Raises:
            JobFailedError: it was rejected, cancelled or failed, with the reason and what each Trust said.
        """
        self.refresh()
        if not self._ended:
            self.watch()
        if self._live is not None:
            failed = self._live.wait()
            if failed is not None and not self._ended:
                raise failed
        if self.state != JobState.COMPLETED:
            raise self._failure()
        record = self._connection.get(f"jobs/{self.id}/result", JobResult)
        return Result(record, self._connection, self.view.project_id, self._spec)

    def report(self) -> Report:
        """What the job costs each Trust by itself: as its ledger was debited, and the tighter figure for your paper.

        Raises:
            NotFoundError: the job came from another session and has no result yet.
        """
        with needed("learning", "A job's report"):
            from flip_sdk.accounting.report import report

        spec = self._spec or self._connection.get(f"jobs/{self.id}/result", JobResult).spec
        if spec is None:
            raise NotFoundError("The hub no longer knows what this job asked.", "See its result's epsilon and delta.")
        return report(spec, max(len(self.view.trusts), 1))

    def events(self) -> Frame:
        """Every step so far: one row each, with the numbers that came with it."""
        from flip_sdk import tables

        return tables.events(self.id, self._all_events())

    def cancel(self) -> Job:
        """Ask the hub to end the job. What Trusts have released by then stays debited."""
        self.view = self._connection.post(f"jobs/{self.id}/cancel", None, JobView)
        return self

    def _progress(self) -> Progress:
        epsilon = epsilon_of(self._spec) if self._spec else None
        return Progress(self.view, epsilon=epsilon, notes=self.notes, prices=self.prices)

    def _watch_live(self) -> None:
        """Begin a live view; where there is one already it goes on."""
        from flip_sdk.watching.live import Live

        if self._live is not None and self._live.running:
            return
        progress = self._progress()
        # a line of its own to the hub, whose news are for the view and not for the cell that runs then
        follower = Job(self._connection.quietly(), self.view)

        def listen(tell: Callable[[str], None]) -> bool:
            follower._connection.notify = tell
            done = follower._listen(progress)
            self.view = follower.view
            return done

        self._live = Live(progress, listen, self.cancel)
        self._live.open()

    @property
    def _ended(self) -> bool:
        return self.state in JOB.ends()

    def _listen(self, progress: Progress) -> bool:
        """Take the next events in; true when the job has ended and all of its events are in."""
        wait = 0.0 if self._ended else LONG_POLL
        page = self._page(progress.sequence, wait, WATCH_PATIENCE)
        progress.take(page)
        self.view = page.job
        return self._ended and not page.events

    def _all_events(self) -> list[JobEvent]:
        events: list[JobEvent] = []
        while True:
            page = self._page(events[-1].sequence if events else 0, 0.0)
            self.view = page.job
            if not page.events:
                return events
            events += page.events

    def _page(self, after: int, wait: float, patience: float = 30.0) -> JobEvents:
        path = f"jobs/{self.id}/events?after={after}&wait={wait:g}"
        return self._connection.wait(path, JobEvents, wait, patience)

    def _failure(self) -> JobFailedError:
        view = self.view
        verb = {JobState.REJECTED: "was rejected", JobState.CANCELLED: "was cancelled"}.get(view.state, "failed")
        lines = [f"The job {verb}{': ' + view.reason if view.reason else '.'}"]
        lines += [f"  • {refusal.trust}: {refusal.words}" for refusal in view.refusals]
        mends = dict.fromkeys(_MENDS[r.code] for r in view.refusals if r.code in _MENDS)
        mend = " ".join(mends) or "job.events() shows each step; submit it again once the reason is gone."
        return JobFailedError("\n".join(lines) + "\n", mend, view.reason, view.refusals)
