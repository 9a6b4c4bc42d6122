"""What Trusts hold, to browse: of a project's Trusts for whoever sees the project, of all for whom policy lets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from flip_sdk.contract.records import Name
from flip_sdk.held import words
from starlette.responses import Response

from flip_hub.api.pages.catalogue_view import Asked, View
from flip_hub.api.pages.drawing import draw
from flip_hub.api.sessions import Asking, At
from flip_hub.database import now
from flip_hub.governance import access, consents

router = APIRouter()
Short = Annotated[str, Query(max_length=100)]


def asked(
    find: Short = "", domain: Short = "", trust: Short = "", page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> Asked:
    """What the address says."""
    return Asked(find, domain, trust, page)


Choice = Annotated[Asked, Depends(asked)]


@router.get("/catalogue")
def catalogue_page(request: Request, subject: Asking, office: At, choice: Choice) -> Response:
    """What all Trusts of the hub publish."""
    office.policies.authorise(subject, "browse_catalogue", access.HUB)
    with office.database.read() as session:
        view = View(consents.catalogues(session), choice, now())
        return draw(request, "catalogue.html", view=view, kind=words, project=None)


@router.get("/projects/{project_id}/catalogue")
def project_catalogue_page(request: Request, subject: Asking, office: At, project_id: Name, choice: Choice) -> Response:
    """What a project's Trusts publish."""
    with office.database.read() as session:
        project = access.visible(office, session, subject, project_id)
        view = View(consents.catalogues(session, project), choice, now())
        return draw(request, "catalogue.html", view=view, kind=words, project=project)
