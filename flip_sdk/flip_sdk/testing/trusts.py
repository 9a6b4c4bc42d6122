"""A Trust that is only played: made-up patients, a consent, a budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flip_sdk.contract.api import TrustBudget, TrustCatalogue
from flip_sdk.contract.jobs import AnySpec, CountSpec, JobKind, StatisticsSpec
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.preflight import epsilon_of
from flip_sdk.testing.patients import CONCEPTS, Patients, synthetic_patients
from flip_sdk.testing.statistics import columns_of

FLOOR = 10


@dataclass
class FakeTrust:
    """One Trust of a :class:`FakeHub`. Change its fields to play pausing, leaving, going offline or running dry.

    Attributes:
        spent: ε spent so far; a fake ledger that just adds up.
    """

    name: str
    patients: Patients
    title: str = ""
    concepts: tuple[CatalogueConcept, ...] = CONCEPTS
    consent: Literal["none", "opted_in", "paused", "left"] = "opted_in"
    online: bool = True
    epsilon: float = 10.0
    delta: float = 1e-5
    spent: float = 0.0
    job_kinds: tuple[JobKind, ...] = field(default=("count", "train", "evaluate", "statistics"))

    def budget(self, now: datetime, expires_at: datetime) -> TrustBudget:
        """What ``project.budget()`` shows of it."""
        given = self.consent != "none"
        return TrustBudget(
            trust=self.name,
            title=self.title or self.name.title(),
            consent=self.consent,
            online=self.online,
            seen_at=now if self.online else None,
            epsilon=self.epsilon if given else None,
            delta=self.delta if given else None,
            spent=self.spent,
            expires_at=expires_at if given else None,
            job_kinds=self.job_kinds if given else (),
        )

    def catalogue(self, now: datetime) -> TrustCatalogue:
        """What ``project.catalogue()`` shows of it."""
        persons = round(len(self.patients) / 5) * 5
        title = self.title or self.name.title()
        return TrustCatalogue(trust=self.name, title=title, persons=persons, concepts=self.concepts, issued_at=now)

    def refuses(self, spec: AnySpec) -> RefusalCode | None:
        """Why it refuses a job, or None."""
        reasons = {
            "none": RefusalCode.NOT_OPTED_IN,
            "paused": RefusalCode.CONSENT_PAUSED,
            "left": RefusalCode.NOT_OPTED_IN,
        }
        if self.consent in reasons:
            return reasons[self.consent]
        if spec.kind not in self.job_kinds:
            return RefusalCode.JOB_KIND_NOT_ALLOWED
        if self.spent + epsilon_of(spec) > self.epsilon + 1e-9:
            return RefusalCode.BUDGET_EXCEEDED
        return self._cannot_compute(spec)

    def _cannot_compute(self, spec: AnySpec) -> RefusalCode | None:
        try:
            persons = self.patients.select(spec.cohort)
            if isinstance(spec, CountSpec):
                return None
            if isinstance(spec, StatisticsSpec):
                return RefusalCode.COHORT_TOO_SMALL if len(columns_of(self.patients, spec)) < FLOOR else None
            self.patients.matrix(spec.features)
            self.patients.labels(spec.label)
        except KeyError:
            return RefusalCode.UNKNOWN_CONCEPT
        persons &= self.patients.part(spec.project_id, spec.part)
        return RefusalCode.COHORT_TOO_SMALL if persons.sum() < FLOOR else None


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
