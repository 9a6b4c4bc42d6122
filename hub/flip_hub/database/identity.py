"""Tables of signing in: whose identity at which provider, which sessions, and the programs that have tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from flip_hub.database.base import LINE, NAME, TOKEN, Base


class Identity(Base):
    """Which subject of which provider a person is: a name may be given to somebody else there, a subject never is."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    person: Mapped[str] = mapped_column(ForeignKey("person.name"), primary_key=True)
    issuer: Mapped[str] = mapped_column(LINE)
    subject: Mapped[str] = mapped_column(LINE)
    bound_at: Mapped[datetime]


class SignIn(Base):
    """A browser's session, from signing in until it ends.

    Attributes:
        session: SHA-256 of JupyterHub's session id.
        method: ``password``, or ``organisation`` for a provider.
        seen_at: when the person last did something, to about a minute.
        end_reason: ``asked``, ``idle``, ``longest``, ``operator`` or ``provider``; empty while it is open.
    """

    __tablename__ = "sign_in"

    session: Mapped[str] = mapped_column(TOKEN, primary_key=True)
    person: Mapped[str] = mapped_column(LINE, index=True)
    method: Mapped[str] = mapped_column(NAME)
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(NAME, default="", server_default=text("''"))


class ServiceIdentity(Base):
    """A program that may ask the hub: never a person, and only for what its scopes name.

    Attributes:
        token: SHA-256 of its token.
        earlier_token: SHA-256 of the one before, which is good until ``earlier_until``.
        seen_at: when it last asked, to about a minute.
    """

    __tablename__ = "service_identity"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    purpose: Mapped[str] = mapped_column(LINE)
    scopes: Mapped[list[str]]
    token: Mapped[str] = mapped_column(TOKEN, unique=True)
    earlier_token: Mapped[str] = mapped_column(TOKEN, default="", server_default=text("''"))
    earlier_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
