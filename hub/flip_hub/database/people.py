"""Tables of who: people, projects, reviews, Trusts and what Trusts told the hub."""

from __future__ import annotations

from datetime import datetime

from flip_sdk.contract.applications import Application
from flip_sdk.contract.notices import CatalogueNotice, LedgerMirror, TotalLine
from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flip_hub.database.applications import Condition
from flip_hub.database.base import LINE, NAME, TOKEN, Base
from flip_hub.database.columns import RecordText
from flip_hub.database.emergencies import Emergency
from flip_hub.database.person_records import PersonRecord


class Person(Base):
    """Someone who signs in. ``name`` is JupyterHub's.

    Attributes:
        records_due_at: until then nothing is taken away for a missing record: they were registered before records were
            kept. None for everybody else.
        emergencies: what they opened and nobody ended; the time of one may be over.
    """

    __tablename__ = "person"

    name: Mapped[str] = mapped_column(LINE, primary_key=True)
    display_name: Mapped[str] = mapped_column(LINE)
    organisation: Mapped[str] = mapped_column(LINE)
    roles: Mapped[list[str]]
    active: Mapped[bool] = mapped_column(default=True)
    records_due_at: Mapped[datetime | None]
    records: Mapped[list[PersonRecord]] = relationship(order_by=PersonRecord.record_id)
    emergencies: Mapped[list[Emergency]] = relationship(
        primaryjoin=lambda: (Person.name == Emergency.opened_by) & Emergency.ended_at.is_(None), viewonly=True
    )


class Project(Base):
    """A project. ``version`` counts submissions of the application; a review holds for one of them.

    Attributes:
        state_reason: why it was suspended or closed.
        workspaces_closed_at: when its workspaces were told to stop; None while they may run.
    """

    __tablename__ = "project"
    # every column that a list is chosen and ordered by: the long rows of applications are not read for it
    __table_args__ = (Index(None, "created_at", "project_id", "version", "state", "expires_at"),)

    project_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    state: Mapped[str] = mapped_column(NAME)
    application: Mapped[Application] = mapped_column(RecordText(Application.parse))
    owner: Mapped[str] = mapped_column(ForeignKey("person.name"))
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state_reason: Mapped[str] = mapped_column(default="", server_default=text("''"))
    workspaces_closed_at: Mapped[datetime | None]
    reviews: Mapped[list[Review]] = relationship(back_populates="project", order_by="Review.review_id")
    conditions: Mapped[list[Condition]] = relationship(order_by="Condition.condition_id")

    @property
    def members(self) -> tuple[str, ...]:
        """The owner, then the team."""
        return (self.owner, *(name for name in self.application.team if name != self.owner))


class Review(Base):
    """One reviewer's decision on one submission.

    Attributes:
        version: 0 for one who stepped aside at a job, and not at an application.
        declared: the conflict of interest that they named; ``none`` where they declared to have none.
        sign_off: of an approval, which jobs a person has to decide on (``contract.applications.SignOffRule``).
    """

    __tablename__ = "review"
    __table_args__ = (UniqueConstraint("project_id", "version", "reviewer"),)

    review_id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"))
    version: Mapped[int]
    reviewer: Mapped[str] = mapped_column(ForeignKey("person.name"), index=True)
    organisation: Mapped[str] = mapped_column(LINE)
    decision: Mapped[str] = mapped_column(NAME)
    comment: Mapped[str]
    declared: Mapped[str] = mapped_column(default="", server_default=text("''"))
    decided_at: Mapped[datetime]
    sign_off: Mapped[str] = mapped_column(NAME, default="outside", server_default=text("'outside'"))
    project: Mapped[Project] = relationship(back_populates="reviews")


class Trust(Base):
    """An enrolled Trust: its public keys, when it was last heard of, and what its whole data set has spent."""

    __tablename__ = "trust"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    title: Mapped[str] = mapped_column(LINE)
    identity_key: Mapped[str] = mapped_column(TOKEN)
    node_key: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(LINE)
    enrolled_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    version: Mapped[str] = mapped_column(LINE, default="")
    active: Mapped[bool] = mapped_column(default=True)
    total: Mapped[TotalLine | None] = mapped_column(RecordText(TotalLine.parse))


class Consent(Base):
    """Mirror of a data steward's decision. The Trust's own copy is what counts."""

    __tablename__ = "consent"

    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    state: Mapped[str] = mapped_column(NAME)
    job_kinds: Mapped[list[str]]
    trust_models: Mapped[list[str]] = mapped_column(default=lambda: ["local"])
    epsilon: Mapped[float | None]
    epsilon_alone: Mapped[float | None]
    delta: Mapped[float | None]
    expires_at: Mapped[datetime | None]
    issued_at: Mapped[datetime]


class Budget(Base):
    """Mirror of a Trust's ledger for a project."""

    __tablename__ = "budget"

    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    epsilon: Mapped[float]
    delta: Mapped[float]
    spent: Mapped[float]
    releases: Mapped[int]
    ledger: Mapped[LedgerMirror | None] = mapped_column(RecordText(LedgerMirror.parse))
    reported_at: Mapped[datetime]


class Catalogue(Base):
    """What a Trust publishes about its data."""

    __tablename__ = "catalogue"

    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    content: Mapped[CatalogueNotice] = mapped_column(RecordText(CatalogueNotice.parse))
    issued_at: Mapped[datetime]


class NoticeSeen(Base):
    """Ids of notices and requests already taken: the same one is never taken twice."""

    __tablename__ = "notice"

    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    notice_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    received_at: Mapped[datetime]
