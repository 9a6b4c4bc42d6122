"""The JSON API: links to dashboards."""

from __future__ import annotations

from fastapi import APIRouter, Request
from flip_sdk.contract.links import AskLink, DecideLink, LinkView
from flip_sdk.contract.records import Name, Token

from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.governance import links

router = APIRouter()


@router.post("/projects/{project_id}/dashboards/{dashboard}/links", status_code=201)
def ask_link(
    request: Request, subject: Asking, office: At, project_id: Name, dashboard: Name, body: AskLink
) -> LinkView:
    """Ask for a link; its address is told in this answer, and in no other."""
    made = links.ask(office, subject, project_id, dashboard, body)
    return made.model_copy(update={"address": f"{desk_of(request).prefix}{made.address}"})


@router.get("/projects/{project_id}/dashboards/{dashboard}/links")
def list_links(subject: Asking, office: At, project_id: Name, dashboard: Name) -> list[LinkView]:
    """All links to a dashboard, the newest first."""
    with office.database.read() as session:
        return links.links_of(office, session, subject, project_id, dashboard)


@router.get("/links")
def waiting_links(subject: Asking, office: At) -> list[LinkView]:
    """Links that wait for this output checker, the oldest first."""
    with office.database.read() as session:
        return links.waiting(office, session, subject)


@router.post("/links/{link_id}/decision")
def decide_link(subject: Asking, office: At, link_id: Token, body: DecideLink) -> LinkView:
    """Agree to a link, or refuse it."""
    return links.decide(office, subject, link_id, body)


@router.post("/links/{link_id}/end")
def end_link(subject: Asking, office: At, link_id: Token) -> LinkView:
    """End a link now."""
    return links.end(office, subject, link_id)
