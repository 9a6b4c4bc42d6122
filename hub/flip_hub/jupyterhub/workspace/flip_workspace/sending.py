"""Sends what waits to the hub, for as long as the workspace runs."""

from __future__ import annotations

import asyncio
import logging
import os
from http import HTTPStatus

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from flip_workspace.spool import Spool

SECONDS = 2.0
MOST_SECONDS = 60.0
_log = logging.getLogger(__name__)
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers that will not change: such a batch is put aside, so that the others go on."""


async def send_for_ever(spool: Spool) -> None:
    """Every few seconds; less often while the hub does not take anything."""
    pause = SECONDS
    while True:
        await asyncio.sleep(pause)
        pause = SECONDS if await send(spool) else min(2 * pause, MOST_SECONDS)


async def send(spool: Spool) -> bool:
    """Send what waits; whether all of it was taken."""
    try:
        spool.close_batch()
        for path, body in spool.batches():
            status = await _post(body)
            if status == HTTPStatus.NO_CONTENT:
                spool.sent(path)
            elif status in _REFUSED:
                _log.error("the hub refuses a batch of cells with %s: it stays in %s", status, path)
                path.rename(path.with_suffix(".refused"))
            else:
                _log.warning("the hub did not take a batch of cells: %s", status)
                return False
    except OSError:
        _log.exception("cells could not be sent")
        return False
    return True


async def _post(body: bytes) -> int:
    """The hub's answer; 599 where there is none."""
    address = f"{os.environ['FLIP_HUB_API']}/projects/{os.environ['FLIP_PROJECT']}/cells"
    headers = {
        "Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}",
        "Content-Type": "application/json",
    }
    request = HTTPRequest(address, method="POST", headers=headers, body=body, request_timeout=20)
    return (await AsyncHTTPClient().fetch(request, raise_error=False)).code
