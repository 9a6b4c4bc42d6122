"""Tables around an application: drafts, submissions, comments, conditions, signatures, warnings, closing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flip_sdk.contract.applications import Application
from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import DIGEST, LINE, NAME, TOKEN, Base
from flip_hub.database.columns import RecordText


class DraftField(Base):
    """What was typed into one field of an unsubmitted application, valid or not.

    Attributes:
        value: as it was typed.
        revision: counts what was saved, so that a second tab knows what it has not seen.
        rival: what another tab typed without having seen this: ``value``, ``by``, ``at``; None where there is nothing.
    """

    __tablename__ = "draft_field"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    field: Mapped[str] = mapped_column(NAME, primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    revision: Mapped[int]
    by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    at: Mapped[datetime]
    rival: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Submission(Base):
    """An application as it was submitted, whole: what reviewers decided on stays readable for ever."""

    __tablename__ = "submission"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    application: Mapped[Application] = mapped_column(RecordText(Application.parse))
    submitted_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    submitted_at: Mapped[datetime]


class Comment(Base):
    """A comment on a field, or an answer to one. The thread outlives the version that it was begun on."""

    __tablename__ = "comment"

    comment_id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    version: Mapped[int]
    field: Mapped[str] = mapped_column(NAME)
    author: Mapped[str] = mapped_column(ForeignKey("person.name"))
    text: Mapped[str]
    at: Mapped[datetime]
    answers: Mapped[int | None] = mapped_column(ForeignKey("comment.comment_id"))
    resolved_by: Mapped[str] = mapped_column(LINE, default="")
    resolved_at: Mapped[datetime | None]


class Condition(Base):
    """What an approval hangs on. ``confirmed_by`` is empty while nobody saw that it is met."""

    __tablename__ = "condition"

    condition_id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), index=True)
    version: Mapped[int]
    text: Mapped[str]
    due_on: Mapped[date | None]
    before_start: Mapped[bool]
    set_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    set_at: Mapped[datetime]
    confirmed_by: Mapped[str] = mapped_column(LINE, default="")
    confirmed_at: Mapped[datetime | None]
    how: Mapped[str] = mapped_column(default="")


class Signature(Base):
    """A person's name under a data access agreement: ``agreement`` is the digest of the text that they were shown."""

    __tablename__ = "signature"
    __table_args__ = (UniqueConstraint("project_id", "person", "agreement"),)

    signature_id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"))
    person: Mapped[str] = mapped_column(ForeignKey("person.name"))
    agreement: Mapped[str] = mapped_column(DIGEST)
    version: Mapped[int]
    clauses: Mapped[str] = mapped_column(NAME)
    typed_name: Mapped[str] = mapped_column(LINE)
    signed_at: Mapped[datetime]


class ExpiryWarning(Base):
    """That a project's people were told, so many days ahead, of this end: once."""

    __tablename__ = "expiry_warning"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(primary_key=True)
    days: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str]
    people: Mapped[list[str]]
    at: Mapped[datetime]


class Closing(Base):
    """A closed project: who closed it, and what the hub purged (``hub``: records of ``contract.closing``)."""

    __tablename__ = "closing"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    closed_by: Mapped[str] = mapped_column(ForeignKey("person.name"))
    closed_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")
    hub: Mapped[list[dict[str, Any]]]
    purged_at: Mapped[datetime | None]


class TrustPurgeRow(Base):
    """One Trust that was asked to purge a project, and what it answered."""

    __tablename__ = "trust_purge"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    trust: Mapped[str] = mapped_column(ForeignKey("trust.name"), primary_key=True)
    order_id: Mapped[str] = mapped_column(TOKEN)
    asked_at: Mapped[datetime]
    purged_at: Mapped[datetime | None]
    items: Mapped[list[dict[str, Any]]]
    statement: Mapped[str] = mapped_column(default="")
