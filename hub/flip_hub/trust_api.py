"""What Trusts can call at the gateway, under ``/flip/v1``: notices and projects, by their signature alone.

Nothing else of the hub is reachable from here. Every failure is an ``ErrorBody``.
"""

from __future__ import annotations

import json
import logging

from flip_sdk.contract.signatures import MAX_JWS_BYTES
from flip_sdk.errors import PublicError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flip_hub.config import HubConfig
from flip_hub.database import Database
from flip_hub.errors import TooLargeError
from flip_hub.governance.notices import answer_projects, answer_purges, answer_roots, take_notice
from flip_hub.statuses import body_of, status_of

_log = logging.getLogger(__name__)


def create_app(config: HubConfig, database: Database | None = None) -> Starlette:
    """The application that the gateway mounts at ``/flip/v1``.

    Args:
        config: the hub's settings.
        database: the hub's database; without it, the configured one is opened.
    """
    store = database or Database.of(config)

    async def notices(request: Request) -> Response:
        await run_in_threadpool(take_notice, config, store, await _body(request))
        return Response(status_code=204)

    async def projects(request: Request) -> Response:
        found = await run_in_threadpool(answer_projects, config, store, await _body(request))
        return Response(json.dumps([p.model_dump(mode="json") for p in found]), media_type="application/json")

    async def purges(request: Request) -> Response:
        found = await run_in_threadpool(answer_purges, config, store, await _body(request))
        return Response(json.dumps(found), media_type="application/json")

    async def roots(request: Request) -> Response:
        found = await run_in_threadpool(answer_roots, config, store, await _body(request))
        return Response(json.dumps([told.model_dump(mode="json") for told in found]), media_type="application/json")

    return Starlette(
        routes=[
            Route("/notices", notices, methods=["POST"]),
            Route("/projects", projects, methods=["POST"]),
            Route("/purges", purges, methods=["POST"]),
            Route("/roots", roots, methods=["POST"]),
        ],
        exception_handlers={PublicError: _refuse},
    )


async def _body(request: Request) -> bytes:
    """The request's body, never more than a signed record may have."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_JWS_BYTES:
            raise TooLargeError("The signed record is larger than any record may be.", "Publish fewer concepts.")
        pieces.append(piece)
    return b"".join(pieces)


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PublicError)
    _log.warning("a Trust's call was refused: %s", error.code)
    return JSONResponse(body_of(error).model_dump(mode="json"), status_code=status_of(error))
