"""Errors as pages; what the policies refused is in the audit log."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from flip_sdk.errors import PublicError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from flip_trust.agent import log
from flip_trust.audit import Entry
from flip_trust.console.desk import desk_of
from flip_trust.console.drawing import draw
from flip_trust.console.sessions import Session
from flip_trust.errors import DeniedError, LedgerUnavailableError, MissingError, NotSignedInError

_log = logging.getLogger(__name__)
_STATUS: dict[type[Exception], int] = {NotSignedInError: 401, DeniedError: 403, MissingError: 404}


def handle_errors(app: FastAPI) -> None:
    """Answer every error of the application."""
    app.add_exception_handler(PublicError, _public)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(LedgerUnavailableError, _unwritable)
    app.add_exception_handler(Exception, _bug)


async def _public(request: Request, error: Exception) -> Response:
    assert isinstance(error, PublicError)
    if isinstance(error, NotSignedInError) and request.method == "GET":
        return RedirectResponse("/enter", status_code=303)
    if isinstance(error, DeniedError):
        await run_in_threadpool(_note, request, error)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
    return _page(request, status, error.message, error.mend, getattr(error, "policy", ""))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _page(request, 422, "This address or form does not fit.", "Go back and use the page's own links.")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _page(request, 404, "There is no such page.", "Start at the console's first page.")
    return _page(request, error.status_code, str(error.detail), "")


async def _unwritable(request: Request, _error: Exception) -> Response:
    mend = "Nothing was changed. Is the disk full? Tell the Trust's operator."
    return _page(request, 503, "The Trust's database cannot be read or written.", mend)


async def _bug(request: Request, error: Exception) -> Response:
    log.failure(_log, "console.failed", error, path=request.url.path)
    return _page(request, 500, "The console failed.", "Tell the Trust's operator when this happened, and try again.")


def _page(request: Request, status: int, message: str, mend: str, policy: str = "") -> Response:
    return draw(request, "problem.html", status=status, message=message, mend=mend, policy=policy)


def _note(request: Request, error: DeniedError) -> None:
    session: Session | None = getattr(request.state, "session", None)
    actor = session.person.actor if session else "console"
    details = {"method": request.method, "policy": error.policy, "reason": error.message}
    desk_of(request).note(Entry(actor, "console.denied", f"page{request.url.path[:200]}", details))
