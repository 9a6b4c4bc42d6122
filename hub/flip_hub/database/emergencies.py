"""The table of emergency access: who opened it, to what, why, until when, and who reviewed it afterwards."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import LINE, NAME, TOKEN, Base


class Emergency(Base):
    """One emergency access.

    Attributes:
        scope: ``read`` a project, ``suspend`` a project, or end a person's ``sessions``.
        target: the project's id, or the person's name.
        ended_at: when it was ended or written down as over; it gives nothing after ``expires_at`` in any case.
        finding: ``justified`` or ``not_justified``; empty until somebody else has reviewed it.
    """

    __tablename__ = "emergency"

    emergency_id: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    scope: Mapped[str] = mapped_column(NAME)
    target: Mapped[str] = mapped_column(LINE)
    reason: Mapped[str]
    opened_by: Mapped[str] = mapped_column(ForeignKey("person.name"), index=True)
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(LINE, default="", server_default=text("''"))
    finding: Mapped[str] = mapped_column(NAME, default="", server_default=text("''"), index=True)
    words: Mapped[str] = mapped_column(default="", server_default=text("''"))
    reviewed_by: Mapped[str] = mapped_column(LINE, default="", server_default=text("''"))
    reviewed_at: Mapped[datetime | None]
