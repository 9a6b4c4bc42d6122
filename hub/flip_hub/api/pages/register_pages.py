"""The public register's pages: for everybody, without signing in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from flip_sdk.contract.records import Name
from flip_sdk.meaning import meaning
from sqlalchemy import select
from starlette.responses import Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.register_routes import SHELF, Page, State, TrustName, Words
from flip_hub.api.sessions import At
from flip_hub.database import Trust, now
from flip_hub.governance import witness
from flip_hub.keys import signing_key
from flip_hub.register.entry import entry
from flip_hub.register.listing import LISTED

router = APIRouter()
KINDS = {
    "count": "Counts",
    "train": "Training of a model",
    "evaluate": "Evaluation of a model",
    "statistics": "Statistics",
}
MOST_DAYS = 60


@router.get("/register")
def register_page(
    request: Request, office: At, find: Words = "", trust: TrustName = "", state: State = "", page: Page = 1
) -> Response:
    """Approved projects, to search."""
    with office.database.read() as session:
        titles = {row.name: row.title for row in session.scalars(select(Trust).order_by(Trust.title))}
        found = SHELF.find(session, find, trust, state, page)
    asked = {"find": find, "trust": trust, "state": state}
    return draw(request, "register.html", found=found, titles=titles, asked=asked, states=[str(one) for one in LISTED])


@router.get("/register/audit")
def register_audit_page(request: Request, office: At) -> Response:
    """Daily roots of the audit logs, and who countersigned them."""
    with office.database.read() as session:
        published = witness.published(office.config, session)
    hub = [one for one in published.roots if one.root.log == witness.HUB]
    theirs = {one.root.log: one.root for one in published.roots if one.root.log != witness.HUB}
    days = witness.days_without([one.root.day for one in hub], now().date())
    return draw(
        request,
        "register_audit.html",
        roots=list(reversed(hub))[:MOST_DAYS],
        theirs=list(theirs.values()),
        missing=days,
        titles={key.owner: key.title for key in published.keys},
        key=signing_key(office.config, "governance").public.x,
        seen={one.root.day: witness.witnesses_of(one) for one in hub},
    )


@router.get("/register/{project_id}")
def register_project_page(request: Request, office: At, project_id: Name) -> Response:
    """What anybody may know of a project."""
    with office.database.read() as session:
        shown = entry(session, project_id)
    means = {
        one.trust: meaning(one.spent, one.delta)[0]
        for one in shown.federated.trusts
        if one.spent is not None and one.delta is not None
    }
    return draw(request, "register_project.html", shown=shown, means=means, kinds=KINDS)
