"""Pages of links to dashboards: asking, deciding, ending, and opening one."""

from __future__ import annotations

from datetime import UTC, datetime, time

from fastapi import APIRouter, Request
from flip_sdk.contract.links import AskLink, DecideLink
from flip_sdk.contract.records import Name, Token
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.pages.names import display_names
from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.errors import ConflictError, InvalidError
from flip_hub.governance import links
from flip_hub.governance.dashboards import ADDRESS
from flip_hub.governance.office import Office
from flip_hub.policy import Subject
from flip_hub.statuses import status_of

router = APIRouter()


@router.get("/dashboards/{project_id}/{dashboard}/links")
def links_page(request: Request, subject: Asking, office: At, project_id: Name, dashboard: Name) -> Response:
    """A dashboard's links, and for its owner a form that asks for one."""
    return show(request, office, subject, project_id, dashboard)


@router.post("/dashboards/{project_id}/{dashboard}/links")
def ask(request: Request, subject: Asking, office: At, project_id: Name, dashboard: Name, form: Sent) -> Response:
    """Ask for a link, and show its address this once."""
    links.check_may_ask(office, subject, project_id, dashboard)
    try:
        made = links.ask(office, subject, project_id, dashboard, _asked(form))
    except ValidationError:
        problem = "Name at least one reader, a day, and why they are to see it, in ten characters or more."
        return show(request, office, subject, project_id, dashboard, problem=problem, sent=form, status=422)
    except (InvalidError, ConflictError) as error:
        problem = f"{error.message} {error.mend}"
        return show(
            request, office, subject, project_id, dashboard, problem=problem, sent=form, status=status_of(error)
        )
    address = f"{desk_of(request).prefix}{made.address}"
    return show(request, office, subject, project_id, dashboard, made=str(request.url.replace(path=address, query="")))


@router.get("/links")
def waiting_page(request: Request, subject: Asking, office: At) -> Response:
    """Links that wait for this output checker."""
    with office.database.read() as session:
        found = links.waiting(office, session, subject)
        names = display_names(session, {one.asked_by for one in found})
    return draw(request, "links_waiting.html", links=found, names=names, address=ADDRESS)


@router.post("/links/{link_id}/decision")
def decide(request: Request, subject: Asking, office: At, link_id: Token, form: Sent) -> Response:
    """Agree to a link, or refuse it."""
    links.check_may_decide(office, subject, link_id)
    try:
        wanted = DecideLink.model_validate(
            {"agrees": form.get("agrees") == "yes", "reason": str(form.get("reason", ""))}
        )
    except ValidationError as error:
        raise InvalidError("A reason is missing.", "Write what you looked at, in ten characters or more.") from error
    if form.get("agrees") not in ("yes", "no"):
        raise InvalidError("No decision was chosen.", "Choose whether you agree.")
    links.decide(office, subject, link_id, wanted)
    return RedirectResponse(f"{desk_of(request).prefix}links", status_code=303)


@router.post("/links/{link_id}/end")
def end(request: Request, subject: Asking, office: At, link_id: Token, form: Sent) -> Response:  # noqa: ARG001 - its token
    """End a link now."""
    ended = links.end(office, subject, link_id)
    place = f"{desk_of(request).prefix}dashboards/{ended.project_id}/{ended.dashboard}/links"
    return RedirectResponse(place, status_code=303)


@router.get("/links/open/{secret}")
def open_link(subject: Asking, office: At, secret: Token) -> Response:
    """Open a link as one of those whom it names, and go to the dashboard."""
    answer = RedirectResponse(links.open_(office, subject, secret), status_code=303)
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


def show(  # noqa: PLR0913 - what a page with a form is drawn from
    request: Request,
    office: Office,
    subject: Subject,
    project_id: str,
    name: str,
    *,
    problem: str = "",
    sent: FormData | None = None,
    made: str = "",
    status: int = 200,
) -> Response:
    """The page of a dashboard's links."""
    with office.database.read() as session:
        found = links.links_of(office, session, subject, project_id, name)
        may_ask = links.may_ask(office, session, subject, project_id, name)
        people = {one.asked_by for one in found} | {d.decided_by for one in found for d in one.decisions}
        return draw(
            request,
            "links.html",
            status=status,
            links=found,
            project_id=project_id,
            name=name,
            called=links.title_of(session, project_id, name),
            may_ask=may_ask,
            days=office.config.link_days,
            made=made,
            problem=problem,
            sent=sent or {},
            names=display_names(session, people),
        )


def _asked(form: FormData) -> AskLink:
    """What the form says: readers separated by commas or lines, and the last day that counts."""
    given = str(form.get("readers", "")).replace("\n", ",").split(",")
    readers = [one.strip() for one in given if one.strip()]
    try:
        day = datetime.strptime(str(form.get("until", "")), "%Y-%m-%d")  # noqa: DTZ007 - a day
    except ValueError as error:
        raise InvalidError("The last day cannot be read.", "Write it as in 2027-01-31.") from error
    ends = datetime.combine(day, time(23, 59, 59), tzinfo=UTC)
    return AskLink.model_validate({"readers": readers, "ends_at": ends, "reason": str(form.get("reason", ""))})
