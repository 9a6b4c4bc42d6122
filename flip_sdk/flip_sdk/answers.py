"""Answers to questions and an evaluation's calibration as tables: one row an estimate, labelled in its own columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flip_sdk.contract.api import JobResult, RefusalView
from flip_sdk.contract.calibration import Calibration
from flip_sdk.contract.jobs import StatisticsSpec
from flip_sdk.contract.statistics import (
    AnyQuestion,
    CrossTable,
    Description,
    Estimate,
    Histogram,
    KaplanMeier,
    Mean,
    Quantiles,
)
from flip_sdk.errors import NotFoundError

if TYPE_CHECKING:
    from flip_sdk.frames import Frame

OPEN = "too noisy to tell"
SMALL = "small: kept back"
_FIXED: Mapping[type, tuple[str, ...]] = {
    Description: ("group", "level"),
    Histogram: ("place",),
    Mean: ("measurement",),
}
_RATIOS = {"log_odds_ratio": "odds_ratio", "log_hazard_ratio": "hazard_ratio"}


def answers(record: JobResult, spec: StatisticsSpec) -> Frame:
    """The answer of a job as a table, Trusts in the order of their names, then ``all``."""
    from flip_sdk.frames import frame

    question = spec.question
    rows = _means(record.statistics) if isinstance(question, Mean) else [_row(question, e) for e in record.statistics]
    texts = ("trust", *_labels(question), "note")
    rows += [_refused(refusal) for refusal in record.refusals]
    columns = list(dict.fromkeys(("trust", *_labels(question), *(name for row in rows for name in row))))
    order = [name for name in columns if name != "note"] + ["note"]
    schema = {name: str if name in texts else float for name in order}
    return frame([{"note": ""} | row for row in rows], schema, _caption(question, spec))


def classes(record: JobResult) -> Frame:
    """An evaluation's classes: one row a Trust and class.

    Raises:
        NotFoundError: there are two, or it is no evaluation.
    """
    from flip_sdk.frames import frame

    found = [(f, at, one) for f in record.figures for at, one in enumerate(f.classes)]
    if not found:
        raise NotFoundError(
            f"Job {record.job_id} scored no label of several classes.",
            "Use figures() and calibration(); several classes are asked for with label=flip.classes(…).",
        )
    names = list(dict.fromkeys(one.name for _, _, one in found))
    rows = []
    for f, at, one in found:
        given = {f"given_{name}": n for name, n in zip(names, f.confusion[at], strict=False)}
        rows.append({"trust": f.trust, "class": one.name} | one.model_dump(exclude={"name"}) | given)
    numbers = (
        "persons",
        "recall",
        "recall_error",
        "precision",
        "precision_error",
        *(f"given_{name}" for name in names),
    )
    schema = {"trust": str, "class": str, **dict.fromkeys(numbers, float)}
    return frame(rows, schema, f"By class, on persons the model has not seen (ε {record.epsilon:g} per Trust)")


def calibration(record: JobResult) -> Frame:
    """An evaluation's calibration: one row a Trust, then ``all``.

    Raises:
        NotFoundError: the label has more than two classes.
    """
    if any(f.classes for f in record.figures):
        raise NotFoundError(f"Job {record.job_id} scored several classes.", "Use figures() and classes().")

    from flip_sdk.frames import frame

    names = [name for name in Calibration.model_fields if name != "bins"]
    rows = [
        {"trust": f.trust} | (f.calibration.model_dump(include=set(names)) if f.calibration else {"note": OPEN})
        for f in record.figures
    ]
    rows += [_refused(refusal) for refusal in record.refusals]
    schema = {"trust": str, **dict.fromkeys(names, float), "note": str}
    return frame([{"note": ""} | row for row in rows], schema, f"Calibration (ε {record.epsilon:g} per Trust)")


def reliability(record: JobResult) -> Frame:
    """An evaluation's reliability table: one row a Trust and bin of predicted probability."""
    from flip_sdk.frames import frame

    bins = [(f.trust, one) for f in record.figures if f.calibration for one in f.calibration.bins]
    rows = [{"trust": trust, **one.model_dump(), "note": OPEN if one.observed is None else ""} for trust, one in bins]
    numbers = ("low", "high", "persons", "observed", "observed_error")
    schema = {"trust": str, **dict.fromkeys(numbers, float), "note": str}
    return frame(rows, schema, f"Observed share by predicted probability (ε {record.epsilon:g} per Trust)")


def _labels(question: AnyQuestion) -> tuple[str, ...]:
    match question:
        case CrossTable():
            names = [category.kind for category in question.by]
            repeated = [name if names.count(name) == 1 else f"{name}_{i}" for i, name in enumerate(names, start=1)]
            return tuple(repeated)
        case Quantiles():
            return ()
        case KaplanMeier():
            return ("group",) if question.by is not None else ()
        case _:
            return _FIXED.get(type(question), ("predictor",))


def _row(question: AnyQuestion, e: Estimate) -> dict[str, Any]:
    row: dict[str, Any] = {"trust": e.trust, **dict(zip(_labels(question), e.of, strict=False))}
    match question:
        case Histogram():
            row |= {"from": e.at, "to": e.to}
        case Quantiles():
            row |= {"probability": e.at}
        case KaplanMeier():
            row |= {"days": e.at}
        case _:
            pass
    row |= {e.quantity: e.estimate, "standard_error": e.standard_error, "low": e.low, "high": e.high}
    if e.quantity in _RATIOS:
        name = _RATIOS[e.quantity]
        row |= {name: _ratio(e.estimate), f"{name}_low": _ratio(e.low), f"{name}_high": _ratio(e.high)}
    if e.estimate is None:
        row["note"] = SMALL if e.quantity == "persons" else OPEN
    return row


def _means(estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    """One row a measurement: its mean, its standard deviation and how many persons have it."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for e in estimates:
        row = rows.setdefault((e.trust, e.of[0]), {"trust": e.trust, "measurement": e.of[0]})
        if e.quantity == "mean":
            row |= {"mean": e.estimate, "standard_error": e.standard_error, "low": e.low, "high": e.high}
            row |= {"note": OPEN} if e.estimate is None else {}
        else:
            row |= {e.quantity: e.estimate, f"{e.quantity}_error": e.standard_error}
    first = ("trust", "measurement", "mean", "standard_error", "low", "high")
    return [{name: row.get(name) for name in first} | row for row in rows.values()]


def _refused(refusal: RefusalView) -> dict[str, Any]:
    return {"trust": refusal.trust, "note": refusal.words}


def _ratio(logarithm: float | None) -> float | None:
    return None if logarithm is None or logarithm > 700 else math.exp(logarithm)


def _caption(question: AnyQuestion, spec: StatisticsSpec) -> str:
    words = {
        "cross_table": "Persons",
        "description": "Who they are",
        "histogram": "Persons by value",
        "mean": "Means",
        "quantiles": "Quantiles",
        "kaplan_meier": "Share without the event (Kaplan-Meier)",
        "linear_regression": "Linear regression",
        "logistic_regression": "Logistic regression",
        "cox_regression": "Cox regression",
    }
    delta = f", δ {spec.delta:g}" if spec.delta else ""
    return f"{words[question.kind]} (ε {spec.epsilon:g}{delta} per Trust; errors and 95 % intervals include the noise)"
