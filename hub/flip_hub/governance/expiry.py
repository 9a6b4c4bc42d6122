"""The end of a project: warned of 30, 7 and 1 days ahead, once each; brought forward by approvals that are needed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Database, Entry, ExpiryWarning, Project, now
from flip_hub.governance.when import EXPIRES, state_of

DAYS = (30, 7, 1)
"""How long ahead people are told."""


def warn(database: Database) -> list[str]:
    """Tell a project's people of its end, where that is due.

    Returns:
        The projects whose people were told.
    """
    moment = now()
    with database.read() as session:
        due = [project.project_id for project in _ending(session, moment) if _missing(session, project, moment)]
    for project_id in due:
        entry = Entry("governance", "project.expiry_warned", f"project/{project_id}")
        with database.write(entry) as session:
            project = session.get_one(Project, project_id)
            days = _missing(session, project, moment)
            if days is None:
                continue
            told = words(project, moment)
            warning = ExpiryWarning(
                project_id=project_id,
                expires_at=project.expires_at,
                days=days,
                words=told,
                people=list(project.members),
                at=moment,
            )
            session.add(warning)
            entry.details.update(days=days, expires_at=project.expires_at.isoformat(), people=list(project.members))
    return due


def words(project: Project, moment: datetime | None = None) -> str:
    """What is said of an end within the longest of :data:`DAYS`; empty while it is further away."""
    at = moment or now()
    left = project.expires_at - at
    if state_of(project, at) not in EXPIRES or left > timedelta(days=max(DAYS)):
        return ""
    ends = project.expires_at.strftime("%-d %B %Y")
    days = left.days
    when = "today" if days < 1 and project.expires_at.date() == at.date() else f"in {days + 1} days, on {ends}"
    if days < 1 and when != "today":
        when = f"tomorrow, on {ends}"
    return f"It ends {when}{_why(project)}. Its workspaces are closed then, and its jobs are stopped."


def warnings_of(session: Session, project: Project) -> list[ExpiryWarning]:
    """What its people were told of its end, oldest first."""
    chosen = select(ExpiryWarning).where(ExpiryWarning.project_id == project.project_id).order_by(ExpiryWarning.at)
    return list(session.scalars(chosen))


def _why(project: Project) -> str:
    application = project.application
    if application.ends_at >= application.expires_at:
        return ""
    first = min((r for r in application.references if r.needed and r.expires_on), key=lambda r: str(r.expires_on))
    return f", with the approval {first.number or first.kind}, which it may not go on without"


def _ending(session: Session, moment: datetime) -> list[Project]:
    soon = moment + timedelta(days=max(DAYS))
    states = [str(state) for state in EXPIRES]
    chosen = select(Project).where(Project.state.in_(states), Project.expires_at <= soon, Project.expires_at > moment)
    return list(session.scalars(chosen))


def _missing(session: Session, project: Project, moment: datetime) -> int | None:
    """The shortest warning that is due and was not given; longer ones are left out, where time has passed them."""
    left = project.expires_at - moment
    due = [days for days in DAYS if left <= timedelta(days=days)]
    if not due or session.get(ExpiryWarning, (project.project_id, project.expires_at, min(due))) is not None:
        return None
    return min(due)
