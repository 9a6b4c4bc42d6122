"""Usage: each time that a workspace runs is written down, so that it counts even where the hub is killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flip_sdk.contract.workspaces import UsageLine
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Database, Entry, Routine, WorkspaceRun, now
from flip_hub.governance.profiles import Profile

BEAT = timedelta(seconds=60)
"""How exactly it is known for how long a workspace ran, where nobody wrote its end down."""

LOST = timedelta(minutes=5)
"""A workspace of which nothing was heard for this long is not running any more, as far as usage goes."""

_LOST = "lost"
_BEAT = Routine("a sign of life of a workspace; its start and its end have their entries")


@dataclass(frozen=True)
class Used:
    """What was used, in hours of one core and of one graphics card."""

    cpu_hours: float
    gpu_hours: float


def began(database: Database, project_id: str, person: str, profile: Profile) -> None:
    """Write down that a workspace starts; one that was open ended when it was last seen."""
    moment = now()
    entry = Entry(person, "workspace.started", f"project/{project_id}", {"profile": profile.name})
    with database.write(entry) as session:
        for run in _open(session, project_id, person):
            run.ended_at, run.end_reason = run.seen_at, _LOST
        session.add(
            WorkspaceRun(
                project_id=project_id,
                person=person,
                profile=profile.name,
                cpu=profile.cpu,
                gpu_hours=profile.gpu_hours,
                started_at=moment,
                seen_at=moment,
            )
        )


def seen(database: Database, project_id: str, person: str) -> None:
    """Write down that a workspace runs; one that was thought to be lost is found again."""
    moment = now()
    with database.read() as session:
        run = _latest(session, project_id, person)
    if run is None or (run.ended_at is None and moment - run.seen_at < BEAT):
        return
    with database.write(_BEAT) as session:
        found = _latest(session, project_id, person)
        if found is not None and (found.ended_at is None or found.end_reason == _LOST):
            found.seen_at, found.ended_at, found.end_reason = moment, None, ""


def ended(database: Database, project_id: str, person: str, reason: str = "") -> None:
    """Write down that a workspace ended; one that has ended already stays as it is."""
    with database.read() as session:
        if not list(_open(session, project_id, person)):
            return
    entry = Entry(person, "workspace.stopped", f"project/{project_id}", {"reason": reason} if reason else {})
    with database.write(entry) as session:
        for run in _open(session, project_id, person):
            run.ended_at = run.seen_at = now()
            run.end_reason = reason[:200]


def end_lost(database: Database) -> int:
    """End what nothing was heard of for a while, at the moment at which it was last seen.

    Returns:
        How many.
    """
    quiet = WorkspaceRun.ended_at.is_(None), WorkspaceRun.seen_at < now() - LOST
    with database.read() as session:
        if session.scalars(select(WorkspaceRun.run_id).where(*quiet).limit(1)).first() is None:
            return 0
    with database.write(Routine("the start has its entry, and nobody saw the end")) as session:
        found = list(session.scalars(select(WorkspaceRun).where(*quiet)))
        for run in found:
            run.ended_at, run.end_reason = run.seen_at, _LOST
    return len(found)


def used(session: Session, project_id: str) -> Used:
    """What a project has used so far."""
    runs = session.scalars(select(WorkspaceRun).where(WorkspaceRun.project_id == project_id))
    spans = [(run, hours(run.started_at, _until(run))) for run in runs]
    return Used(sum(run.cpu * span for run, span in spans), sum(run.gpu_hours * span for run, span in spans))


def report(
    session: Session, first: datetime, after: datetime, project_id: str = "", person: str = ""
) -> list[UsageLine]:
    """What was used between two moments, by month, project and person.

    Args:
        session: the database.
        first: from then on.
        after: up to then, and not after.
        project_id: of one project only.
        person: of one person only.
    """
    chosen = select(WorkspaceRun).where(WorkspaceRun.started_at < after, WorkspaceRun.seen_at >= first)
    if project_id:
        chosen = chosen.where(WorkspaceRun.project_id == project_id)
    if person:
        chosen = chosen.where(WorkspaceRun.person == person)
    lines: dict[tuple[str, str, str], UsageLine] = {}
    for run in session.scalars(chosen.order_by(WorkspaceRun.run_id)):
        for month, span in _months(max(run.started_at, first), min(_until(run), after)):
            key = (month, run.project_id, run.person)
            started = month == run.started_at.astimezone(UTC).strftime("%Y-%m")
            lines[key] = _added(lines.get(key), key, run, span, starts=int(started))
    return [lines[key] for key in sorted(lines)]


def hours(start: datetime, end: datetime) -> float:
    """Hours between two moments."""
    return max(0.0, (end - start) / timedelta(hours=1))


def _added(
    line: UsageLine | None, key: tuple[str, str, str], run: WorkspaceRun, span: float, *, starts: int
) -> UsageLine:
    month, project_id, person = key
    before = line or UsageLine(
        month=month, project_id=project_id, person=person, starts=0, hours=0, cpu_hours=0, gpu_hours=0
    )
    return before.model_copy(
        update={
            "starts": before.starts + starts,
            "hours": before.hours + span,
            "cpu_hours": before.cpu_hours + run.cpu * span,
            "gpu_hours": before.gpu_hours + run.gpu_hours * span,
        }
    )


def _months(start: datetime, end: datetime) -> Iterator[tuple[str, float]]:
    """The months between two moments (UTC), with the hours of each."""
    at = start.astimezone(UTC)
    while True:
        following = (at.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
        yield at.strftime("%Y-%m"), hours(at, min(end, following))
        if following >= end:
            return
        at = following


def _until(run: WorkspaceRun) -> datetime:
    """Until when a run counts: one that runs up to now, where it was seen lately."""
    if run.ended_at is not None:
        return run.ended_at
    moment = now()
    return moment if moment - run.seen_at < LOST else run.seen_at


def _open(session: Session, project_id: str, person: str) -> Iterator[WorkspaceRun]:
    mine = WorkspaceRun.project_id == project_id, WorkspaceRun.person == person
    yield from session.scalars(select(WorkspaceRun).where(*mine, WorkspaceRun.ended_at.is_(None)))


def _latest(session: Session, project_id: str, person: str) -> WorkspaceRun | None:
    mine = WorkspaceRun.project_id == project_id, WorkspaceRun.person == person
    return session.scalars(select(WorkspaceRun).where(*mine).order_by(WorkspaceRun.run_id.desc()).limit(1)).first()
