"""What the pages share, and the way from a request to a person."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from flip_trust.audit import Entry
from flip_trust.config import TrustConfig
from flip_trust.console import people
from flip_trust.console.peer import account_of
from flip_trust.console.sessions import Session, Sessions
from flip_trust.database import Database
from flip_trust.errors import DeniedError, NotSignedInError
from flip_trust.policy import Person, Policies

CSRF_FIELD = "form_token"
MOST_FIELDS = 60


@dataclass(frozen=True)
class Desk:
    """What the pages share.

    Attributes:
        config: the Trust's settings, as they were when the console was started.
        database: the Trust's own.
        policies: who may.
        sessions: who is signed in.
        cookie: name of the session's cookie; with the port, as browsers do not tell ports apart.
        secure: whether the cookie is for HTTPS only.
        clock: what time it is.
    """

    config: TrustConfig
    database: Database
    policies: Policies
    sessions: Sessions
    cookie: str
    secure: bool
    clock: Callable[[], datetime]

    def may(self, person: Person, action: str) -> bool:
        """Whether the policies permit this."""
        return self.policies.decide(person, action).allowed

    def note(self, entry: Entry) -> None:
        """Write an audit entry that goes with no other write.

        Raises:
            LedgerUnavailableError: it cannot be written.
        """
        with self.database.transaction() as transaction:
            transaction.write(entry)


def desk_of(request: Request) -> Desk:
    """What the pages share."""
    desk: Desk = request.app.state.desk
    return desk


def account_at(request: Request) -> int | None:
    """The account of this machine that asks."""
    ours: tuple[str, int | None] | None = request.scope.get("server")
    return account_of(request.client and (request.client.host, request.client.port), ours)


def session_of(request: Request) -> Session:
    """The session behind a request. It is a plain function, so that FastAPI looks it up in a thread.

    Raises:
        NotSignedInError: there is none, or not any more.
        DeniedError: the person's sign-in was closed meanwhile.
    """
    desk = desk_of(request)
    secret = request.cookies.get(desk.cookie, "")
    found = desk.sessions.find(secret, account_at(request)) if secret else None
    if found is None:
        raise NotSignedInError("You are not signed in, or have been away for too long.", "Sign in again.")
    request.state.session = found
    if found.registered and not (_still(desk, found.person)):
        desk.sessions.end(secret)
        desk.policies.authorise(Person(found.person.name, found.person.role, active=False), "view_overview")
    return found


def person_of(session: Annotated[Session, Depends(session_of)]) -> Person:
    """Who is signed in."""
    return session.person


async def checked_form(request: Request, session: Annotated[Session, Depends(session_of)]) -> FormData:
    """A form that this session was given.

    Raises:
        DeniedError: it was not.
    """
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    if not hmac.compare_digest(str(form.get(CSRF_FIELD, "")).encode(), session.form_token.encode()):
        raise DeniedError("This form is from another session.", "Go back, load the page again, and send it.", "form")
    return form


def _still(desk: Desk, person: Person) -> bool:
    now = people.one(desk.database, person.name)
    return now is not None and now.active and now.role == person.role


At = Annotated[Desk, Depends(desk_of)]
Asking = Annotated[Person, Depends(person_of)]
Sent = Annotated[FormData, Depends(checked_form)]
