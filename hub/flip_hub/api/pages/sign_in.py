"""Signing a browser in: JupyterHub's OAuth sends it back here."""

from __future__ import annotations

import hmac
import os

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from flip_hub.api.sessions import SESSION_COOKIE, STATE_COOKIE, Asking, check_csrf, desk_of, keep_cookie
from flip_hub.database import now
from flip_hub.errors import NotSignedInError

router = APIRouter()


@router.get("/oauth_callback")
async def oauth_callback(request: Request, code: str = "", state: str = "") -> Response:
    """Turn the Hub's code into a session, and go on to the page that was wanted."""
    desk = desk_of(request)
    expected = request.cookies.get(STATE_COOKIE, "")
    if not state or not hmac.compare_digest(expected.encode(), state.encode()):
        return RedirectResponse(desk.prefix, status_code=302)
    try:
        token, wanted = await desk.authenticator.finish_login(code, state)
    except NotSignedInError:
        # begun before a restart of this service: once more, from the start
        return RedirectResponse(desk.prefix, status_code=302)
    response = RedirectResponse(wanted if wanted.startswith(desk.prefix) else desk.prefix, status_code=302)
    keep_cookie(response, desk, SESSION_COOKIE, token)
    response.delete_cookie(STATE_COOKIE, path=desk.prefix)
    return response


@router.get("/session")
async def session(request: Request, subject: Asking) -> Response:  # noqa: ARG001
    """How many seconds are left; asking keeps nothing open."""
    return _left(request)


@router.post("/session")
async def stay(request: Request, subject: Asking) -> Response:  # noqa: ARG001
    """Stay signed in."""
    check_csrf(desk_of(request), request, request.headers.get("x-csrf-token", ""))
    return _left(request)


@router.get("/logout")
async def logout(request: Request) -> Response:
    """End this service's session, then the Hub's."""
    desk = desk_of(request)
    response = RedirectResponse(os.environ.get("JUPYTERHUB_BASE_URL", "/") + "hub/logout", status_code=302)
    response.delete_cookie(SESSION_COOKIE, path=desk.prefix)
    return response


def _left(request: Request) -> Response:
    standing = getattr(request.state, "standing", None)
    if standing is None:
        return JSONResponse({"idle": None, "longest": None})
    left = {"idle": standing.idle_ends - now(), "longest": standing.ends - now()}
    return JSONResponse({name: max(0, round(time.total_seconds())) for name, time in left.items()})
