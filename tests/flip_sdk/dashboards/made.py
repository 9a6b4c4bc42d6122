"""Released results as a project has them: a training, its model scored on groups and at times, a cohort."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from flip_sdk.contract.api import JobResult, TrustFigures
from flip_sdk.contract.cohorts import AgeBetween, Cohort, HasCondition, SexIs
from flip_sdk.contract.features import Feature, Label
from flip_sdk.contract.jobs import CountSpec, EvaluateSpec, ModelRef, StatisticsSpec, TrainSpec
from flip_sdk.contract.records import digest
from flip_sdk.contract.statistics import AgeBands, CrossTable, Description, Estimate, Histogram, Mean, SexIn
from flip_sdk.dashboards import Results
from flip_sdk.mechanisms.aggregate import figures

TRUSTS = ("aldgate", "carrick")
MODEL = ModelRef(graph=digest(b"g"), weights=digest(b"w"))
FEATURES = (Feature(concept_id=1, low=0, high=1, name="mean radius"),)
LABEL = Label(condition_concept_ids=(9,), name="malignant")
FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)
WOMEN, MEN = (Cohort(criteria=(SexIs(concept_ids=(number,)),)) for number in (8532, 8507))
OLD = Cohort(criteria=(AgeBetween(low=75),))
ILL = Cohort(criteria=(HasCondition(concept_ids=(9,)),))


(CALIBRATION,) = (
    one.calibration
    for one in figures({"aldgate": np.array([[90.0, 30, 5, 3], [4, 20, 40, 80]])}, 2.0)
    if one.trust == "all"
)


def trained() -> JobResult:
    spec = TrainSpec(project_id="p", features=FEATURES, label=LABEL, model=MODEL)
    history = tuple({"round": float(i), "loss": 1 / i} for i in range(1, 4))
    return JobResult(job_id="t1", kind="train", trusts=TRUSTS, refusals=(), epsilon=3, delta=1e-5, model=MODEL,
                     history=history, spec=spec, completed_at=FIRST)  # fmt: skip


def scored(
    job: str,
    accuracy: float | None,
    *,
    cohort: Cohort | None = None,
    error: float = 0.01,
    days: int | None = 0,
    model: ModelRef = MODEL,
) -> JobResult:
    """An evaluation; without an accuracy it told nothing."""
    spec = EvaluateSpec(project_id="p", features=FEATURES, label=LABEL, model=model, cohort=cohort or Cohort())
    told: dict[str, Any] = {
        "calibration": CALIBRATION,
        "persons": 400,
        "accuracy": accuracy,
        "accuracy_error": error,
        "auc": accuracy,
        "auc_error": error,
    }
    everyone = (
        TrustFigures(trust="all", majority=0.6, **told) if accuracy else TrustFigures(trust="all", suppressed=True)
    )
    at = None if days is None else FIRST + timedelta(days=days)
    return JobResult(job_id=job, kind="evaluate", trusts=TRUSTS, refusals=(), epsilon=2, delta=0, model=model,
                     figures=(everyone,), spec=spec, completed_at=at)  # fmt: skip


def counted(job: str, counts: dict[str, int | None], cohort: Cohort | None = None) -> JobResult:
    spec = CountSpec(project_id="p", cohort=cohort or Cohort())
    return JobResult(
        job_id=job, kind="count", trusts=tuple(counts), refusals=(), epsilon=0.5, delta=0, counts=counts, spec=spec
    )


def answered(job: str, question: object, *estimates: Estimate) -> JobResult:
    spec = StatisticsSpec(project_id="p", question=question)  # type: ignore[arg-type]
    return JobResult(
        job_id=job, kind="statistics", trusts=TRUSTS, refusals=(), epsilon=1, delta=0, statistics=estimates, spec=spec
    )


def persons(number: float | None, *of: str, at: float | None = None, to: float | None = None) -> Estimate:
    low, high = (None, None) if number is None else (number - 8, number + 8)
    return Estimate(
        trust="all", quantity="persons", of=of, at=at, to=to, estimate=number, standard_error=4, low=low, high=high
    )


AGES, SEXES = AgeBands(starts=(50,)), SexIn(concept_ids=(8507, 8532), names=("male", "female"))
DESCRIBED = answered(
    "s1",
    Description(by=(AGES, SEXES)),
    persons(310, "total"),
    *(persons(120, "age", "under 50"), persons(190, "age", "50 and over")),
    *(persons(300, "sex", "female"), persons(None, "sex", "male")),
)
HISTOGRAM = answered(
    "s2", Histogram(measurement=FEATURES[0], bins=2),
    persons(150, at=0.0, to=0.5), persons(160, at=0.5, to=1.0), persons(None, "not measured"), persons(310, "total"),
)  # fmt: skip
CROSSED = answered(
    "s3", CrossTable(by=(SEXES, AGES)), persons(80, "female", "under 50"), persons(None, "male", "under 50")
)
MEAN = answered(
    "s4", Mean(measurements=FEATURES), Estimate(trust="all", quantity="mean", of=("mean radius",), estimate=0.4)
)
EVERYTHING = Results(
    [
        trained(),
        scored("e1", 0.88),
        scored("e2", 0.87, days=60),
        scored("e3", 0.80, cohort=WOMEN),
        scored("e4", None, cohort=OLD),
        counted("c1", {"aldgate": 200, "carrick": None}),
        counted("c2", {"aldgate": 90, "carrick": 60}, ILL),
        DESCRIBED, HISTOGRAM, CROSSED, MEAN,
    ]
)  # fmt: skip
