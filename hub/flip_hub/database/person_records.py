"""The table of what people showed: accreditation, training, contracts; each with its end, and who verified it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import DIGEST, LINE, NAME, Base


class PersonRecord(Base):
    """One thing that a person showed.

    Attributes:
        kind: out of ``policies/people/requirements.yaml``.
        reference: number of the certificate or the contract, as whoever issued it can be asked for.
        evidence: digest of the file that was shown; the file itself stays with the person. Empty where there is none.
        issued_at: it is good from here,
        expires_at: and no longer from here on.
        state: ``waiting``, ``verified`` or ``refused``.
        words: why it was refused, or what was looked at.
    """

    __tablename__ = "person_record"

    record_id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("person.name"), index=True)
    kind: Mapped[str] = mapped_column(NAME)
    reference: Mapped[str] = mapped_column(LINE)
    evidence: Mapped[str] = mapped_column(DIGEST)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(NAME, index=True)
    submitted_by: Mapped[str] = mapped_column(LINE)
    submitted_at: Mapped[datetime]
    decided_by: Mapped[str] = mapped_column(LINE, default="", server_default=text("''"))
    decided_at: Mapped[datetime | None]
    words: Mapped[str] = mapped_column(default="", server_default=text("''"))
