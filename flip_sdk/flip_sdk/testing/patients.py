"""Made-up patients: cells measured under a microscope, in the shape that a Trust's OMOP tables give."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from flip_sdk.contract.cohorts import AgeBetween, Cohort, HasCondition, MeasurementBetween, SexIs
from flip_sdk.contract.features import AnyFeature, AnyLabel, Feature
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.mechanisms.floors import is_in
from flip_sdk.testing.told import labels_of, values_of

if TYPE_CHECKING:
    from flip_sdk.cohorts import Criterion
    from flip_sdk.contract.jobs import Part
    from flip_sdk.contract.twins import TwinColumn
    from flip_sdk.mechanisms.snapshot import Snapshot
    from flip_sdk.mechanisms.twins import Table

FEMALE = 2_000_000_201
MALIGNANT = 2_000_000_101
BENIGN = 2_000_000_102
_FIRST = 2_000_000_001
# what is measured, its unit, public bounds, and the usual value in benign and malignant cells with its spread
_MEASURED: tuple[tuple[str, str, float, float, float, float, float], ...] = (
    ("mean radius", "pixel", 5, 30, 12.1, 17.0, 2.6),
    ("mean texture", "grey level", 5, 40, 17.9, 21.6, 4.0),
    ("mean smoothness", "", 0.05, 0.17, 0.092, 0.103, 0.013),
    ("mean compactness", "", 0, 0.35, 0.08, 0.145, 0.043),
    ("mean concavity", "", 0, 0.45, 0.046, 0.161, 0.06),
    ("mean symmetry", "", 0.1, 0.3, 0.174, 0.193, 0.026),
    ("worst radius", "pixel", 5, 40, 13.4, 21.1, 3.3),
    ("worst concave points", "", 0, 0.3, 0.074, 0.182, 0.042),
)
CONCEPTS: tuple[CatalogueConcept, ...] = (
    *(
        CatalogueConcept(concept_id=_FIRST + i, name=name, domain="Measurement", unit=unit, low=low, high=high)
        for i, (name, unit, low, high, *_) in enumerate(_MEASURED)
    ),
    CatalogueConcept(concept_id=MALIGNANT, name="malignant", domain="Condition"),
    CatalogueConcept(concept_id=BENIGN, name="benign", domain="Condition"),
    CatalogueConcept(concept_id=FEMALE, name="female", domain="Gender"),
)


@dataclass(frozen=True)
class Patients:
    """One Trust's persons, column by column; every array has one entry a person.

    Attributes:
        measurements: latest value by concept; NaN where it was never taken.
        conditions: whether the person has it, by concept.
        observed_days: how long the person is observed, from day 0 on.
        onset_days: day of the first record of a condition, by concept; NaN where there is none.
        death_days: day of death; NaN where it is not known.
        earlier: what was measured at earlier dates, one mapping a date: by concept, NaN where nothing was.
    """

    person_ids: np.ndarray
    ages: np.ndarray
    sexes: np.ndarray
    measurements: Mapping[int, np.ndarray]
    conditions: Mapping[int, np.ndarray]
    observed_days: np.ndarray = field(default_factory=lambda: np.empty(0))
    onset_days: Mapping[int, np.ndarray] = field(default_factory=dict)
    death_days: np.ndarray = field(default_factory=lambda: np.empty(0))
    earlier: tuple[Mapping[int, np.ndarray], ...] = ()

    def __len__(self) -> int:
        return len(self.person_ids)

    def select(self, cohort: Cohort) -> np.ndarray:
        """Which persons meet every criterion, as a mask.

        Raises:
            KeyError: the Trust has no such concept, or an expression is asked of patients without dated events.
        """
        if cohort.expression is not None:
            raise KeyError("expression")
        chosen = np.ones(len(self), dtype=bool)
        for criterion in cohort.criteria:
            chosen &= self._meets(criterion) ^ criterion.negate
        return chosen

    def part(self, project_id: str, part: Part) -> np.ndarray:
        """Which persons are in a part of the project's: by their id's hash, always the same."""
        if part == "all":
            return np.ones(len(self), dtype=bool)
        shares = [
            int(hashlib.sha256(f"{project_id}:{i}".encode()).hexdigest()[:8], 16) / 2**32 for i in self.person_ids
        ]
        mask: np.ndarray = np.array([is_in(part, share) for share in shares], dtype=bool)
        return mask

    def snapshot(
        self, features: tuple[AnyFeature, ...], label: AnyLabel, chosen: np.ndarray, most: int = 1
    ) -> Snapshot:
        """Raw values and labels of the chosen persons, as a Trust's engine takes them; ``most`` records of each.

        Raises:
            KeyError: the Trust has no such concept.
        """
        from flip_sdk.mechanisms.snapshot import Snapshot

        dates = [self.measurements, *(self.earlier if most > 1 else ())]
        rows = [
            np.array([values_of(feature, self, date) for feature in features]).reshape(len(features), -1).T[chosen]
            if features
            else np.empty((int(chosen.sum()), 0))
            for date in dates
        ]
        values, labels = np.stack(rows, axis=1).astype(np.float64), self.labels(label)[chosen]
        if most == 1:
            return Snapshot(values[:, 0], labels)
        there = ~np.asarray(np.isnan(values).all(axis=2))
        there[:, 0] |= ~there.any(axis=1)
        # records are drawn by chance, those that are not there last
        order = np.argsort(np.random.default_rng(0).random(there.shape) + ~there, axis=1).argsort(axis=1)
        kept: np.ndarray = there & (order < most)
        owners = np.nonzero(kept)[0]
        return Snapshot(values[kept], labels[owners], owners)

    def table(self, columns: tuple[TwinColumn, ...]) -> Table:
        """What a synthetic twin is measured on.

        Raises:
            KeyError: the Trust has no such concept.
        """
        from flip_sdk.mechanisms.twins import Table

        values = []
        for column in columns:
            if column.concept_id is None:
                values.append(self.ages.astype(np.float64))
            elif column.kind == "condition":
                values.append(self.conditions[column.concept_id].astype(np.float64))
            else:
                values.append(np.asarray(self.measurements[column.concept_id], dtype=np.float64))
        return Table(columns, tuple(values), self.sexes)

    def matrix(self, features: tuple[Feature, ...]) -> np.ndarray:
        """Raw values, persons × features, float64: clamped to the bounds, the middle where missing.

        Raises:
            KeyError: the Trust has no such concept.
        """
        columns = [self._clamped(feature) for feature in features]
        return np.stack(columns, axis=1)

    def labels(self, label: AnyLabel) -> np.ndarray:
        """The label of each person, 0 … classes - 1.

        Raises:
            KeyError: the Trust has no such concept, or nothing to tell such a label by.
        """
        return labels_of(label, self)

    def _clamped(self, feature: Feature) -> np.ndarray:
        values = self.measurements[feature.concept_id]
        middle = (feature.low + feature.high) / 2
        clamped: np.ndarray = np.clip(np.where(np.isnan(values), middle, values), feature.low, feature.high)
        return clamped

    def _meets(self, criterion: Criterion) -> np.ndarray:
        match criterion:
            case AgeBetween():
                return (self.ages >= criterion.low) & (self.ages <= criterion.high)
            case SexIs():
                return np.isin(self.sexes, criterion.concept_ids)
            case HasCondition():
                found: np.ndarray = np.any([self.conditions[i] for i in criterion.concept_ids], axis=0)
                return found
            case MeasurementBetween():
                values = self.measurements[criterion.concept_id]
                inside: np.ndarray = (values >= criterion.low) & (values <= criterion.high)
                return inside


def synthetic_patients(persons: int, malignant: float = 0.4, seed: int = 0) -> Patients:
    """Made-up persons with the eight measurements of :data:`CONCEPTS`; nobody's data went into them.

    Args:
        persons: how many.
        malignant: share of them with a malignant mass.
        seed: the same seed makes the same persons.
    """
    random = np.random.default_rng(seed)
    sick = random.random(persons) < malignant
    # one hidden severity behind all measurements, so that they go together as real ones do and do not tell everything
    severity = np.where(sick, random.normal(1.0, 0.45, persons), random.normal(0.0, 0.35, persons))
    measurements = {
        _FIRST + i: np.clip(random.normal(well + (ill - well) * severity, spread), low, high)
        for i, (_, _, low, high, well, ill, spread) in enumerate(_MEASURED)
    }
    ages = random.integers(25, 90, persons)
    onset = np.floor(random.uniform(0, 200, persons))
    return Patients(
        person_ids=np.arange(persons) + seed * 1_000_000,
        ages=ages,
        sexes=np.full(persons, FEMALE),
        measurements=measurements,
        conditions={MALIGNANT: sick, BENIGN: ~sick},
        observed_days=np.floor(random.uniform(500, 3000, persons)),
        onset_days={MALIGNANT: np.where(sick, onset, np.nan), BENIGN: np.where(sick, np.nan, onset)},
        death_days=np.floor(onset + random.exponential(4000 * np.exp(-1.2 * sick - 0.02 * (ages - 50)))),
    )
