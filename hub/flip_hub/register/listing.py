"""Finding projects in the register: by words of what is public alone, so that a search is no way to what is not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flip_sdk.contract.applications import Application
from flip_sdk.contract.states import ProjectState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import Project, Submission, now

PAGE = 25
LISTED = (ProjectState.APPROVED, ProjectState.SUSPENDED, ProjectState.EXPIRED, ProjectState.CLOSED)
"""States that only a project that was approved can have."""
_MOST_KEPT = 50_000


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
        self._kept: OrderedDict[tuple[str, int], Summary] = OrderedDict()

    def find(self, session: Session, words: str = "", trust: str = "", state: str = "", page: int = 1) -> Found:
        """Projects whose public words hold each of ``words``, the newest first."""
        moment, wanted = now(), words.lower().split()
        listed = self._listed(session, moment)
        fitting = [
            one
            for one in listed
            if (not trust or trust in one.summary.trusts)
            and (not state or one.state == state)
            and all(word in one.summary.text for word in wanted)
        ]
        start = (page - 1) * PAGE
        return Found(len(fitting), page, tuple(fitting[start : start + PAGE]))

    def _listed(self, session: Session, moment: datetime) -> list[Listed]:
        chosen = select(Project.project_id, Project.version, Project.state, Project.expires_at)
        chosen = chosen.where(Project.state.in_([str(state) for state in LISTED]))
        rows = session.execute(chosen.order_by(Project.created_at.desc(), Project.project_id)).all()
        self._fill(session, [(row.project_id, row.version) for row in rows])
        return [
            Listed(summary, _state(row.state, row.expires_at, moment), row.expires_at)
            for row in rows
            if (summary := self._kept.get((row.project_id, row.version))) is not None
        ]

    def _fill(self, session: Session, keys: Iterable[tuple[str, int]]) -> None:
        missing = [key for key in keys if key not in self._kept]
        for start in range(0, len(missing), 500):
            some = missing[start : start + 500]
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


def _state(state: str, expires_at: datetime, moment: datetime) -> str:
    runs = state in {ProjectState.APPROVED, ProjectState.SUSPENDED}
    return str(ProjectState.EXPIRED) if runs and expires_at <= moment else state
