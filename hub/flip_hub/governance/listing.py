"""Long lists of projects: the database finds what may be seen, a page at a time; the policies judge each row shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from flip_sdk.contract.states import ProjectState
from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlalchemy.orm import Session, selectinload

from flip_hub.database import Person, Project, ProjectMember, ProjectWords, Review, now
from flip_hub.governance.access import object_of, organisations_of
from flip_hub.governance.expiry import DAYS
from flip_hub.governance.office import Office
from flip_hub.governance.when import EXPIRES, STATES_OF_ACTION
from flip_hub.policy import Subject

PAGE = 25
"""Projects on a page."""
WAITING = 10
"""Applications that are shown as waiting for a reviewer; the list holds the others."""
_OVERSEE = frozenset({"governance reviewer", "operator"})
_TOGETHER = (selectinload(Project.reviews), selectinload(Project.conditions))


@dataclass(frozen=True)
class Page:
    """A page of projects.

    Attributes:
        total: how many there are on all pages.
        number: of this page, from 1.
        pages: how many pages there are.
    """

    projects: list[Project]
    total: int
    number: int
    pages: int


def page_of(
    office: Office, session: Session, subject: Subject, *, find: str = "", state: str = "", number: int = 1
) -> Page:
    """One page of the projects that this person may know of, newest first.

    Args:
        office: governance.
        session: the database.
        subject: who asks.
        find: words that are all in a project's title, id, owner or organisation; empty for every project.
        state: a state of projects; empty for all.
        number: of the page, from 1; the last page where there are fewer.
    """
    chosen = [visible_to(subject), *_matching(find), *_in_state(state)]
    total = session.scalar(select(func.count()).select_from(Project).where(*chosen)) or 0
    pages = max(1, -(-total // PAGE))
    number = min(max(number, 1), pages)
    newest = select(Project.project_id).where(*chosen).order_by(Project.created_at.desc(), Project.project_id.desc())
    names = session.scalars(newest.offset((number - 1) * PAGE).limit(PAGE)).all() if total else []
    return Page(judged(office, session, subject, names), total, number, pages)


def judged(office: Office, session: Session, subject: Subject, names: Iterable[str]) -> list[Project]:
    """Those of these projects that the policies let this person know of, newest first."""
    chosen = select(Project).where(Project.project_id.in_(names)).options(selectinload(Project.reviews))
    rows = session.scalars(chosen.order_by(Project.created_at.desc(), Project.project_id.desc())).all()
    return _allowed(office, session, subject, "view_project", rows)


def all_of(office: Office, session: Session, subject: Subject) -> list[Project]:
    """Every project that this person may know of, newest first."""
    chosen = select(Project).where(visible_to(subject)).options(*_TOGETHER)
    rows = session.scalars(chosen.order_by(Project.created_at.desc(), Project.project_id.desc())).all()
    return _allowed(office, session, subject, "view_project", rows)


def waiting(office: Office, session: Session, subject: Subject) -> list[Project]:
    """Applications that this person may decide on now, the oldest first; at most :data:`WAITING`."""
    return list(islice(_waiting(office, session, subject), WAITING))


def ending(session: Session, subject: Subject) -> list[Project]:
    """Own projects whose end is near, the nearest first."""
    soon = Project.expires_at <= now() + timedelta(days=max(DAYS))
    chosen = select(Project).where(_own(subject), Project.state.in_(EXPIRES), soon, Project.expires_at > now())
    return list(session.scalars(chosen.order_by(Project.expires_at)))


def visible_to(subject: Subject) -> ColumnElement[bool]:
    """What the policies may let this person know of: never narrower than they are (a test compares them)."""
    if not subject.active:
        return false()
    seen = or_(_own(subject), Project.version > 0) if subject.roles & _OVERSEE else _own(subject)
    return and_(seen, Project.project_id == subject.workspace) if subject.workspace else seen


def _allowed(office: Office, session: Session, subject: Subject, action: str, rows: Sequence[Project]) -> list[Project]:
    """Those of these projects with which the policies let this person do this; neither asks who has signed."""
    known = organisations_of(session, (name for row in rows for name in row.members))
    targets = [object_of(session, row, signatures=False, known=known) for row in rows]
    judged = office.policies.allowed(subject, action, targets) if targets else []
    return [row for row, allowed in zip(rows, judged, strict=True) if allowed]


def _own(subject: Subject) -> ColumnElement[bool]:
    return Project.project_id.in_(select(ProjectMember.project_id).where(ProjectMember.person == subject.name))


def _matching(find: str) -> Iterator[ColumnElement[bool]]:
    for word in find.casefold().split():
        # beside each project, in the list's order, so that a page is found without finding all
        here = ProjectWords.project_id == Project.project_id
        yield exists().where(here, ProjectWords.words.contains(word, autoescape=True))


def _in_state(state: str) -> Iterator[ColumnElement[bool]]:
    """As people see a state: what is past its end has expired, though nobody has written that down yet."""
    if not state:
        return
    past = and_(Project.state.in_(EXPIRES), Project.expires_at <= now())
    if state == ProjectState.EXPIRED:
        yield or_(Project.state == state, past)
    else:
        yield Project.state == state
        if state in EXPIRES:
            yield Project.expires_at > now()


def _waiting(office: Office, session: Session, subject: Subject) -> Iterator[Project]:
    if "governance reviewer" not in subject.roles:
        return
    chosen = (
        select(Project.project_id)
        .where(Project.state.in_(STATES_OF_ACTION["review_project"]), *_undecided(subject))
        .order_by(Project.created_at, Project.project_id)
    )
    # a reviewer sees the first few: the others are not looked for
    for some in session.scalars(chosen.execution_options(yield_per=WAITING)).partitions():
        rows = session.scalars(
            select(Project).where(Project.project_id.in_(some)).options(selectinload(Project.reviews))
        ).all()
        rows = sorted(rows, key=lambda row: (row.created_at, row.project_id))
        yield from _allowed(office, session, subject, "review_project", rows)


def _undecided(subject: Subject) -> Iterator[ColumnElement[bool]]:
    """Leaves out what the policies refuse for certain; organisations that are spelled otherwise are theirs to see."""
    yield ~_own(subject)
    mine = and_(Review.project_id == Project.project_id, Review.reviewer == subject.name)
    yield ~exists().where(mine, or_(Review.version == Project.version, Review.decision == "recused"))
    same = and_(Review.organisation == subject.organisation, Review.decision != "recused")
    yield ~exists().where(Review.project_id == Project.project_id, Review.version == Project.version, same)
    team = and_(ProjectMember.project_id == Project.project_id, Person.name == ProjectMember.person)
    yield ~exists().where(team, Person.organisation == subject.organisation)
