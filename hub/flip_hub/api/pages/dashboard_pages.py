"""Pages of dashboards: the gallery, one dashboard's versions, and its small picture."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from flip_sdk.contract.records import Name
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.pages.names import display_names
from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.dashboards.words import KINDS
from flip_hub.database import Project
from flip_hub.errors import InvalidError
from flip_hub.governance import dashboards, gallery, links
from flip_hub.governance.gallery import Asked

router = APIRouter()
Short = Annotated[str, Query(max_length=100)]
TIERS = {"project": "The project’s team", "signed-in": "Everybody signed in", "public": "Everybody"}
_AS_A_PICTURE = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "x-content-type-options": "nosniff",
}
"""Of a picture that a notebook drew: nothing in it runs or is fetched, also where it is opened by itself."""


def asked(
    find: Short = "",
    project: Short = "",
    kind: Short = "",
    audience: Short = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Asked:
    """What the address says."""
    return Asked(find, project, kind, audience, page)


Choice = Annotated[Asked, Depends(asked)]


@router.get("/dashboards")
def gallery_page(request: Request, subject: Asking, office: At, choice: Choice) -> Response:
    """Every dashboard that this person may see."""
    with office.database.read() as session:
        found = gallery.search(office, session, subject, choice)
        names = display_names(session, {card.published_by for card in found.cards})
    chosen = {"find": choice.find, "project": choice.project, "kind": choice.kind, "audience": choice.audience}
    return draw(
        request,
        "dashboards.html",
        found=found,
        choice=choice,
        names=names,
        kinds=KINDS,
        tiers=TIERS,
        link=lambda number: "?" + urlencode({**{k: v for k, v in chosen.items() if v}, "page": number}),
    )


@router.get("/dashboards/{project_id}/{dashboard}")
def versions_page(request: Request, subject: Asking, office: At, project_id: Name, dashboard: Name) -> Response:
    """One dashboard: what it is, for whom, and its versions as far as this person may know them."""
    with office.database.read() as session:
        views = gallery.versions_for(office, session, subject, project_id, dashboard)
        project = session.get_one(Project, project_id)
        return draw(
            request,
            "dashboard.html",
            views=views,
            current=next((one for one in views if one.shown), None),
            project=project,
            is_team=subject.name in project.members,
            has_links=links.may_see(office, session, subject, project_id, dashboard),
            may_choose=gallery.may_choose(office, session, subject, project_id, dashboard),
            names=display_names(session, {one.published_by for one in views}),
            kinds=KINDS,
            tiers=TIERS,
        )


@router.get("/dashboards/{project_id}/{dashboard}/thumbnail")
def thumbnail(subject: Asking, office: At, project_id: Name, dashboard: Name) -> Response:
    """The small picture of a dashboard."""
    content, kind = gallery.picture(office, subject, project_id, dashboard)
    return Response(content, media_type=kind, headers={**_AS_A_PICTURE, "cache-control": "private, no-cache"})


@router.post("/dashboards/{project_id}/{dashboard}/shown")
def show(request: Request, subject: Asking, office: At, project_id: Name, dashboard: Name, form: Sent) -> Response:
    """Choose the version that is shown."""
    with office.database.read() as session:
        gallery.check_may_choose(office, session, subject, project_id, dashboard)
    number = str(form.get("version", ""))
    if not number.isdecimal():
        raise InvalidError("No version was chosen.", "Choose one of those that were released.")
    dashboards.show_version(office, subject, project_id, dashboard, int(number))
    return RedirectResponse(f"{desk_of(request).prefix}dashboards/{project_id}/{dashboard}", status_code=303)
