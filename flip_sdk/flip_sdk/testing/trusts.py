"""A Trust that is only played: made-up patients, a consent, a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from flip_sdk.accounting.calibrate import Debit
from flip_sdk.accounting.caps import ALONE_FACTOR, Cap
from flip_sdk.accounting.composition import alone, counted, epsilon_of, together
from flip_sdk.accounting.events import AnyEvent
from flip_sdk.accounting.price import covers, events_of_job
from flip_sdk.contract.api import TrustBudget, TrustCatalogue
from flip_sdk.contract.holdings import Holdings
from flip_sdk.contract.images import SeriesImages
from flip_sdk.contract.inputs import records_of
from flip_sdk.contract.jobs import (
    AnySpec,
    CountSpec,
    EvaluateSpec,
    JobKind,
    StatisticsSpec,
    TrainSpec,
    TrustModelName,
)
from flip_sdk.contract.notices import CATALOGUE_EPSILON, CatalogueConcept, LedgerEntry, LedgerMirror, TotalLine
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.contract.twins import Twin
from flip_sdk.mechanisms.floors import FLOOR, ROUNDING, SHARES, least_told
from flip_sdk.pricing import epsilon_of as asked_epsilon
from flip_sdk.testing.patients import CONCEPTS, Patients, synthetic_patients
from flip_sdk.testing.shown import Shelf
from flip_sdk.testing.statistics import columns_of

if TYPE_CHECKING:
    from flip_sdk.mechanisms.snapshot import Snapshot
    from flip_sdk.mechanisms.twin_images import Series


@dataclass
class FakeTrust:
    """One Trust of a :class:`FakeHub`. Change its fields to play pausing, leaving, going offline or running dry.

    Attributes:
        ledger: what was debited to the project: event, and how often. It adds up as a real Trust's does.
        published: what was debited to no project, but to the whole data set: what its catalogue says of persons.
        epsilon: the project's budget; ``epsilon_alone`` if every other Trust worked with the hub (0: four times it).
        total_epsilon: the budget of its whole data set.
        twin: the synthetic twin that :meth:`publish_twin` published.
        holdings: the numbers of persons that :meth:`publish_holdings` published.
        shelf: its images.
    """

    name: str
    patients: Patients
    title: str = ""
    concepts: tuple[CatalogueConcept, ...] = CONCEPTS
    consent: Literal["none", "opted_in", "paused", "left"] = "opted_in"
    online: bool = True
    epsilon: float = 10.0
    delta: float = 1e-5
    ledger: dict[AnyEvent, int] = field(default_factory=dict)
    epsilon_alone: float = 0.0
    total_epsilon: float = 100.0
    max_epsilon_per_job: float = 10.0
    trust_models: tuple[TrustModelName, ...] = ("local", "distributed")
    job_kinds: tuple[JobKind, ...] = field(default=("count", "train", "evaluate", "statistics"))
    twin: Twin | None = None
    holdings: Holdings | None = None
    shelf: Shelf = field(default_factory=Shelf)
    published: dict[AnyEvent, int] = field(default_factory=dict)

    @property
    def cap(self) -> Cap:
        """The project's budget."""
        return Cap(self.epsilon, self.delta, self.epsilon_alone or ALONE_FACTOR * self.epsilon)

    @property
    def total(self) -> Cap:
        """The whole data set's budget."""
        return Cap(self.total_epsilon, self.delta, ALONE_FACTOR * self.total_epsilon)

    @property
    def spent(self) -> float:
        """ε spent so far."""
        return epsilon_of(self.ledger, self.delta)

    def debit(self, events: Mapping[AnyEvent, int]) -> None:
        """Write events into the ledger."""
        self.ledger = together(self.ledger, events)

    def budget(self, now: datetime, expires_at: datetime) -> TrustBudget:
        """What ``project.budget()`` shows of it."""
        given = self.consent != "none"
        ledger = self._told(self.cap, self.ledger)
        return TrustBudget(
            trust=self.name,
            title=self.title or self.name.title(),
            consent=self.consent,
            online=self.online,
            seen_at=now if self.online else None,
            epsilon=self.epsilon if given else None,
            epsilon_alone=ledger.epsilon_alone if given else None,
            delta=self.delta if given else None,
            spent=ledger.spent,
            expires_at=expires_at if given else None,
            job_kinds=self.job_kinds if given else (),
            trust_models=self.trust_models if given else ("local",),
            ledger=ledger if given else None,
            total=TotalLine(
                **dict(self._told(self.total, self._everything)), max_epsilon_per_job=self.max_epsilon_per_job
            ),
        )

    def catalogue(self, now: datetime) -> TrustCatalogue:
        """What ``project.catalogue()`` shows of it."""
        return TrustCatalogue(
            trust=self.name,
            title=self.title or self.name.title(),
            persons=self._told_persons,
            concepts=self.concepts,
            persons_epsilon=CATALOGUE_EPSILON,
            twin=self.twin,
            holdings=self.holdings,
            issued_at=now,
        )

    def is_over_floor(self, spec: TrainSpec) -> bool:
        """Whether its catalogue's number of persons shows a training's cohort to be over the floor."""
        least = least_told(FLOOR, CATALOGUE_EPSILON, ROUNDING, SHARES[spec.part])
        everybody = not spec.cohort.criteria and spec.cohort.expression is None and spec.images is None
        return everybody and self._told_persons >= least

    def publish_twin(self, epsilon: float, images: Series | None = None) -> None:
        """Publish a synthetic twin with the catalogue, as ``flip-trust catalogue publish --twin`` does.

        Args:
            epsilon: what it costs.
            images: everybody's longest series, with ``--twin-images``.
        """
        from flip_sdk.mechanisms.twins import columns_of, debits_of_twin, measure

        self._publish(*debits_of_twin(epsilon, self.delta))
        genders = [concept.concept_id for concept in self.concepts if concept.domain == "Gender"]
        table = replace(self.patients.table(columns_of(self.concepts)), images=images)
        self.twin = measure(table, genders, epsilon, self.delta)

    def publish_holdings(self, epsilon: float, now: datetime) -> None:
        """Publish numbers of persons, as ``flip-trust catalogue publish --holdings`` does; it has no images."""
        from flip_sdk.mechanisms.holdings import debit_of_holdings, measure
        from flip_sdk.testing.holdings import counts_of, public_of

        self._publish(debit_of_holdings(epsilon, self.delta))
        public = public_of(self.concepts, now)
        self.holdings = measure(
            counts_of(self.patients, self.concepts, public), public, self._told_persons, epsilon, self.delta
        )

    @property
    def _told_persons(self) -> int:
        return ROUNDING * round(len(self.patients) / ROUNDING)

    def refuses(self, spec: AnySpec, trusts: int = 1) -> RefusalCode | None:
        """Why it refuses a job that was signed off for so many Trusts, or None."""
        reasons = {
            "none": RefusalCode.NOT_OPTED_IN,
            "paused": RefusalCode.CONSENT_PAUSED,
            "left": RefusalCode.NOT_OPTED_IN,
        }
        if self.consent in reasons:
            return reasons[self.consent]
        if spec.kind not in self.job_kinds:
            return RefusalCode.JOB_KIND_NOT_ALLOWED
        if asked_epsilon(spec) > self.max_epsilon_per_job:
            return RefusalCode.EPSILON_OVER_CAP
        job = events_of_job(spec, trusts)
        if not (covers(self.cap, self.ledger, job) and covers(self.total, self._everything, job)):
            return RefusalCode.BUDGET_EXCEEDED
        return self._cannot_compute(spec)

    def snapshot(self, spec: TrainSpec | EvaluateSpec) -> Snapshot:
        """Its persons of the job's part of the cohort."""
        chosen = self.patients.select(spec.cohort) & self.patients.part(spec.project_id, spec.part)
        if isinstance(spec.images, SeriesImages):
            told = self.patients.snapshot(spec.features, spec.label, chosen)
            return self.shelf.beside(told, spec.images, self.patients.person_ids[chosen], records_of(spec))
        return self.patients.snapshot(spec.features, spec.label, chosen, records_of(spec))

    def _publish(self, *debits: Debit) -> None:
        self.published = together(self.published, counted(debit.event for debit in debits))

    @property
    def _everything(self) -> dict[AnyEvent, int]:
        return together(self.ledger, self.published)

    def _told(self, cap: Cap, ledger: Mapping[AnyEvent, int]) -> LedgerMirror:
        return LedgerMirror(
            epsilon=cap.epsilon,
            epsilon_alone=cap.epsilon_alone,
            delta=cap.delta,
            spent=epsilon_of(ledger, cap.delta),
            spent_alone=epsilon_of(alone(ledger), cap.delta),
            entries=tuple(LedgerEntry(event=event, times=times) for event, times in ledger.items()),
        )

    def _cannot_compute(self, spec: AnySpec) -> RefusalCode | None:
        try:
            persons = self.patients.select(spec.cohort)
            if isinstance(spec, StatisticsSpec):
                columns_of(self.patients, spec)
            elif not isinstance(spec, CountSpec):
                if spec.images is not None and not self.shelf.serves(spec.images):
                    return RefusalCode.UNKNOWN_CONCEPT
                self.patients.snapshot(spec.features, spec.label, persons)
        except KeyError:
            return RefusalCode.UNKNOWN_CONCEPT
        return None


def demo_trusts() -> list[FakeTrust]:
    """Four Trusts of unlike size and case mix, as hospitals are."""
    shapes = (
        ("aldgate", "Aldgate University Hospital", 220, 0.5),
        ("brookfield", "Brookfield General", 150, 0.3),
        ("carrick", "Carrick Screening Service", 110, 0.2),
        ("dunmore", "Dunmore District Hospital", 89, 0.4),
    )
    return [
        FakeTrust(name, synthetic_patients(persons, malignant, seed), title)
        for seed, (name, title, persons, malignant) in enumerate(shapes, start=1)
    ]
