"""What people send from pages: applications, decisions, and an operator's steps."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from flip_sdk.contract.applications import Review
from flip_sdk.contract.records import Name
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.project_pages import CONDITIONS, show
from flip_hub.api.sessions import CSRF_FIELD, Asking, At, Number, check_csrf, desk_of
from flip_hub.errors import InvalidError
from flip_hub.governance import access, conditions, projects, reviews

router = APIRouter()


async def checked_form(request: Request, _subject: Asking) -> FormData:
    """A form that this browser was given by this service."""
    form = await request.form(max_files=0, max_fields=400)
    check_csrf(desk_of(request), request, str(form.get(CSRF_FIELD, "")))
    return form


Sent = Annotated[FormData, Depends(checked_form)]


@router.post("/projects/{project_id}/reviews")
def review(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """Decide on an application."""
    with office.database.read() as session:
        access.permit(office, session, subject, "review_project", project_id)
    problem = _what_is_missing(form)
    try:
        decision = None if problem else Review.model_validate(_review(form))
    except ValidationError as error:
        fields = sorted({str(detail["loc"][0]) for detail in error.errors()})
        problem = f"This cannot be taken: {', '.join(fields)}. Texts have at most 4,000 characters, conditions 2,000."
    if problem or decision is None:
        return show(request, office, subject, project_id, problem, status=422, sent=form)
    reviews.review(office, subject, project_id, decision)
    return to_project(request, project_id)


@router.post("/projects/{project_id}/conditions/{condition_id}")
def confirm(
    request: Request, subject: Asking, office: At, project_id: Name, condition_id: Number, form: Sent
) -> Response:
    """A reviewer confirms that a condition is met."""
    try:
        conditions.confirm(office, subject, project_id, condition_id, str(form.get("how", "")))
    except InvalidError as error:
        return show(request, office, subject, project_id, f"{error.message} {error.mend}", status=422, sent=form)
    return to_project(request, project_id)


@router.post("/projects/{project_id}/state")
def change_state(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """An operator's step."""
    try:
        projects.change_state(
            office, subject, project_id, str(form.get("state", "")), str(form.get("reason", ""))[:4000]
        )
    except InvalidError as error:
        return show(request, office, subject, project_id, f"{error.message} {error.mend}", status=422, sent=form)
    return to_project(request, project_id)


def _what_is_missing(form: FormData) -> str:
    said, declared = str(form.get("decision", "")), str(form.get("declares", ""))
    if declared == "conflict":
        return "" if str(form.get("conflict", "")).strip() else "Say what your conflict of interest is."
    if said not in {"approve", "request_changes", "reject"}:
        return "Choose a decision: approve, ask for changes, or reject."
    if declared != "none":
        return "Declare whether you have a conflict of interest."
    if said != "approve" and not str(form.get("comment", "")).strip():
        return "Say in the comment what has to change, or why you reject it."
    return ""


def _review(form: FormData) -> dict[str, Any]:
    declares = str(form.get("declares", ""))
    wanted = [
        {
            "text": text,
            "due_on": str(form.get(f"due_on-{number}", "")).strip() or None,
            "before_start": form.get(f"before_start-{number}") == "yes",
        }
        for number in range(CONDITIONS)
        if (text := str(form.get(f"condition-{number}", "")).strip())
    ]
    return {
        # one who steps aside decides nothing
        "decision": str(form.get("decision", "")) or "request_changes",
        "comment": str(form.get("comment", "")),
        "declares": declares or None,
        "conflict": str(form.get("conflict", "")),
        "conditions": wanted,
        "sign_off": str(form.get("sign_off", "")) or "outside",
    }


def to_project(request: Request, project_id: str) -> Response:
    """Back to a project's page, after a form was taken."""
    return RedirectResponse(f"{desk_of(request).prefix}projects/{project_id}", status_code=303)
