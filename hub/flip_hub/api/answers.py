"""Errors as answers: JSON for programs, a page for people; what policy refused is audited."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from flip_sdk.contract.api import ErrorBody
from flip_sdk.errors import PublicError
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.sessions import STATE_COOKIE, Desk, desk_of, keep_cookie
from flip_hub.database import Entry
from flip_hub.errors import DeniedError, MissingError, NotSignedInError, UnavailableError
from flip_hub.statuses import body_of, status_of

_log = logging.getLogger(__name__)
_LOGIN_SECONDS = 600


def handle_errors(app: FastAPI) -> None:
    """Answer every error of the application."""
    app.add_exception_handler(PublicError, _public)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(Exception, _bug)


async def _public(request: Request, error: Exception) -> Response:
    assert isinstance(error, PublicError)
    desk = desk_of(request)
    if isinstance(error, DeniedError):
        await run_in_threadpool(_audit, desk, request, error)
    if isinstance(error, NotSignedInError) and not _is_api(desk, request) and request.method == "GET":
        return _to_login(desk, request)
    return _answer(request, status_of(error), body_of(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # without the input itself: it may hold a secret
    details = "; ".join(f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg']}" for e in error.errors())
    body = ErrorBody(code="bad_record", message=f"{details}.", mend="Correct the fields named and send it again.")
    return _answer(request, 422, body)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = MissingError("There is no such page.", "Start at the hub's first page.")
    other = ErrorBody(
        code="http", message=f"{error.detail}.", mend="Start at the hub's first page, or read openapi.json."
    )
    body = body_of(missing) if error.status_code == 404 else other
    return _answer(request, error.status_code, body)


async def _database(request: Request, error: Exception) -> Response:
    _log.error("%s %s: the database cannot be used", request.method, request.url.path, exc_info=error)
    mend = "Try again in a minute; if it stays so, tell the hub's operator."
    unavailable = UnavailableError("The hub's database does not answer at present.", mend)
    return _answer(request, status_of(unavailable), body_of(unavailable))


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    body = ErrorBody(code="bug", message="The hub failed.", mend="Tell its operator when this happened, and try again.")
    return _answer(request, 500, body)


def _answer(request: Request, status: int, body: ErrorBody) -> Response:
    if _is_api(desk_of(request), request):
        return JSONResponse(body.model_dump(mode="json"), status_code=status)
    return draw(request, "problem.html", status=status, problem=body)


def _to_login(desk: Desk, request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    begun = desk.authenticator.begin_login(wanted)
    response = RedirectResponse(begun.address, status_code=302)
    keep_cookie(response, desk, STATE_COOKIE, begun.state, _LOGIN_SECONDS)
    return response


def _is_api(desk: Desk, request: Request) -> bool:
    return request.url.path.startswith(desk.prefix + "api/")


def _audit(desk: Desk, request: Request, error: DeniedError) -> None:
    subject = getattr(request.state, "subject", None)
    details = {"method": request.method, "policy": error.policy, "reason": error.message}
    path = request.url.path.removeprefix(desk.prefix)[:200]
    with desk.office.database.write(Entry(subject.name if subject else "unknown", "access.denied", path, details)):
        pass
