"""Lists of the hub's records as Polars frames."""

from __future__ import annotations

from collections.abc import Sequence

from polars import Boolean, Datetime, Float64, Int64, String

from flip_sdk.contract.api import JobEvent, JobView, ProjectView, TrustBudget
from flip_sdk.frames import Frame, frame

_INSTANT = Datetime(time_zone="UTC")


def projects(views: Sequence[ProjectView]) -> Frame:
    """One row a project: state and expiry."""
    schema = {"project": String, "title": String, "state": String, "expires": _INSTANT}
    rows = [
        {"project": v.project_id, "title": v.application.title, "state": v.state.value, "expires": v.expires_at}
        for v in views
    ]
    return frame(rows, schema, "Your projects")


def budgets(entries: Sequence[TrustBudget]) -> Frame:
    """One row a Trust: consent, whether it is online, and its ledger's figures."""
    schema = {
        **dict.fromkeys(("trust", "title", "consent"), String),
        "online": Boolean,
        **dict.fromkeys(("epsilon", "spent", "left", "delta"), Float64),
        "expires": _INSTANT,
    }
    rows = [
        {
            "trust": b.trust,
            "title": b.title,
            "consent": b.consent.replace("_", " "),
            "online": b.online,
            "epsilon": b.epsilon,
            "spent": b.spent,
            "left": None if b.epsilon is None else max(b.epsilon - b.spent, 0.0),
            "delta": b.delta,
            "expires": b.expires_at,
        }
        for b in entries
    ]
    return frame(rows, schema, "Privacy budget (ε, unit: person) of this project, by each Trust's own ledger")


def jobs(views: Sequence[JobView]) -> Frame:
    """One row a job, newest first."""
    schema = {
        **dict.fromkeys(("job", "kind", "state", "reason"), String),
        **dict.fromkeys(("round", "rounds"), Int64),
        "by": String,
        "submitted": _INSTANT,
    }
    rows = [
        {
            "job": v.job_id,
            "kind": v.kind,
            "state": v.state.value,
            "reason": v.reason,
            "round": v.round,
            "rounds": v.rounds,
            "by": v.submitted_by,
            "submitted": v.submitted_at,
        }
        for v in sorted(views, key=lambda view: view.submitted_at, reverse=True)
    ]
    return frame(rows, schema, "Jobs")


def events(job_id: str, happened: Sequence[JobEvent]) -> Frame:
    """One row a step, with the numbers that came with it."""
    numbers = list(dict.fromkeys(name for event in happened for name in event.numbers))
    schema = {"at": _INSTANT, "event": String, "round": Int64, "trust": String, "words": String}
    rows = [
        {"at": e.at, "event": e.event, "round": e.round, "trust": e.trust, "words": e.words, **e.numbers}
        for e in happened
    ]
    return frame(rows, {**schema, **dict.fromkeys(numbers, Float64)}, f"Steps of job {job_id}")
