"""Tables of workspaces: what a project was given to work with, and each time that a workspace ran."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import LINE, NAME, Base


class ProjectResources(Base):
    """What governance gave a project besides what every project has.

    Attributes:
        profiles: names of profiles, of ``policies/workspaces``.
        gpu_hours: the quota, for all of its people together; None where there is none.
    """

    __tablename__ = "project_resources"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    profiles: Mapped[list[str]]
    gpu_hours: Mapped[float | None]
    set_by: Mapped[str] = mapped_column(LINE)
    set_at: Mapped[datetime]


class WorkspaceRun(Base):
    """One time that a workspace ran, with what it was given.

    Attributes:
        cpu: cores.
        gpu_hours: what an hour of it counts against the quota.
        seen_at: when it was last known to run: what counts, where the hub was killed before its end was written down.
        ended_at: None while it runs.
        over_since: since when the project's quota is used up.
    """

    __tablename__ = "workspace_run"
    __table_args__ = (Index(None, "project_id", "person"), Index(None, "ended_at"), Index(None, "started_at"))

    run_id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"))
    person: Mapped[str] = mapped_column(LINE)
    profile: Mapped[str] = mapped_column(NAME)
    cpu: Mapped[float]
    gpu_hours: Mapped[float]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    over_since: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(LINE, default="", server_default=text("''"))
