"""Finding projects in the register: by words of what is public alone, so that a search is no way to what is not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flip_sdk.contract.applications import Application
from flip_sdk.contract.states import ProjectState
from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from flip_hub.database import Project, Submission, now

PAGE = 25
LISTED = (ProjectState.APPROVED, ProjectState.SUSPENDED, ProjectState.EXPIRED, ProjectState.CLOSED)
"""States that only a project that was approved can have."""
_RUN = (ProjectState.APPROVED, ProjectState.SUSPENDED)
"""Those that end by themselves."""
_MOST_KEPT = 50_000

Key = tuple[str, int]
"""A project, and the version of its present submission."""


@dataclass(frozen=True)
class Summary:
    """A project in the list.

    Attributes:
        text: what is searched, in lower case.
    """

    project_id: str
    version: int
    title: str
    lay_summary: str
    organisation: str
    trusts: tuple[str, ...]
    text: str

    def fits(self, words: Sequence[str], trust: str) -> bool:
        """Whether each of these words is in it, and it asks for this Trust's data, if any is asked for."""
        return (not trust or trust in self.trusts) and all(word in self.text for word in words)


@dataclass(frozen=True)
class Listed:
    """A summary, and the project's state at this moment."""

    summary: Summary
    state: str
    expires_at: datetime


@dataclass(frozen=True)
class Found:
    """A page of what was found."""

    total: int
    page: int
    rows: tuple[Listed, ...]

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // PAGE))


class Shelf:
    """Summaries of submissions, which never change, kept in memory: a search reads no application twice."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Summary] = OrderedDict()

    def find(self, session: Session, words: str = "", trust: str = "", state: str = "", page: int = 1) -> Found:
        """Projects whose public words hold each of ``words``, the newest first."""
        moment, wanted = now(), words.lower().split()
        which, start = _in_state(state, moment), (page - 1) * PAGE
        if not wanted and not trust:
            # found by the database itself: only what is shown is read
            total = session.scalar(select(func.count()).select_from(Project).where(which)) or 0
            return Found(total, page, self._listed(session, _keys(session, which, start, PAGE), moment))
        keys = _keys(session, which)
        self._fill(session, keys)
        fitting = [key for key in keys if (one := self._kept.get(key)) is not None and one.fits(wanted, trust)]
        return Found(len(fitting), page, self._listed(session, fitting[start : start + PAGE], moment))

    def _listed(self, session: Session, keys: Sequence[Key], moment: datetime) -> tuple[Listed, ...]:
        self._fill(session, keys)
        chosen = select(Project.project_id, Project.state, Project.expires_at)
        rows = session.execute(chosen.where(Project.project_id.in_([name for name, _ in keys])))
        ends = {name: (_state(state, expires_at, moment), expires_at) for name, state, expires_at in rows}
        return tuple(
            Listed(summary, *ends[summary.project_id]) for key in keys if (summary := self._kept.get(key)) is not None
        )

    def _fill(self, session: Session, keys: Iterable[Key]) -> None:
        missing = [key for key in keys if key not in self._kept]
        for start in range(0, len(missing), 500):
            some = set(missing[start : start + 500])
            names = {name for name, _ in some}
            for row in session.scalars(select(Submission).where(Submission.project_id.in_(names))):
                key = (row.project_id, row.version)
                if key in some:
                    self._kept[key] = summary_of(row.project_id, row.version, row.application)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)


def summary_of(project_id: str, version: int, application: Application) -> Summary:
    """What the list shows of an application, and what it is found by."""
    asked = (text for one in application.data for text in (one.what, one.why))
    words = (
        project_id,
        application.title,
        application.lay_summary,
        application.public_benefit,
        application.technical_summary,
        application.organisation,
        *application.funders,
        *application.trusts,
        *asked,
    )
    return Summary(
        project_id=project_id,
        version=version,
        title=application.title,
        lay_summary=application.lay_summary,
        organisation=application.organisation,
        trusts=application.trusts,
        text="\n".join(words).lower(),
    )


def _keys(session: Session, which: ColumnElement[bool], start: int = 0, most: int | None = None) -> list[Key]:
    """The newest first."""
    chosen = select(Project.project_id, Project.version).where(which)
    newest = chosen.order_by(Project.created_at.desc(), Project.project_id).offset(start).limit(most)
    return [(name, version) for name, version in session.execute(newest)]


def _in(states: Iterable[ProjectState]) -> ColumnElement[bool]:
    return Project.state.in_([str(state) for state in states])


def _in_state(state: str, moment: datetime) -> ColumnElement[bool]:
    """Those that :func:`_state` gives this state; all that are listed where none is asked for."""
    if not state:
        return _in(LISTED)
    if state not in LISTED:
        return false()
    past = and_(_in(_RUN), Project.expires_at <= moment)
    if state == ProjectState.EXPIRED:
        return or_(Project.state == state, past)
    return and_(Project.state == state, Project.expires_at > moment) if state in _RUN else Project.state == state


def _state(state: str, expires_at: datetime, moment: datetime) -> str:
    return str(ProjectState.EXPIRED) if state in _RUN and expires_at <= moment else state
