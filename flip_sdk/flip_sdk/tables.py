"""Lists of the hub's records as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flip_sdk import pricing
from flip_sdk.contract.api import JobEvent, JobView, ProjectView, TrustBudget
from flip_sdk.contract.jobs import AnySpec
from flip_sdk.frames import Frame, frame
from flip_sdk.preflight import taking_part, why_not


def projects(views: Sequence[ProjectView]) -> Frame:
    """One row a project: state and expiry."""
    schema = {"project": str, "title": str, "state": str, "expires": datetime}
    rows = [
        {"project": v.project_id, "title": v.application.title, "state": v.state.value, "expires": v.expires_at}
        for v in views
    ]
    return frame(rows, schema, "Your projects")


def budgets(entries: Sequence[TrustBudget]) -> Frame:
    """One row a Trust: consent, whether it is online, and its ledger's figures."""
    alone = ("spent_alone", "left_alone") if any("distributed" in b.trust_models for b in entries) else ()
    schema = {
        **dict.fromkeys(("trust", "title", "consent"), str),
        "online": bool,
        **dict.fromkeys(("epsilon", "spent", "left", "delta", *alone), float),
        "expires": datetime,
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
            **(_alone(b) if alone else {}),
            "expires": b.expires_at,
        }
        for b in entries
    ]
    caption = "Privacy budget (ε, unit: person) of this project, by each Trust's own ledger"
    return frame(rows, schema, caption, {"spent": "epsilon"})


def _alone(budget: TrustBudget) -> dict[str, float | None]:
    """What is spent and left if every other Trust worked with the hub."""
    if budget.epsilon_alone is None:
        return {"spent_alone": None, "left_alone": None}
    spent = budget.ledger.spent_alone if budget.ledger else 0.0
    return {"spent_alone": spent, "left_alone": max(budget.epsilon_alone - spent, 0.0)}


def prices(spec: AnySpec, entries: Sequence[TrustBudget]) -> Frame:
    """One row a Trust: what a job would cost there, and whether it would be admitted."""
    priced = {p.trust: p for p in pricing.prices(spec, taking_part(spec, entries))}
    shared = any(p.project is not None and p.project.shared for p in priced.values())
    figures = ("job", "before", "after", "left")
    alone = tuple(f"{name}_alone" for name in figures) if shared else ()
    schema = {
        "trust": str,
        **dict.fromkeys((*figures, *alone), float),
        "admitted": bool,
        "why_not": str,
    }
    rows = []
    for b in entries:
        if spec.trusts and b.trust not in spec.trusts:
            continue
        p = priced.get(b.trust)
        stated, other = (p.project.stated, p.project.alone) if p is not None and p.project is not None else (None, None)
        row: dict[str, Any] = {"trust": b.trust}
        row |= {name: getattr(stated, name, None) for name in figures}
        row |= {name: getattr(other, name.removesuffix("_alone"), None) for name in alone}
        row |= {"admitted": p is not None and p.admitted, "why_not": p.why_not if p else why_not(spec, b)}
        rows.append(row)
    return frame(rows, schema, f"Price of this {spec.kind} job (ε, unit: person), by each Trust's own ledger")


def jobs(views: Sequence[JobView]) -> Frame:
    """One row a job, newest first."""
    schema = {
        **dict.fromkeys(("job", "kind", "state", "reason"), str),
        **dict.fromkeys(("round", "rounds"), int),
        "by": str,
        "submitted": datetime,
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
    schema = {"at": datetime, "event": str, "round": int, "trust": str, "words": str}
    rows = [
        {"at": e.at, "event": e.event, "round": e.round, "trust": e.trust, "words": e.words, **e.numbers}
        for e in happened
    ]
    return frame(rows, {**schema, **dict.fromkeys(numbers, float)}, f"Steps of job {job_id}")
