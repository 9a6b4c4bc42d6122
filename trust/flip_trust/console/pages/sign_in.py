"""Coming in, by a link that works once or by a passphrase, and going out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from flip_trust.audit import Entry
from flip_trust.console import people
from flip_trust.console.desk import At, Desk, Sent, account_at
from flip_trust.console.drawing import draw
from flip_trust.policy import Person

router = APIRouter()


@router.get("/enter")
def enter_page(request: Request, desk: At, link: str = "") -> Response:
    """Whom the link lets in, or where to sign in. Looking at a link does not use it."""
    return draw(request, "enter.html", link=link, **_ways(desk, link))


@router.post("/enter")
def enter(
    request: Request,
    desk: At,
    link: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(max_length=60)] = "",
    passphrase: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Come in. Nobody is signed in yet, so there is no form's token: the secret itself is what is sent."""
    if link:
        person = desk.sessions.use(link)
        problem = "This link was used already, or is too old."
    else:
        problem = _locked(desk, name)
        person = None if problem else people.verified(desk.database, name, passphrase)
        problem = problem or "This name and passphrase do not belong together."
    if person is None:
        return _not_let_in(request, desk, name, problem, is_link=bool(link))
    desk.policies.authorise(person, "view_overview")
    desk.sessions.succeeded(name)
    how = "link" if link else "passphrase"
    subject = f"trust/{desk.config.name}"
    desk.note(Entry(person.actor, "console.entered", subject, {"by": how, "role": person.role}))
    return _let_in(request, desk, person, registered=not link)


@router.post("/leave")
def leave(request: Request, desk: At, _form: Sent) -> Response:
    """Sign out."""
    person = request.state.session.person
    desk.sessions.end(request.cookies.get(desk.cookie, ""))
    desk.note(Entry(person.actor, "console.left", f"trust/{desk.config.name}"))
    response = RedirectResponse("/enter", status_code=303)
    response.delete_cookie(desk.cookie, path="/")
    return response


def _ways(desk: Desk, link: str) -> dict[str, Any]:
    return {
        "lets_in": desk.sessions.whose(link) if link else None,
        "by_passphrase": any(person.active for person in people.every(desk.database)),
    }


def _locked(desk: Desk, name: str) -> str:
    seconds = desk.sessions.wait_for(name)
    return f"There were too many tries. Wait {seconds} seconds." if seconds else ""


def _not_let_in(request: Request, desk: Desk, name: str, problem: str, *, is_link: bool) -> Response:
    known = name if people.one(desk.database, name) else "somebody unknown"
    details = {"by": "link" if is_link else "passphrase"} | ({} if is_link else {"name": known})
    if desk.sessions.failed("" if is_link else name):
        desk.note(Entry("console", "console.refused", f"trust/{desk.config.name}", details))
    return draw(request, "enter.html", status=403, link="", problem=problem, name=name, **_ways(desk, ""))


def _let_in(request: Request, desk: Desk, person: Person, *, registered: bool) -> Response:
    secret = desk.sessions.begin(person, account_at(request), registered=registered)
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(desk.cookie, secret, path="/", httponly=True, samesite="strict", secure=desk.secure)
    return response
