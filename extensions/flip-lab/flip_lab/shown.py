"""What the panel shows, as JSON: the hub's records with the words that people read beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flip_sdk.contract.airlock import OutputView, ReleaseView
from flip_sdk.contract.api import DashboardView, ProjectView, TrustBudget
from flip_sdk.contract.states import ProjectState
from flip_sdk.contract.workspaces import WorkspaceNotice
from flip_sdk.watching.progress import Progress

Shown = dict[str, Any]
SOON_DAYS = 30
"""So many days before its end a project says so."""
MOST_POINTS = 120
"""Of a curve: it is a finger's breadth wide."""


def project(view: ProjectView, told: Sequence[WorkspaceNotice] = (), now: datetime | None = None) -> Shown:
    """The project, with what its team ought to know now, and whoever works here of their workspace."""
    of_workspaces = [one.message for one in told if one.kind != "expiry"]
    return {
        "id": view.project_id,
        "title": view.application.title,
        "summary": view.application.lay_summary,
        "state": view.state.value,
        "until": view.expires_at.isoformat(),
        "notices": [*_notices(view, now or datetime.now(UTC)), *of_workspaces],
    }


def budgets(entries: Sequence[TrustBudget]) -> list[Shown]:
    """Each Trust's consent, and what its ledger has left for the project."""
    return [
        {
            "trust": entry.trust,
            "title": entry.title,
            "online": entry.online,
            "consent": entry.consent,
            "until": entry.expires_at.isoformat() if entry.expires_at else None,
            "epsilon": entry.epsilon,
            "spent": entry.spent,
            "left": None if entry.epsilon is None else max(entry.epsilon - entry.spent, 0.0),
        }
        for entry in entries
    ]


def job(progress: Progress) -> Shown:
    """A job, as its watcher sees it."""
    view = progress.job
    return {
        "id": view.job_id,
        "kind": view.kind,
        "state": view.state.value,
        "headline": progress.headline,
        "reason": view.reason,
        "ended": progress.ended,
        "failed": progress.failed,
        "round": view.round,
        "rounds": view.rounds,
        "share": progress.share,
        "latest": progress.latest,
        "curve": [value for _, value in progress.curve[-MOST_POINTS:]],
        "trusts": [{"trust": trust, "words": words} for trust, words in progress.trusts.items()],
        "by": view.submitted_by,
        "submitted": view.submitted_at.isoformat(),
    }


def release(view: ReleaseView) -> Shown:
    """A release request. Never what is in its files."""
    return {
        "id": view.request_id,
        "purpose": view.purpose,
        "by": view.requested_by,
        "requested": view.requested_at.isoformat(),
        "checking": view.checking,
        "open": view.open,
        "files": [_output(output) for output in view.outputs],
    }


def dashboard(view: DashboardView) -> Shown:
    """A published dashboard, and where it is."""
    return {
        "name": view.name,
        "state": view.state.value,
        "address": view.address,
        "by": view.published_by,
        "published": view.published_at.isoformat(),
    }


def _output(output: OutputView) -> Shown:
    return {
        "path": output.statement.path,
        "title": output.statement.title,
        "state": output.state.value,
        "verdict": output.verdict,
        "reason": output.reason,
        "decided": output.decided,
        "leaves": output.statement.leaves,
    }


def _notices(view: ProjectView, now: datetime) -> list[str]:
    if view.expires_at <= now:
        return ["The project has expired: no job runs. Its owner asks governance to extend it."]
    told = []
    if view.state != ProjectState.APPROVED:
        why = f": {view.reason}" if view.reason else ""
        told.append(f"The project is {view.state.value.replace('_', ' ')}{why}. Jobs run once it is approved.")
    days = (view.expires_at - now).days
    if days < SOON_DAYS:
        told.append(f"The project ends in {days} days. Its owner asks governance to extend it, where it has to go on.")
    return told
