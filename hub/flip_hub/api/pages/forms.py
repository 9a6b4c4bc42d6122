"""What people send from pages: applications, decisions, and an operator's steps."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Request
from flip_sdk.contract.api import Application, NewProject, Review
from flip_sdk.contract.jobs import JobKind
from flip_sdk.contract.records import Name
from flip_sdk.errors import PublicError
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.project_pages import show
from flip_hub.api.sessions import CSRF_FIELD, Asking, At, check_csrf, desk_of
from flip_hub.governance import access, projects, reviews, trusts
from flip_hub.governance.office import Office
from flip_hub.governance.people import people
from flip_hub.policy import Subject

router = APIRouter()
FIELDS = (
    "project_id",
    "title",
    "lay_summary",
    "public_benefit",
    "organisation",
    "epsilon",
    "delta",
    "expires_at",
    "legal_basis",
    "planned_outputs",
)
LISTS = ("team", "trusts", "job_kinds")


async def checked_form(request: Request, _subject: Asking) -> FormData:
    """A form that this browser was given by this service."""
    form = await request.form(max_files=0, max_fields=400)
    check_csrf(desk_of(request), request, str(form.get(CSRF_FIELD, "")))
    return form


Sent = Annotated[FormData, Depends(checked_form)]


@router.get("/apply")
def apply_page(request: Request, subject: Asking, office: At) -> Response:
    """An empty application."""
    office.policies.authorise(subject, "apply", access.HUB)
    values = {"organisation": subject.organisation, "delta": "0.00001", "job_kinds": list(get_args(JobKind))}
    return _form(request, office, subject, values)


@router.post("/apply")
def apply(request: Request, subject: Asking, office: At, form: Sent) -> Response:
    """Begin a draft, or say everything that is wrong with it."""
    values = _values(form)
    problems: dict[str, str] = {}
    try:
        wanted = NewProject.model_validate({"project_id": values["project_id"], "application": _application(values)})
        projects.create(office, subject, wanted)
    except ValidationError as error:
        problems = _problems(error)
    except PublicError as error:
        problems = {"project_id": f"{error.message} {error.mend}"}
    if problems:
        return _form(request, office, subject, values, problems)
    return _to_project(request, wanted.project_id)


@router.get("/projects/{project_id}/edit")
def edit_page(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """An application that was begun."""
    with office.database.read() as session:
        row = access.permit(office, session, subject, "edit_project", project_id)
        values = row.application.model_dump(mode="json") | {"project_id": project_id}
    values["expires_at"] = values["expires_at"][:10]
    return _form(request, office, subject, values, action=f"projects/{project_id}/edit")


@router.post("/projects/{project_id}/edit")
def edit(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """Change a draft, or say everything that is wrong with it."""
    values = _values(form) | {"project_id": project_id}
    try:
        projects.edit(office, subject, project_id, Application.model_validate(_application(values)))
    except ValidationError as error:
        return _form(request, office, subject, values, _problems(error), action=f"projects/{project_id}/edit")
    return _to_project(request, project_id)


@router.post("/projects/{project_id}/submit")
def submit(request: Request, subject: Asking, office: At, project_id: Name, _form: Sent) -> Response:
    """Hand an application in."""
    try:
        projects.submit(office, subject, project_id)
    except PublicError as error:
        return show(request, office, subject, project_id, f"{error.message} {error.mend}".strip(), status=422)
    return _to_project(request, project_id)


@router.post("/projects/{project_id}/reviews")
def review(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """Decide on an application."""
    try:
        decision = Review.model_validate({"decision": form.get("decision"), "comment": str(form.get("comment", ""))})
    except ValidationError:
        problem = "Choose a decision: approve, ask for changes, or reject. A comment has at most 4,000 characters."
        return show(request, office, subject, project_id, problem, status=422)
    if decision.decision != "approve" and not decision.comment.strip():
        problem = "Say in the comment what has to change, or why you reject it."
        return show(request, office, subject, project_id, problem, status=422)
    reviews.review(office, subject, project_id, decision)
    return _to_project(request, project_id)


@router.post("/projects/{project_id}/state")
def change_state(request: Request, subject: Asking, office: At, project_id: Name, form: Sent) -> Response:
    """An operator's step."""
    projects.change_state(office, subject, project_id, str(form.get("state", "")))
    return _to_project(request, project_id)


def _form(
    request: Request,
    office: Office,
    subject: Subject,
    values: dict[str, Any],
    problems: dict[str, str] | None = None,
    action: str = "apply",
) -> Response:
    with office.database.read() as session:
        enrolled = trusts.enrolled(session)
    colleagues = [p for p in people(office.database) if p.active and p.name != subject.name and "researcher" in p.roles]
    return draw(
        request,
        "apply.html",
        status=422 if problems else 200,
        values=values,
        problems=problems or {},
        action=action,
        trusts=enrolled,
        colleagues=colleagues,
    )


def _values(form: FormData) -> dict[str, Any]:
    single = {name: str(form.get(name, "")).strip() for name in FIELDS}
    return single | {name: [str(value) for value in form.getlist(name)] for name in LISTS}


def _application(values: dict[str, Any]) -> dict[str, Any]:
    content = {name: value for name, value in values.items() if name != "project_id"}
    try:
        last_day = datetime.strptime(values["expires_at"], "%Y-%m-%d").date()  # noqa: DTZ007
        content["expires_at"] = datetime.combine(last_day, time(23, 59, 59), UTC)
    except ValueError:
        content["expires_at"] = values["expires_at"]
    return content


def _problems(error: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_input=False):
        fields = [str(part) for part in detail["loc"] if part in (*FIELDS, *LISTS)]
        found.setdefault(fields[0] if fields else "project_id", f"{detail['msg']}.")
    return found


def _to_project(request: Request, project_id: str) -> Response:
    return RedirectResponse(f"{desk_of(request).prefix}projects/{project_id}", status_code=303)
