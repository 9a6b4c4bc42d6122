"""A played job: each look at it takes it one step further, so that tests never wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from flip_sdk.accounting.price import events_of_job
from flip_sdk.contract.api import JobEvent, JobResult, JobView, RefusalView
from flip_sdk.contract.jobs import AnySpec, CountSpec, EvaluateSpec, ModelRef, StatisticsSpec, TrainSpec
from flip_sdk.contract.states import JOB, JobState
from flip_sdk.contract.tasks import REFUSAL_WORDS, RefusalCode
from flip_sdk.pricing import epsilon_of
from flip_sdk.simulate.noise import Noise
from flip_sdk.simulate.scoring import noisy_count, tables
from flip_sdk.simulate.training import Training
from flip_sdk.testing.statistics import answer
from flip_sdk.testing.trusts import FakeTrust

Blobs = dict[str, bytes]


class FakeJob:
    """One job at a FakeHub."""

    def __init__(
        self,
        view: JobView,
        spec: AnySpec,
        trusts: Sequence[FakeTrust],
        put: Callable[[bytes], str],
        blobs: Blobs,
        clock: Callable[[], datetime],
        noise: Noise,
    ) -> None:
        self.view = view
        self.spec = spec
        self.events: list[JobEvent] = []
        self.result: JobResult | None = None
        self._asked = list(trusts)
        self._begun = False
        self._taking_part: list[FakeTrust] = []
        self._training: Training | None = None
        self._history: list[dict[str, float]] = []
        self._put, self._blobs, self._clock, self._noise = put, blobs, clock, noise
        self._happen("job.submitted", "Submitted.")

    @property
    def _provenance(self) -> str:
        return "flip_sdk.testing.FakeHub" if self._noise.loudness < 1 else "flip_sdk.simulate"

    @property
    def ended(self) -> bool:
        """Whether it goes no further."""
        return self.view.state in JOB.ends()

    def cancel(self) -> None:
        """End it, if it has not ended."""
        if not self.ended:
            self._end(JobState.CANCELLED, "The job was cancelled; nothing more is asked of any Trust.")

    def advance(self) -> None:
        """One step further."""
        match self.view.state:
            case JobState.SUBMITTED:
                self._step(JobState.VALIDATED)
            case JobState.VALIDATED:
                self._step(JobState.SIGNED_OFF)
            case JobState.SIGNED_OFF:
                self._step(JobState.EXECUTING)
            case JobState.EXECUTING if not self._begun:
                self._begin()
            case JobState.EXECUTING:
                self._work()

    def _begin(self) -> None:
        self._begun = True
        for trust in self._asked:
            code = trust.refuses(self.spec, len(self._asked))
            if not trust.online:
                self._happen("left_out", f"{trust.name} is left out: it is offline.", trust=trust.name)
            elif code is not None:
                self._refused(trust.name, code)
            else:
                self._taking_part.append(trust)
        # a Trust that turns out to be too small pays as well: its refusal is a release
        for trust in self._taking_part:
            trust.debit(events_of_job(self.spec, len(self._asked)))
        if self._enough() and isinstance(self.spec, TrainSpec):
            self._start_training(self.spec)

    def _enough(self) -> bool:
        """Whether enough Trusts take part; if not, the job has failed."""
        needed = self.spec.min_trusts if isinstance(self.spec, TrainSpec) else 1
        if len(self._taking_part) >= needed:
            return True
        some = f"{len(self._taking_part)} of the {needed} Trusts needed can take part."
        self._end(JobState.FAILED, some)
        return False

    def _refused(self, name: str, code: RefusalCode) -> None:
        refusal = RefusalView(trust=name, code=code, words=REFUSAL_WORDS[code])
        self.view = self.view.model_copy(update={"refusals": (*self.view.refusals, refusal)})
        self._happen("refused", f"{name} refused: {REFUSAL_WORDS[code]}", trust=name)

    def _without(self, too_small: Sequence[str]) -> bool:
        """Go on without Trusts that are under their floor. Returns whether the job goes on at all."""
        for name in too_small:
            self._refused(name, RefusalCode.COHORT_TOO_SMALL)
        self._taking_part = [trust for trust in self._taking_part if trust.name not in too_small]
        return self._enough()

    def _start_training(self, spec: TrainSpec) -> None:
        graph, weights = self._blobs[spec.model.graph], self._blobs[spec.model.weights]
        snapshots = {trust.name: trust.snapshot(spec) for trust in self._taking_part}
        shown = [trust.name for trust in self._taking_part if trust.is_over_floor(spec)]
        training = Training(spec, graph, weights, snapshots, self._noise, len(self._asked), shown)
        if not self._without(training.too_small):
            return
        if training.scaling is None:
            self._end(JobState.FAILED, "Too few Trusts are left to share the noise.")
            return
        self._training = training
        self._close_round(f"Prepared with {len(self._taking_part)} Trusts.", {})

    def _work(self) -> None:
        match self.spec:
            case CountSpec():
                self._count(self.spec)
            case StatisticsSpec():
                self._answer(self.spec)
            case EvaluateSpec():
                self._evaluate(self.spec)
            case TrainSpec():
                self._train(self.spec)

    def _train(self, spec: TrainSpec) -> None:
        if self._training is None:
            self._start_training(spec)
            return
        number = self.view.round + 1
        numbers = self._training.round(number)
        self.view = self.view.model_copy(update={"round": number})
        self._answered()
        self._close_round(f"Round {number} of {spec.rounds}.", numbers)
        if number == spec.rounds:
            model = ModelRef(graph=spec.model.graph, weights=self._put(self._training.weights()))
            self._complete(model=model, scaling=self._training.scaling, history=tuple(self._history))

    def _close_round(self, words: str, numbers: dict[str, float]) -> None:
        row = {"round": float(self.view.round), "seconds": 0.0, "trusts": float(len(self._taking_part))}
        row |= numbers
        self._history.append(row)
        self._happen("round", words, numbers=row)

    def _count(self, spec: CountSpec) -> None:
        counts = {
            trust.name: noisy_count(int(trust.patients.select(spec.cohort).sum()), spec.epsilon, self._noise)
            for trust in self._taking_part
        }
        self._answered()
        self._complete(counts=counts)

    def _answer(self, spec: StatisticsSpec) -> None:
        found, too_small = answer(spec, self._taking_part, self._noise)
        if self._without(too_small):
            self._answered()
            self._complete(statistics=found)

    def _evaluate(self, spec: EvaluateSpec) -> None:
        from flip_sdk.mechanisms.aggregate import figures_of

        graph, weights = self._blobs[spec.model.graph], self._blobs[spec.model.weights]
        snapshots = {trust.name: trust.snapshot(spec) for trust in self._taking_part}
        found = tables(spec, graph, weights, snapshots, self._noise)
        if self._without([name for name in snapshots if name not in found]):
            self._answered()
            self._complete(model=spec.model, figures=figures_of(spec, found))

    def _answered(self) -> None:
        for trust in self._taking_part:
            self._happen("update", f"{trust.name} answered.", trust=trust.name)

    def _complete(self, **released: object) -> None:
        spec = self.spec
        self.result = JobResult.model_validate(
            {
                "job_id": self.view.job_id,
                "kind": spec.kind,
                "trusts": tuple(trust.name for trust in self._taking_part),
                "refusals": self.view.refusals,
                "epsilon": epsilon_of(spec),
                "delta": spec.privacy.delta if isinstance(spec, TrainSpec) else getattr(spec, "delta", 0.0),
                "provenance": {"hub": self._provenance, "spec": spec.digest()},
                "spec": spec,
                "completed_at": self._clock(),
                **released,
            }
        )
        self._end(JobState.COMPLETED, "The job is completed.")

    def _end(self, state: JobState, words: str) -> None:
        event, reason = JOB.step(self.view.state, state).event, "" if state == JobState.COMPLETED else words
        self.view = self.view.model_copy(update={"state": state, "reason": reason, "ended_at": self._clock()})
        self._happen(event, words)

    def _step(self, state: JobState) -> None:
        event = JOB.step(self.view.state, state).event
        self.view = self.view.model_copy(update={"state": state})
        self._happen(event, f"The job is {state.value.replace('_', ' ')} at {', '.join(self.view.trusts)}.")

    def _happen(
        self, event: str, words: str, *, trust: str | None = None, numbers: dict[str, float] | None = None
    ) -> None:
        self.events.append(
            JobEvent(
                sequence=len(self.events) + 1,
                at=self._clock(),
                event=event,
                round=self.view.round,
                trust=trust,
                words=words,
                numbers=numbers or {},
            )
        )
