"""What of a project has changed since somebody last looked: a mark for each part of it, reckoned from its rows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from flip_sdk.contract.api import ProjectChanges, ProjectPart
from flip_sdk.contract.states import JOB
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import (
    Budget,
    Consent,
    Dashboard,
    DashboardVersion,
    Job,
    JobEventRow,
    Output,
    OutputDecisionRow,
    Project,
    ReleaseRequest,
    Trust,
)
from flip_hub.governance.access import permit
from flip_hub.governance.office import Office
from flip_hub.governance.trusts import is_online
from flip_hub.policy import Subject

PARTS: tuple[ProjectPart, ...] = get_args(ProjectPart)
_DIGITS = 12
_BETWEEN = "-"
_ENDS = sorted(str(state) for state in JOB.ends())

Row = tuple[ProjectPart, str, tuple[Any, ...]]
"""Which part of which project something is in, and all of it that shows."""


def since(office: Office, subject: Subject, project_id: str, after: str) -> ProjectChanges:
    """Which parts of a project are not as they were at a mark; without one, all.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
        DeniedError: a policy says no.
    """
    with office.database.read() as session:
        permit(office, session, subject, "view_jobs", project_id)
        mark = marks(office.config, session, [project_id])[project_id]
    before, present = after.split(_BETWEEN), mark.split(_BETWEEN)
    known = len(before) == len(present)
    changed = tuple(part for place, part in enumerate(PARTS) if not known or before[place] != present[place])
    return ProjectChanges(mark=mark, changed=changed)


def marks(config: HubConfig, session: Session, project_ids: Sequence[str]) -> dict[str, str]:
    """A mark for each project: as many parts as there are :data:`PARTS`."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for part, project_id, shown in _rows(config, session, project_ids):
        found[project_id, part].append(repr(shown))
    return {project: _BETWEEN.join(_short(found[project, part]) for part in PARTS) for project in project_ids}


def _short(shown: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(shown)).encode()).hexdigest()[:_DIGITS]


def _rows(config: HubConfig, session: Session, project_ids: Sequence[str]) -> Iterator[Row]:
    yield from _of_projects(session, project_ids)
    yield from _of_budgets(config, session, project_ids)
    yield from _of_jobs(session, project_ids)
    yield from _of_the_airlock(session, project_ids)
    of, version = DashboardVersion.project_id, DashboardVersion
    chosen = select(of, version.name, version.version, version.state, Dashboard.shown).join(Dashboard)
    for project_id, *shown in session.execute(chosen.where(of.in_(project_ids))):
        yield "dashboards", project_id, tuple(shown)


def _of_projects(session: Session, project_ids: Sequence[str]) -> Iterator[Row]:
    columns = (Project.project_id, Project.state, Project.version, Project.expires_at, Project.state_reason)
    for project_id, *shown in session.execute(select(*columns).where(Project.project_id.in_(project_ids))):
        yield "project", project_id, tuple(shown)


def _of_budgets(config: HubConfig, session: Session, project_ids: Sequence[str]) -> Iterator[Row]:
    consents = select(
        Consent.project_id, Consent.trust, Consent.state, Consent.epsilon, Consent.expires_at, Trust.seen_at
    ).join(Trust, Trust.name == Consent.trust)
    for project_id, *shown, seen_at in session.execute(consents.where(Consent.project_id.in_(project_ids))):
        yield "budget", project_id, (*shown, is_online(config, seen_at))
    spent = select(Budget.project_id, Budget.trust, Budget.epsilon, Budget.spent)
    for project_id, *shown in session.execute(spent.where(Budget.project_id.in_(project_ids))):
        yield "budget", project_id, tuple(shown)


def _of_jobs(session: Session, project_ids: Sequence[str]) -> Iterator[Row]:
    chosen = (
        select(Job.project_id, Job.job_id, Job.state, Job.round, Job.reason, func.max(JobEventRow.sequence))
        .outerjoin(JobEventRow, and_(JobEventRow.job_id == Job.job_id, Job.state.not_in(_ENDS)))
        .where(Job.project_id.in_(project_ids))
        .group_by(Job.project_id, Job.job_id, Job.state, Job.round, Job.reason)
    )
    for project_id, *shown in session.execute(chosen):
        yield "jobs", project_id, tuple(shown)


def _of_the_airlock(session: Session, project_ids: Sequence[str]) -> Iterator[Row]:
    chosen = (
        select(
            Output.project_id,
            Output.output_id,
            Output.state,
            ReleaseRequest.checked_at,
            func.count(OutputDecisionRow.decision_id),
        )
        .join(ReleaseRequest, ReleaseRequest.request_id == Output.request_id)
        .outerjoin(OutputDecisionRow, OutputDecisionRow.output_id == Output.output_id)
        .where(Output.project_id.in_(project_ids))
        .group_by(Output.project_id, Output.output_id, Output.state, ReleaseRequest.checked_at)
    )
    for project_id, *shown in session.execute(chosen):
        yield "releases", project_id, tuple(shown)
