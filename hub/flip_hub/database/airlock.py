"""Tables of the airlock: what is asked to leave, what checkers decided, what was released, and what comes in."""

from __future__ import annotations

from datetime import datetime

from flip_sdk.contract.airlock import Examined, NewRelease, OutputStatement
from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flip_hub.database.base import DIGEST, LINE, NAME, TOKEN, Base
from flip_hub.database.columns import RecordText


class ReleaseRequest(Base):
    """Files that a researcher asked to be released together.

    Attributes:
        wanted: digest of what was asked, so that an idempotency key is used for one thing.
        checked_at: when its checks last ended; None while they have to run (anew).
        claimed_until: until then somebody runs them.
        attempts: how often they were begun since they last ended.
        open: whether anything of it still waits for a decision.
    """

    __tablename__ = "release_request"
    __table_args__ = (UniqueConstraint("project_id", "requested_by", "idempotency_key"),)

    request_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    purpose: Mapped[str]
    audience: Mapped[str] = mapped_column(NAME, default="project", server_default="project")
    requested_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    requested_at: Mapped[datetime]
    idempotency_key: Mapped[str] = mapped_column(TOKEN)
    wanted: Mapped[str] = mapped_column(DIGEST)
    checked_at: Mapped[datetime | None] = mapped_column(index=True)
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    open: Mapped[bool] = mapped_column(default=True, index=True)
    outputs: Mapped[list[Output]] = relationship(back_populates="request", order_by="Output.place")


class Output(Base):
    """One file of a request. Its bytes are the blob ``content``, and no others."""

    __tablename__ = "output"
    __table_args__ = (UniqueConstraint("request_id", "path"), Index(None, "project_id", "path"))

    output_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("release_request.request_id"))
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"))
    place: Mapped[int]
    path: Mapped[str] = mapped_column(LINE)
    content: Mapped[str] = mapped_column(DIGEST, index=True)
    statement: Mapped[OutputStatement] = mapped_column(RecordText(OutputStatement.parse))
    state: Mapped[str] = mapped_column(NAME, index=True)
    examined: Mapped[Examined | None] = mapped_column(RecordText(Examined.parse))
    reason: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]
    request: Mapped[ReleaseRequest] = relationship(back_populates="outputs")
    decisions: Mapped[list[OutputDecisionRow]] = relationship(
        order_by="OutputDecisionRow.decision_id", cascade="all, delete-orphan"
    )


class OutputDecisionRow(Base):
    """One checker's decision on one file. ``salt`` hides it in the audit log until all is decided.

    ``audience`` is the widest that they let it go to; None: as asked.
    """

    __tablename__ = "output_decision"
    __table_args__ = (UniqueConstraint("output_id", "checker"),)

    decision_id: Mapped[int] = mapped_column(primary_key=True)
    output_id: Mapped[str] = mapped_column(ForeignKey("output.output_id"))
    checker: Mapped[str] = mapped_column(ForeignKey("person.name"))
    decision: Mapped[str] = mapped_column(NAME)
    audience: Mapped[str | None] = mapped_column(NAME)
    reason: Mapped[str]
    salt: Mapped[str] = mapped_column(TOKEN)
    changed: Mapped[bool] = mapped_column(default=False)
    decided_at: Mapped[datetime]


class Release(Base):
    """A released file. The row stays when it is revoked; the file is then no longer served.

    Attributes:
        sequence: in which order files were released, over all projects.
        crate: digest of its Five Safes RO-Crate.
        criteria: digest of the disclosure criteria that it was held to.
        audience: who may fetch it: ``project``, ``signed-in`` or ``public``.
    """

    __tablename__ = "release"

    sequence: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[str] = mapped_column(TOKEN, unique=True)
    output_id: Mapped[str] = mapped_column(ForeignKey("output.output_id"), unique=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("release_request.request_id"))
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    path: Mapped[str] = mapped_column(LINE)
    title: Mapped[str] = mapped_column(LINE)
    content: Mapped[str] = mapped_column(DIGEST, index=True)
    size: Mapped[int]
    kind: Mapped[str | None] = mapped_column(NAME)
    statement: Mapped[OutputStatement] = mapped_column(RecordText(OutputStatement.parse))
    crate: Mapped[str] = mapped_column(DIGEST)
    criteria: Mapped[str] = mapped_column(DIGEST)
    audience: Mapped[str] = mapped_column(NAME, default="project", server_default="project")
    released_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    revoked_because: Mapped[str] = mapped_column(default="")


class CheckRun(Base):
    """Checks that a researcher asked for beforehand. ``results`` is a JSON list of ``Examined``."""

    __tablename__ = "airlock_check"

    check_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"))
    asked_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    asked_at: Mapped[datetime]
    wanted: Mapped[NewRelease] = mapped_column(RecordText(NewRelease.parse))
    done_at: Mapped[datetime | None] = mapped_column(index=True)
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    results: Mapped[str] = mapped_column(default="[]")
    problem: Mapped[str] = mapped_column(default="")


class Ingress(Base):
    """A file on its way into a project's workspaces."""

    __tablename__ = "ingress"
    __table_args__ = (UniqueConstraint("project_id", "requested_by", "idempotency_key"),)

    ingress_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    path: Mapped[str] = mapped_column(LINE)
    content: Mapped[str] = mapped_column(DIGEST)
    size: Mapped[int]
    purpose: Mapped[str]
    source: Mapped[str]
    holds_people: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(NAME, index=True)
    kind: Mapped[str] = mapped_column(LINE, default="")
    scanned_by: Mapped[str] = mapped_column(LINE, default="")
    reason: Mapped[str] = mapped_column(default="")
    requested_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    requested_at: Mapped[datetime]
    idempotency_key: Mapped[str] = mapped_column(TOKEN)
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("person.name"))
    decided_at: Mapped[datetime | None]
