"""The first page: what waits for a decision, and how this Trust is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from flip_trust import witness
from flip_trust.console.desk import Asking, At
from flip_trust.console.drawing import draw
from flip_trust.console.overview import overview

router = APIRouter()


@router.get("/")
def first_page(request: Request, desk: At, person: Asking) -> Response:
    """What waits, the agent, what runs, the disk, the quarantine and the whole budget."""
    desk.policies.authorise(person, "view_overview")
    return draw(request, "first.html", now=desk.clock(), view=overview(desk), alarm=witness.alarm(desk.database))
