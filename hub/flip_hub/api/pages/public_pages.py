"""Released files, for whoever may fetch them: a project's team, and everybody where a release is public."""

from __future__ import annotations

from fastapi import APIRouter, Request
from flip_sdk.contract.records import Name, Token
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from flip_hub.airlock import releases
from flip_hub.api.sending import attachment
from flip_hub.api.sessions import At, token_of, who_asks

router = APIRouter()


@router.get("/released/{release_id}/{part}")
async def fetch(request: Request, office: At, release_id: Token, part: Name) -> Response:
    """A released file (``file``), its ``crate`` or its ``criteria``, signed in or not."""
    subject = await who_asks(request) if token_of(request) else None
    found = await run_in_threadpool(releases.serve, office, subject, release_id, part)
    return attachment(found.content, found.name)
