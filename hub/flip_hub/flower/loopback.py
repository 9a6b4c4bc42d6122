"""The dispatcher's way into the gateway: three calls on the loopback listener, behind the hub's own secret."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flip_hub.flower.fleet import MAX_WAIT_SECONDS
from flip_hub.flower.grid import TrustOfflineError
from flip_hub.flower.parts import pack_incoming, unpack
from flip_hub.flower.state import GatewayState

EPOCH_HEADER = "x-flip-epoch"


def loopback_app(state: GatewayState) -> Starlette:
    """``GET /trusts``, ``POST /trusts/{trust}/messages``, ``POST /answers``; each answer names the epoch."""
    headers = {EPOCH_HEADER: state.epoch}

    async def trusts(_: Request) -> Response:
        return JSONResponse(state.online(), headers=headers)

    async def messages(request: Request) -> Response:
        try:
            parts = unpack(await request.body())
            message_id = await run_in_threadpool(state.send, request.path_params["trust"], parts)
        except ValueError:
            return Response(status_code=422, headers=headers)
        except TrustOfflineError:
            return Response(status_code=409, headers=headers)
        return JSONResponse(message_id, headers=headers)

    async def answers(request: Request) -> Response:
        asked = await request.json()
        ids, wait = [str(i) for i in asked["ids"]], min(float(asked["wait"]), MAX_WAIT_SECONDS)
        await state.outward.until(state, lambda: state.arrived(ids), wait)
        found = await run_in_threadpool(state.collect, ids)
        return Response(await run_in_threadpool(pack_incoming, found), headers=headers)

    return Starlette(
        routes=[
            Route("/trusts", trusts),
            Route("/trusts/{trust}/messages", messages, methods=["POST"]),
            Route("/answers", answers, methods=["POST"]),
        ]
    )
