"""Pages of emergency access: all of it with a form to open one, and one with what it was used for and its review."""

from __future__ import annotations

from fastapi import APIRouter, Request
from flip_sdk.contract.emergencies import NewEmergency, ReviewEmergency
from flip_sdk.contract.records import Token
from flip_sdk.errors import NotAllowedError, PublicError
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.sessions import Asking, At, desk_of
from flip_hub.governance import emergencies
from flip_hub.governance.access import HUB
from flip_hub.governance.office import Office
from flip_hub.policy import Object, Subject

router = APIRouter()
_FIELDS = {
    "scope": "Choose what you need.",
    "target": "Name the project, or the person.",
    "reason": "Say what happened and why it cannot wait, in 20 to 4,000 signs.",
    "hours": "Give hours as a number above 0.",
}


@router.get("/emergencies")
def emergencies_page(request: Request, subject: Asking, office: At) -> Response:
    """All of it, and for operators a form to open one."""
    return _list(request, office, subject)


@router.post("/emergencies")
def open_one(request: Request, subject: Asking, office: At, form: Sent) -> Response:
    """Open emergency access."""
    office.policies.authorise(subject, "open_emergency", HUB)
    try:
        sent = {name: str(form.get(name, "")).strip() for name in _FIELDS}
        made = emergencies.open_(office, subject, NewEmergency.model_validate(sent))
    except ValidationError as error:
        wrong = {str(found["loc"][0]) for found in error.errors()}
        return _list(request, office, subject, {name: words for name, words in _FIELDS.items() if name in wrong}, form)
    except NotAllowedError:
        raise
    except PublicError as error:
        return _list(request, office, subject, {"target": f"{error.message} {error.mend}"}, form)
    return _to(request, made.emergency_id)


@router.get("/emergencies/{emergency_id}")
def emergency_page(request: Request, subject: Asking, office: At, emergency_id: Token) -> Response:
    """One: why, what it was used for, and its review."""
    return _one(request, office, subject, emergency_id)


@router.post("/emergencies/{emergency_id}/end")
def end(request: Request, subject: Asking, office: At, emergency_id: Token, _form: Sent) -> Response:
    """End one before its time."""
    emergencies.end(office, subject, emergency_id)
    return _to(request, emergency_id)


@router.post("/emergencies/{emergency_id}/review")
def review(request: Request, subject: Asking, office: At, emergency_id: Token, form: Sent) -> Response:
    """Say whether it was justified."""
    sent = {"finding": form.get("finding"), "words": str(form.get("words", "")).strip()}
    try:
        emergencies.review(office, subject, emergency_id, ReviewEmergency.model_validate(sent))
    except ValidationError:
        problem = "Choose whether it was justified, and say what you looked at in at least 10 signs."
        return _one(request, office, subject, emergency_id, problem)
    return _to(request, emergency_id)


def _list(
    request: Request,
    office: Office,
    subject: Subject,
    problems: dict[str, str] | None = None,
    sent: FormData | None = None,
) -> Response:
    return draw(
        request,
        "emergencies.html",
        status=422 if problems else 200,
        listed=emergencies.listed(office, subject),
        may_open=office.policies.decide(subject, "open_emergency", HUB).allowed,
        most=office.config.emergency_max_hours,
        days=office.config.emergency_review_days,
        problems=problems or {},
        sent=sent or {},
    )


def _one(request: Request, office: Office, subject: Subject, emergency_id: str, problem: str = "") -> Response:
    one = emergencies.show(office, subject, emergency_id)
    target = Object(emergency=emergency_id, author=one.opened_by)
    return draw(
        request,
        "emergency.html",
        status=422 if problem else 200,
        one=one,
        may=lambda action: office.policies.decide(subject, action, target).allowed,
        problem=problem,
    )


def _to(request: Request, emergency_id: str) -> Response:
    return RedirectResponse(f"{desk_of(request).prefix}emergencies/{emergency_id}", status_code=303)
