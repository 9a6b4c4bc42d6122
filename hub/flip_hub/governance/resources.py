"""What a project's workspaces may use: given at governance, held to at each start and while they run."""

from __future__ import annotations

from datetime import datetime, timedelta

from flip_sdk.contract.workspaces import NewResources, ProfileView, ResourcesView, WorkspaceNotice
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import Database, Entry, Person, Project, ProjectResources, Routine, WorkspaceRun, now
from flip_hub.errors import NotNowError
from flip_hub.governance import expiry, usage
from flip_hub.governance.access import permit, visible
from flip_hub.governance.office import Office
from flip_hub.governance.profiles import Profile, profiles
from flip_hub.policy import Subject

NEAR = 0.8
"""The part of a quota from which on people are told of it."""
SOON = timedelta(hours=24)
"""Before a workspace has run for as long as it may, its person is told."""


def show(office: Office, subject: Subject, project_id: str) -> ResourcesView:
    """What a project may use, and what it used.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
    """
    with office.database.read() as session:
        return view(office.config, session, visible(office, session, subject, project_id))


def view(config: HubConfig, session: Session, project: Project) -> ResourcesView:
    """The same, of a project that this person may see."""
    row = session.get(ProjectResources, project.project_id)
    known, spent = profiles(config), usage.used(session, project.project_id)
    return ResourcesView(
        project_id=project.project_id,
        profiles=tuple(profile_view(one, known.default) for one in approved(config, session, project.project_id)),
        gpu_hours_quota=row.gpu_hours if row else None,
        gpu_hours_used=spent.gpu_hours,
        cpu_hours_used=spent.cpu_hours,
        set_by=row.set_by if row else "",
        set_at=row.set_at if row else None,
    )


def profile_view(profile: Profile, default: str) -> ProfileView:
    """A profile as people see it."""
    same = {name: getattr(profile, name) for name in ProfileView.model_fields if name != "default"}
    return ProfileView(**same, default=profile.name == default)


def give(office: Office, subject: Subject, project_id: str, wanted: NewResources) -> ResourcesView:
    """Say what a project may use, and how many GPU-hours.

    Raises:
        DeniedError: only operators and governance reviewers do, and not for a project of their own.
        InvalidError: a profile that there is not.
    """
    known = profiles(office.config)
    names = sorted({known.named(name).name for name in wanted.profiles})
    entry = Entry(subject.name, "project.resources_set", f"project/{project_id}")
    entry.details.update(profiles=names, gpu_hours=wanted.gpu_hours)
    with office.database.write(entry) as session:
        project = permit(office, session, subject, "set_resources", project_id)
        row = session.get(ProjectResources, project_id)
        if row is None:
            row = ProjectResources(project_id=project_id)
            session.add(row)
        row.profiles, row.gpu_hours = names, wanted.gpu_hours
        row.set_by, row.set_at = subject.name, now()
        return view(office.config, session, project)


def approved(config: HubConfig, session: Session, project_id: str) -> tuple[Profile, ...]:
    """The profiles that a project has; the default one first."""
    row = session.get(ProjectResources, project_id)
    return profiles(config).given(frozenset(row.profiles if row else ()))


def choose(config: HubConfig, database: Database, project_id: str, person: str, name: str) -> Profile:
    """The profile that a workspace starts with.

    Args:
        config: the hub's configuration.
        database: the hub's.
        project_id: whose workspace it is.
        person: who starts it.
        name: the one that was asked for; empty for the default one.

    Raises:
        InvalidError: there is no such profile.
        NotNowError: the project does not have it, its GPU-hours are used up, or it is kept for others.
    """
    known = profiles(config)
    profile = known.named(name or known.default)
    with database.read() as session:
        given = approved(config, session, project_id)
        if profile not in given:
            names = ", ".join(one.name for one in given)
            raise NotNowError(
                f"The project was not given the profile {profile.name}.",
                f"Choose out of {names} on the project's page, or ask the operator for it.",
            )
        if not known.may_choose(profile, session.get_one(Person, person), now()):
            raise NotNowError(
                f"The profile {profile.name} is kept for: {', '.join(one.title for one in known.whom(profile))}.",
                "Choose another one on the project's page, or ask the operator how to belong to them.",
            )
        if profile.gpus and (words := _used_up(session, project_id)):
            raise NotNowError(words, "Open it with a profile without a graphics card, or ask the operator for more.")
    return profile


def overdrawn(config: HubConfig, database: Database, project_id: str, person: str) -> str:
    """Why a running workspace has to stop for its project's quota; empty while it may go on."""
    with database.read() as session:
        run = _running(session, project_id, person)
        words = _used_up(session, project_id) if run is not None and run.gpu_hours else ""
        since = run.over_since if run is not None else None
    if run is None or bool(words) == (since is not None):
        return words if since is not None and now() >= _stops(config, since) else ""
    with database.write(Routine("a quota that is used up; stopping for it has its entry")) as session:
        found = _running(session, project_id, person)
        if found is not None:
            found.over_since = now() if words else None
    return ""


def notices(office: Office, subject: Subject, project_id: str) -> list[WorkspaceNotice]:
    """What a project's people are told of their workspaces now.

    Raises:
        MissingError: there is no such project, or this person may not know of it.
    """
    with office.database.read() as session:
        project = visible(office, session, subject, project_id)
        return notices_of(office.config, session, project, subject.name)


def notices_of(config: HubConfig, session: Session, project: Project, person: str) -> list[WorkspaceNotice]:
    """The same, of a project that this person may see."""
    found = []
    if words := expiry.words(project):
        found.append(WorkspaceNotice(kind="expiry", message=words, stops_at=project.expires_at))
    found += _longest(config, _running(session, project.project_id, person))
    row = session.get(ProjectResources, project.project_id)
    if row is None or row.gpu_hours is None:
        return found
    spent = usage.used(session, project.project_id).gpu_hours
    if spent >= NEAR * row.gpu_hours and (row.gpu_hours or spent):
        run = _running(session, project.project_id, person)
        stops = _stops(config, run.over_since) if run is not None and run.over_since else None
        message = f"{spent:.1f} of the project's {row.gpu_hours:g} GPU-hours are used."
        if stops:
            message += f" Your workspace is stopped at {stops:%H:%M} UTC; what is in your home is kept."
        found.append(WorkspaceNotice(kind="quota", message=message, stops_at=stops))
    return found


def _longest(config: HubConfig, run: WorkspaceRun | None) -> list[WorkspaceNotice]:
    """That a workspace has nearly run for as long as any may: a day before, or a tenth of that time."""
    if run is None:
        return []
    whole = timedelta(hours=config.workspace_hours)
    ends = run.started_at + whole
    if ends - now() > min(SOON, whole / 10):
        return []
    message = (
        f"Your workspace is stopped on {ends:%-d %B at %H:%M} UTC, as each is after {config.workspace_hours:g} hours. "
        "Save your notebooks; what is in your home is kept, and you may open it again at once."
    )
    return [WorkspaceNotice(kind="longest", message=message, stops_at=ends)]


def _used_up(session: Session, project_id: str) -> str:
    row = session.get(ProjectResources, project_id)
    if row is None or row.gpu_hours is None:
        return ""
    spent = usage.used(session, project_id).gpu_hours
    return f"The project's {row.gpu_hours:g} GPU-hours are used up." if spent >= row.gpu_hours else ""


def _stops(config: HubConfig, since: datetime) -> datetime:
    return since + timedelta(minutes=config.workspace_grace_minutes)


def _running(session: Session, project_id: str, person: str) -> WorkspaceRun | None:
    mine = WorkspaceRun.project_id == project_id, WorkspaceRun.person == person, WorkspaceRun.ended_at.is_(None)
    return session.scalars(select(WorkspaceRun).where(*mine).order_by(WorkspaceRun.run_id.desc()).limit(1)).first()
