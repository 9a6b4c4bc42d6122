"""Tables of dashboards: each one's versions, and which of them is shown."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import DIGEST, LINE, NAME, TOKEN, Base


class Dashboard(Base):
    """A dashboard, by its address. ``shown`` is the released version that its audience sees; None: there is none."""

    __tablename__ = "dashboard"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    shown: Mapped[int | None]


class DashboardVersion(Base):
    """A published notebook and the jobs whose results it may show. It is a draft until it is released.

    Attributes:
        version: from 1 within the dashboard.
        state: ``requested`` is a draft, that only its project's team sees.
        title: what the gallery calls it.
        kind: of which template it is.
        personal: it depends on who looks at it: it is drawn for each viewer, and neither beforehand nor once for all.
        frames: origins of pages that may embed it.
        audience: for whom it was released; of a draft, its project's team.
        release_id: of the release that it is part of.
    """

    __tablename__ = "dashboard_version"
    __table_args__ = (ForeignKeyConstraint(["project_id", "name"], ["dashboard.project_id", "dashboard.name"]),)

    project_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(NAME)
    title: Mapped[str] = mapped_column(LINE, default="")
    kind: Mapped[str] = mapped_column(NAME, default="other")
    personal: Mapped[bool] = mapped_column(default=False)
    frames: Mapped[list[str]]
    notebook: Mapped[str] = mapped_column(DIGEST)
    jobs: Mapped[list[str]]
    published_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    published_at: Mapped[datetime]
    audience: Mapped[str] = mapped_column(NAME, default="project")
    release_id: Mapped[str | None] = mapped_column(TOKEN, index=True)
    released_at: Mapped[datetime | None]
