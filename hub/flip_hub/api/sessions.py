"""From a request to a person: the token of an API call, or the cookie of a browser that signed in."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from flip_hub.api.authentication import Authenticator, SignedIn
from flip_hub.errors import DeniedError, NotSignedInError
from flip_hub.governance.emergencies import record_use, unfinished
from flip_hub.governance.office import Office, identify
from flip_hub.governance.services import PREFIX, SCOPES
from flip_hub.governance.sign_ins import Limits, Standing, standing
from flip_hub.policy import Subject

SESSION_COOKIE = "flip-session"
STATE_COOKIE = "flip-login"
CSRF_FIELD = "csrf_token"
_HEADER = re.compile(r"(?:token|bearer)\s+(\S+)", re.IGNORECASE)
_BASIC = re.compile(r"basic\s+(\S+)", re.IGNORECASE)
PACKAGES = "/packages/"
_SAFE = frozenset({"GET", "HEAD"})
OVERSEERS = frozenset({"governance reviewer", "operator"})
"""Who is told of emergency access on every page."""
UNUSED = ("/events", "/session")
"""Ends of addresses that a page asks for by itself: what keeps a session open is what a person does."""


@dataclass(frozen=True)
class Desk:
    """What the routes share.

    Attributes:
        office: governance.
        authenticator: who is asking.
        prefix: path of the service, with a slash at both ends.
        csrf_key: key of the tokens in forms.
        secure: whether cookies are for HTTPS only.
    """

    office: Office
    authenticator: Authenticator
    prefix: str
    csrf_key: bytes
    secure: bool


def desk_of(request: Request) -> Desk:
    """What the routes share."""
    desk: Desk = request.app.state.desk
    return desk


async def office_of(request: Request) -> Office:  # a plain function would wait for a thread of its own
    """Governance."""
    return desk_of(request).office


async def who_asks(request: Request) -> Subject:
    """The person behind a request.

    Raises:
        NotSignedInError: nobody, or the token is not good (any more).
        DeniedError: a person whom governance does not know, or whose account is closed.
    """
    desk = desk_of(request)
    token = token_of(request)
    if token.startswith(PREFIX):
        raise DeniedError(
            "A program reaches nothing but what it was given a token for.",
            f"Programs ask: {', '.join(words.rpartition(' ')[2] for words in SCOPES.values())}.",
            "services.nothing_else",
        )
    session_id = request.cookies.get("jupyterhub-session-id", "")
    found = await desk.authenticator.by_token(token, session_id) if token else None
    if found is None:
        raise NotSignedInError("You are not signed in.", "Sign in to the hub, or send a token of yours that it knows.")
    subject, request.state.standing = await run_in_threadpool(_known, desk.office, request, found)
    if not subject.active:
        raise DeniedError(
            "Your account at this hub is closed.", "Ask the operator to open it again.", "people.inactive"
        )
    request.state.subject = subject
    return subject


def token_of(request: Request) -> str:
    """The token in a request's header, else in its session cookie; a cookie changes nothing without a form's token."""
    if sent := bearer(request):
        return sent
    cookie = request.cookies.get(SESSION_COOKIE, "")
    is_api = request.url.path.startswith(desk_of(request).prefix + "api/")
    return cookie if request.method in _SAFE or not is_api else ""


def bearer(request: Request) -> str:
    """The token in a request's header; empty where there is none."""
    sent = request.headers.get("authorization", "").strip()
    match = _HEADER.fullmatch(sent)
    return match[1] if match else _of_installer(sent) if PACKAGES in request.url.path else ""


def _of_installer(sent: str) -> str:
    """The token that pip sends as the password of its index's address; it knows no other way."""
    match = _BASIC.fullmatch(sent)
    try:
        return base64.b64decode(match[1], validate=True).decode().partition(":")[2] if match else ""
    except ValueError:
        return ""


def csrf_token(desk: Desk, request: Request) -> str:
    """What a form has to send back: bound to this browser's session."""
    session = request.cookies.get(SESSION_COOKIE, "")
    return hmac.new(desk.csrf_key, session.encode(), "sha256").hexdigest()


def check_csrf(desk: Desk, request: Request, sent: str) -> None:
    """Refuse a form that this browser was not given by this service.

    Raises:
        DeniedError: it was not.
    """
    if not hmac.compare_digest(sent.encode(), csrf_token(desk, request).encode()):
        raise DeniedError("This form is from another session.", "Go back, load the page again, and send it.", "form")


def keep_cookie(response: Response, desk: Desk, name: str, value: str, max_age: int | None = None) -> None:
    """Set a cookie that only this service reads."""
    response.set_cookie(
        name, value, max_age=max_age, path=desk.prefix, secure=desk.secure, httponly=True, samesite="lax"
    )


def _known(office: Office, request: Request, found: SignedIn) -> tuple[Subject, Standing | None]:
    limits, used = Limits.of(office.config), request.method not in _SAFE or not request.url.path.endswith(UNUSED)
    ends = standing(office.database, limits, found.session, found.name, used=used) if found.session else None
    path = request.url.path
    with office.database.read() as session:
        subject = identify(session, found.name, found.workspace)
        if subject.roles & OVERSEERS and not path.startswith(desk_of(request).prefix + "api/"):
            request.state.emergencies = unfinished(office.config, session)
    if subject.emergencies and not path.endswith(UNUSED):
        record_use(office.database, subject, f"{request.method} {path.removeprefix(desk_of(request).prefix)}")
    return subject, ends


Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A number in an address: no larger than the smallest database's column."""
Asking = Annotated[Subject, Depends(who_asks)]
At = Annotated[Office, Depends(office_of)]
