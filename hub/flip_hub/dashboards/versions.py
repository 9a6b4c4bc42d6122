"""A dashboard's versions: which is the newest, which is shown, and what a release and its revocation do to them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from flip_sdk.contract.airlock import OutputStatement
from flip_sdk.contract.states import OutputState
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flip_hub.database import Dashboard, DashboardVersion, Release

CLOSED = frozenset({OutputState.WITHHELD, OutputState.REVOKED})
_PERSONAL = re.compile(r"QUERY_STRING|REMOTE_USER|VOILA_|JUPYTERHUB|environ|getenv|%env|getpass|getlogin")
"""What a notebook says that reads who looks at it, or what they asked for."""
_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)


def newest(session: Session, project_id: str, name: str) -> DashboardVersion | None:
    """The version that was published last."""
    chosen = _of(project_id, name).order_by(DashboardVersion.version.desc()).limit(1)
    return session.scalars(chosen).one_or_none()


def versions_of(session: Session, project_id: str, name: str) -> list[DashboardVersion]:
    """All versions, the newest first."""
    return list(session.scalars(_of(project_id, name).order_by(DashboardVersion.version.desc())))


def shown(session: Session, project_id: str, name: str) -> DashboardVersion | None:
    """The released version that its audience sees."""
    dashboard = session.get(Dashboard, (project_id, name))
    if dashboard is None or dashboard.shown is None:
        return None
    return session.get(DashboardVersion, (project_id, name, dashboard.shown))


def all_shown(session: Session) -> list[DashboardVersion]:
    """What is shown of all projects, the newest release first."""
    chosen = (
        select(DashboardVersion)
        .join(
            Dashboard,
            (Dashboard.project_id == DashboardVersion.project_id)
            & (Dashboard.name == DashboardVersion.name)
            & (Dashboard.shown == DashboardVersion.version),
        )
        .order_by(DashboardVersion.released_at.desc())
    )
    return list(session.scalars(chosen))


def draft(session: Session, project_id: str, name: str) -> DashboardVersion:
    """A new version, not filled in yet."""
    if session.get(Dashboard, (project_id, name)) is None:
        session.add(Dashboard(project_id=project_id, name=name, shown=None))
        session.flush()
    last = session.scalar(
        select(func.max(DashboardVersion.version)).where(
            DashboardVersion.project_id == project_id, DashboardVersion.name == name
        )
    )
    row = DashboardVersion(project_id=project_id, name=name, version=(last or 0) + 1, state=OutputState.REQUESTED)
    row.audience = "project"
    session.add(row)
    return row


def asked_for(
    session: Session, project_id: str, statement: OutputStatement, asked_at: datetime
) -> DashboardVersion | None:
    """The draft whose release was asked for: published by then, of this notebook and these jobs, the newest.

    What is published later, of the same notebook, may differ in who may embed it: nobody looked at that.
    """
    for row in versions_of(session, project_id, statement.dashboard or ""):
        is_it = row.notebook == statement.content and set(row.jobs) == set(statement.jobs)
        if is_it and row.state == OutputState.REQUESTED and row.published_at <= asked_at:
            return row
    return None


def show_release(session: Session, release: Release, asked_at: datetime) -> dict[str, Any]:
    """A dashboard is released with its notebook, for whom that is, and is shown from now on.

    Returns:
        Details for the audit entry.
    """
    row = asked_for(session, release.project_id, release.statement, asked_at)
    if row is None:
        return {}
    row.state, row.audience = OutputState.RELEASED, release.audience
    row.release_id, row.released_at = release.release_id, release.released_at
    session.get_one(Dashboard, (row.project_id, row.name)).shown = row.version
    return {"dashboard": row.name, "version": row.version, "frames": list(row.frames)}


def may_embed(row: DashboardVersion) -> tuple[str, ...]:
    """Origins of pages that may embed a version: of one released to everybody, those that it was released with."""
    is_public = row.state == OutputState.RELEASED and row.audience == "public"
    return tuple(row.frames) if is_public else ()


def hide_release(session: Session, release: Release) -> None:
    """What a revoked release showed is shown no longer; no earlier version takes its place by itself."""
    for row in session.scalars(select(DashboardVersion).where(DashboardVersion.release_id == release.release_id)):
        row.state = OutputState.REVOKED
        dashboard = session.get_one(Dashboard, (row.project_id, row.name))
        if dashboard.shown == row.version:
            dashboard.shown = None


def is_personal(notebook: bytes) -> bool:
    """Whether a notebook reads who looks at it, as far as its source tells."""
    return any(_PERSONAL.search(_source(cell)) for cell in _cells(notebook) if cell.get("cell_type") == "code")


def heading(notebook: bytes) -> str:
    """A notebook's first heading; empty where it has none."""
    texts = (_source(cell) for cell in _cells(notebook) if cell.get("cell_type") == "markdown")
    found = next((match[1] for text in texts if (match := _HEADING.search(text))), "")
    return found.strip()[:200]


def _cells(notebook: bytes) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook)["cells"] if isinstance(cell, dict)]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _of(project_id: str, name: str) -> Any:
    return select(DashboardVersion).where(DashboardVersion.project_id == project_id, DashboardVersion.name == name)
