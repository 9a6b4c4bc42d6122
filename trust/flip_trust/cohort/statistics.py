"""From an accepted statistics task to its exact sums: one column entry a person, frozen where there are several rounds.

No code or model from outside takes part, so this needs no engine worker.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import (
    AgeBands,
    AnyQuestion,
    Category,
    ConditionRecorded,
    LogisticRegression,
    SexIn,
    categories_of,
    follow_up_of,
    measurements_of,
    rounds_of,
)
from flip_sdk.contract.tasks import RefusalCode
from flip_sdk.mechanisms.statistics.columns import Columns
from flip_sdk.mechanisms.statistics.release import release_of
from flip_sdk.mechanisms.statistics.sums import exact
from safetensors import SafetensorError
from safetensors.numpy import load

from flip_trust.admission import AcceptedTask
from flip_trust.cohort.follow_up import followed
from flip_trust.cohort.members import latest_values, members
from flip_trust.cohort.omop import Omop
from flip_trust.cohort.select import keep_private
from flip_trust.engine.records import RawUpdate
from flip_trust.errors import RefusedError

COLUMNS_FILE = "columns.safetensors"


def answer(accepted: AcceptedTask, omop: Omop, jobs: Path, now: datetime) -> RawUpdate:
    """The exact sums of one round; one person more or less moves them by ``release_of``'s sensitivity at most.

    Raises:
        RefusedError: BAD_RECORD, these are not the regression's coefficients; UNKNOWN_CONCEPT, a table is missing.
        SetupError: a table of every Trust is missing.
    """
    verified = accepted.verified
    spec = verified.job.spec
    if not isinstance(spec, StatisticsSpec):
        raise TypeError("only a statistics job has a question")
    columns = _frozen(spec, omop, jobs / verified.job.job_id, now)
    try:
        sums = exact(spec.question, columns, _coefficients(verified.weights))
    except (ValueError, KeyError, SafetensorError) as error:
        raise RefusedError(RefusalCode.BAD_RECORD) from error
    return RawUpdate(sums, release_of(spec.question).sensitivity, noised=False, persons=len(columns))


def columns_of(spec: StatisticsSpec, omop: Omop, now: datetime) -> Columns:
    """What the question needs to know of each person of the cohort.

    Raises:
        RefusedError: UNKNOWN_CONCEPT, a table of follow-up is missing.
        SetupError: a table of every Trust is missing.
    """
    question = spec.question
    chosen = members(spec.cohort, spec.part, spec.project_id, omop, now)
    persons = chosen.join(omop.persons().collect(), on="person_id", how="left", maintain_order="left")
    levels = [_level(category, persons, omop, now.year) for category in categories_of(question)]
    days, events = _follow_up(question, persons, omop)
    return Columns(
        latest_values(persons, omop, [feature.concept_id for feature in measurements_of(question)]),
        np.stack(levels, axis=1) if levels else np.empty((len(persons), 0), dtype=np.int64),
        _outcome(question, persons, omop),
        days,
        events,
    )


def _frozen(spec: StatisticsSpec, omop: Omop, folder: Path, now: datetime) -> Columns:
    """All rounds of a regression are about the same persons, whatever becomes of the tables meanwhile."""
    path = folder / COLUMNS_FILE
    if path.exists():
        return Columns.from_bytes(path.read_bytes())
    columns = columns_of(spec, omop, now)
    if rounds_of(spec.question) > 1:
        keep_private(path, columns.to_bytes())
    return columns


def _coefficients(weights: bytes | None) -> npt.NDArray[np.float64] | None:
    return None if weights is None else load(weights)["coefficients"].astype(np.float64)


def _level(category: Category, persons: pl.DataFrame, omop: Omop, year: int) -> npt.NDArray[np.int64]:
    match category:
        case SexIn():
            places = {concept_id: place for place, concept_id in enumerate(category.concept_ids)}
            sex = persons["gender_concept_id"].to_list()
            return np.array([places.get(concept_id, len(places)) for concept_id in sex], dtype=np.int64)
        case ConditionRecorded():
            return _has(category.concept_ids, persons, omop)
        case AgeBands():
            born = persons["year_of_birth"].cast(pl.Float64).fill_null(np.nan).to_numpy()
            bands = np.searchsorted(np.array(category.starts, dtype=np.float64), year - born, side="right")
            return np.where(np.isfinite(born), bands, len(category.starts) + 1).astype(np.int64)


def _outcome(question: AnyQuestion, persons: pl.DataFrame, omop: Omop) -> npt.NDArray[np.int64]:
    if isinstance(question, LogisticRegression):
        return _has(question.outcome.condition_concept_ids, persons, omop)
    return np.zeros(len(persons), dtype=np.int64)


def _has(concept_ids: tuple[int, ...], persons: pl.DataFrame, omop: Omop) -> npt.NDArray[np.int64]:
    having = omop.with_condition(concept_ids).collect()["person_id"]
    return persons["person_id"].is_in(having.implode()).cast(pl.Int64).to_numpy()


def _follow_up(
    question: AnyQuestion, persons: pl.DataFrame, omop: Omop
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    asked = follow_up_of(question)
    if asked is None:
        return np.full(len(persons), np.nan), np.zeros(len(persons), dtype=np.int64)
    found = persons.select("person_id").join(followed(asked, omop), on="person_id", how="left", maintain_order="left")
    return found["days"].fill_null(np.nan).to_numpy(), found["event"].fill_null(0).to_numpy()
