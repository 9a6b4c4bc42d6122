"""What a FakeTrust's catalogue counts: its made-up patients, each seen once, some time in the last two years."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from flip_sdk.contract.holdings import TABLES
from flip_sdk.contract.notices import CatalogueConcept
from flip_sdk.mechanisms.floors import FLOOR, ROUNDING
from flip_sdk.mechanisms.holdings import Check, Counts, Public, shapes, shortened_weights
from flip_sdk.testing.patients import Patients

_TABLES = ("condition_occurrence", "measurement")


def public_of(concepts: Sequence[CatalogueConcept], now: datetime) -> Public:
    """What it counts."""
    check = Check("completeness", "measurement", "each person has a row", 95.0, covers=True)
    numbers = tuple(concept.concept_id for concept in concepts)
    return Public(numbers, (check,), now.year, now.month, FLOOR, ROUNDING)


def counts_of(patients: Patients, concepts: Sequence[CatalogueConcept], public: Public) -> Counts:
    """Exact sums over persons."""
    found = {group: np.zeros(shape) for group, shape in shapes(public).items()}
    having = np.stack([_having(patients, concept) for concept in concepts], axis=1).astype(np.float64)
    weights = shortened_weights(np.linalg.norm(having, axis=1), "concepts", len(concepts))
    found["concepts"] = weights @ having
    month = patients.person_ids % len(public.months)
    for table in (TABLES.index(name) for name in _TABLES):
        found["tables"][table, 0] = len(patients)
        found["tables"][table, 1:] = np.bincount(month, minlength=len(public.months))
        year = np.array(public.months)[month] // 12 - public.years[0]
        found["years"][table] = np.bincount(year, minlength=len(public.years))
    return Counts(**found)


def _having(patients: Patients, concept: CatalogueConcept) -> np.ndarray:
    nobody = np.zeros(len(patients), dtype=bool)
    if concept.domain == "Measurement":
        values = patients.measurements.get(concept.concept_id)
        return nobody if values is None else np.isfinite(values)
    if concept.domain == "Gender":
        return np.asarray(patients.sexes == concept.concept_id)
    return np.asarray(patients.conditions.get(concept.concept_id, nobody))
