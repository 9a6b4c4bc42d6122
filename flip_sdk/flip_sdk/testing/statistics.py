"""What the played Trusts answer to a question: exact sums of made-up patients, by the Trusts' and the hub's own code.

A FakeHub adds no noise. Errors are told as if it did: they are what a real answer would come with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import (
    AgeBands,
    AnyQuestion,
    Category,
    ConditionRecorded,
    CoxRegression,
    Estimate,
    FollowUp,
    LinearRegression,
    LogisticRegression,
    Mean,
    SexIn,
    categories_of,
    follow_up_of,
    measurements_of,
    rounds_of,
)
from flip_sdk.testing.patients import Patients

if TYPE_CHECKING:
    from flip_sdk.mechanisms.statistics.columns import Columns
    from flip_sdk.simulate.noise import Noise
    from flip_sdk.testing.trusts import FakeTrust

Array = np.ndarray


def answer(
    spec: StatisticsSpec, trusts: Sequence[FakeTrust], loud: Noise
) -> tuple[tuple[Estimate, ...], tuple[str, ...]]:
    """Estimates by Trust and over all, and the names of the Trusts that are under their floor."""
    from flip_sdk.accounting.calibrate import event_for
    from flip_sdk.accounting.events import Gaussian
    from flip_sdk.mechanisms.statistics import answers, newton
    from flip_sdk.mechanisms.statistics.sums import exact
    from flip_sdk.simulate.answering import noisy

    question, event = spec.question, event_for(spec, "statistics")
    multiplier = event.noise_multiplier if isinstance(event, Gaussian) else 0.0
    held = {trust.name: columns_of(trust.patients, spec) for trust in trusts}

    def told(at: Array | None = None) -> dict[str, dict[str, Array]]:
        every = {name: noisy(question, event, exact(question, columns, at), loud) for name, columns in held.items()}
        return {name: sums for name, sums in every.items() if sums is not None}

    if isinstance(question, LinearRegression | LogisticRegression | CoxRegression):
        state, released = newton.first(question), {}
        for number in range(rounds_of(question)):
            released = told(state["coefficients"])
            if released:
                state = newton.advance(question, state, released, multiplier, number)
        found = tuple(newton.estimates(question, state, multiplier)) if released else ()
    elif isinstance(question, Mean):
        released = told()
        found = answers.of_means(question, released, multiplier)
    else:
        released = told()
        found = answers.of_cells(question, released, spec.epsilon)
    return found, tuple(sorted(set(held) - set(released)))


def columns_of(patients: Patients, spec: StatisticsSpec) -> Columns:
    """A cohort's columns.

    Raises:
        KeyError: the Trust has no such concept.
    """
    from flip_sdk.mechanisms.statistics.columns import Columns

    question = spec.question
    chosen = patients.select(spec.cohort) & patients.part(spec.project_id, spec.part)
    measured = [patients.measurements[feature.concept_id] for feature in measurements_of(question)]
    levels = [_level(category, patients) for category in categories_of(question)]
    days, events = _follow_up(question, patients)
    return Columns.of(
        int(chosen.sum()),
        measurements=_stacked(measured, len(patients), np.float64)[chosen],
        levels=_stacked(levels, len(patients), np.int64)[chosen],
        outcome=_outcome(question, patients)[chosen],
        days=days[chosen],
        events=events[chosen],
    )


def _level(category: Category, patients: Patients) -> Array:
    match category:
        case SexIn():
            places = {concept_id: place for place, concept_id in enumerate(category.concept_ids)}
            return np.array([places.get(int(sex), len(places)) for sex in patients.sexes], dtype=np.int64)
        case ConditionRecorded():
            return _has(category.concept_ids, patients)
        case AgeBands():
            return np.searchsorted(np.array(category.starts), patients.ages, side="right").astype(np.int64)


def _outcome(question: AnyQuestion, patients: Patients) -> Array:
    if isinstance(question, LogisticRegression):
        return _has(question.outcome.condition_concept_ids, patients)
    return np.zeros(len(patients), dtype=np.int64)


def _has(concept_ids: Sequence[int], patients: Patients) -> Array:
    found: Array = np.any([patients.conditions[i] for i in concept_ids], axis=0)
    return found.astype(np.int64)


def _follow_up(question: AnyQuestion, patients: Patients) -> tuple[Array, Array]:
    asked = follow_up_of(question)
    if asked is None:
        return np.full(len(patients), np.nan), np.zeros(len(patients), dtype=np.int64)
    start = _first(asked.start, patients) if asked.start else np.zeros(len(patients))
    return _followed(asked, patients, start)


def _followed(asked: FollowUp, patients: Patients, start: Array) -> tuple[Array, Array]:
    first = _first(asked.event, patients) if asked.event else patients.death_days
    usable = np.isfinite(start) & (start <= patients.observed_days) & ~(first < start)
    events = usable & (first <= patients.observed_days)
    until = np.where(events, first, patients.observed_days)
    return np.where(usable, until - start, np.nan), events.astype(np.int64)


def _first(concept_ids: Sequence[int], patients: Patients) -> Array:
    found: Array = np.fmin.reduce([patients.onset_days[i] for i in concept_ids])
    return found


def _stacked(columns: Sequence[Array], persons: int, kind: type) -> Array:
    return np.stack(columns, axis=1).astype(kind) if columns else np.empty((persons, 0), dtype=kind)
