"""Tables of links to dashboards: whom each admits, until when, and which checkers agreed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flip_hub.database.base import DIGEST, NAME, TOKEN, Base


class DashboardLink(Base):
    """A link that its project's owner asked for.

    Attributes:
        version: of the dashboard, which is the one that was shown.
        token: digest of what its address ends with; the hub does not keep that itself.
        state: ``asked``, ``agreed``, ``refused`` or ``ended``; that it is over is seen from its end and the version.
    """

    __tablename__ = "dashboard_link"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project_id", "name", "version"],
            ["dashboard_version.project_id", "dashboard_version.name", "dashboard_version.version"],
        ),
    )

    link_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    project_id: Mapped[str] = mapped_column(NAME)
    name: Mapped[str] = mapped_column(NAME)
    version: Mapped[int]
    token: Mapped[str] = mapped_column(DIGEST, unique=True)
    state: Mapped[str] = mapped_column(NAME, index=True)
    reason: Mapped[str]
    asked_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    asked_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    readers: Mapped[list[LinkReader]] = relationship(order_by="LinkReader.reader")
    decisions: Mapped[list[LinkDecision]] = relationship(order_by="LinkDecision.decided_at")


class LinkReader(Base):
    """One of those whom a link admits. It admits them once they opened it themselves."""

    __tablename__ = "link_reader"

    link_id: Mapped[str] = mapped_column(ForeignKey("dashboard_link.link_id"), primary_key=True)
    reader: Mapped[str] = mapped_column(ForeignKey("person.name"), primary_key=True)
    opened: Mapped[int] = mapped_column(default=0)
    last_opened_at: Mapped[datetime | None]


class LinkDecision(Base):
    """What one output checker decided."""

    __tablename__ = "link_decision"

    link_id: Mapped[str] = mapped_column(ForeignKey("dashboard_link.link_id"), primary_key=True)
    checker: Mapped[str] = mapped_column(ForeignKey("person.name"), primary_key=True)
    agrees: Mapped[bool]
    reason: Mapped[str]
    decided_at: Mapped[datetime]
