"""Whom links admit to a dashboard at this moment."""

from __future__ import annotations

from collections import defaultdict

from flip_sdk.contract.states import ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import DashboardLink, DashboardVersion, LinkReader, Project, now, once
from flip_hub.governance.when import state_of

Key = tuple[str, str, int]


def guests_of(session: Session, row: DashboardVersion, project: Project) -> frozenset[str]:
    """Who opened a link to this version that was agreed to and has not ended; nobody while its project rests."""
    if row.audience != "project" or state_of(project) != ProjectState.APPROVED:
        return frozenset()
    return frozenset(_all(session).get((row.project_id, row.name, row.version), ()))


def _all(session: Session) -> dict[Key, set[str]]:
    return once(session, "guests", lambda: _read(session))


def _read(session: Session) -> dict[Key, set[str]]:
    chosen = (
        select(DashboardLink.project_id, DashboardLink.name, DashboardLink.version, LinkReader.reader)
        .join(LinkReader, LinkReader.link_id == DashboardLink.link_id)
        .where(DashboardLink.state == "agreed", DashboardLink.ends_at > now(), LinkReader.opened > 0)
    )
    found: dict[Key, set[str]] = defaultdict(set)
    for project_id, name, version, reader in session.execute(chosen):
        found[project_id, name, version].add(reader)
    return found
